import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CredentialsError } from './credentials.ts';
import { inClusterCredentials } from './in-cluster.ts';
import { kubeconfigCredentials, kubeconfigNamespace } from './kubeconfig.ts';
import { simpleKubeconfigCredentials } from './simple-kubeconfig.ts';
import { FakeClock } from './testing/fake-clock.ts';

// On a busy machine a test may take its time.
jest.setTimeout(60_000);

let directory: string;
let clock: FakeClock;
const file = async (name: string, content: string): Promise<string> => {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const kubeconfig = (user: object, cluster: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    contexts: [
      { name: 'x', context: { cluster: 'c', user: 'u', namespace: 'here' } },
      { name: 'y', context: { cluster: 'd', user: 'u' } },
    ],
    clusters: [
      { name: 'c', cluster: { server: 'https://10.0.0.1:6443', ...cluster } },
      { name: 'd', cluster: { server: 'https://10.0.0.2:6443' } },
    ],
    users: [{ name: 'u', user }],
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credentials-'));
  clock = new FakeClock();
});
afterEach(() => rm(directory, { recursive: true }));

describe('in the cluster', () => {
  test('the token is read again after a minute, and after a refusal', async () => {
    await file('token', 'one\n');
    await file('ca.crt', 'CA');
    const credentials = inClusterCredentials({ directory, host: '10.96.0.1', port: 443, clock });
    expect(credentials.server.href).toBe('https://10.96.0.1/');
    expect(await credentials.authorization()).toBe('Bearer one');
    expect(await credentials.tls()).toEqual({ ca: 'CA' });
    await file('token', 'two\n');
    clock.advance(59_999);
    expect(await credentials.authorization()).toBe('Bearer one');
    clock.advance(1);
    expect(await credentials.authorization()).toBe('Bearer two');
    await file('token', 'three\n');
    await file('ca.crt', 'CA 2');
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer three');
    expect(await credentials.tls()).toEqual({ ca: 'CA 2' });
  });

  test('a token that cannot be read for a moment is still the one last read', async () => {
    await file('token', 'one');
    const credentials = inClusterCredentials({ directory, host: 'fd00::1', port: '6443', clock });
    expect(credentials.server.href).toBe('https://[fd00::1]:6443/');
    expect(await credentials.authorization()).toBe('Bearer one');
    await rm(join(directory, 'token'));
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer one');
  });

  test('no token at all', async () => {
    const credentials = inClusterCredentials({ directory, host: '10.96.0.1', port: 443, clock });
    await expect(credentials.authorization()).rejects.toMatchObject({ name: 'CredentialsError', retryable: true });
  });
});

describe('a simple kubeconfig', () => {
  const load = async (user: object, cluster?: object) => simpleKubeconfigCredentials(await file('kc', kubeconfig(user, cluster)), clock);

  test('a token, and a CA as data', async () => {
    const credentials = await load({ token: 't' }, { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'api' });
    expect(credentials.server.href).toBe('https://10.0.0.1:6443/');
    expect(await credentials.authorization()).toBe('Bearer t');
    expect(await credentials.tls()).toMatchObject({ ca: 'CA', servername: 'api', rejectUnauthorized: undefined });
  });

  test('files, beside the kubeconfig or anywhere; a token file beats a token', async () => {
    await mkdir(join(directory, 'pki'));
    await file('pki/token', 'one\n');
    const ca = await file('pki/ca', 'CA');
    const credentials = await load({ token: 't', tokenFile: 'pki/token' }, { 'certificate-authority': ca });
    expect(await credentials.authorization()).toBe('Bearer one');
    expect(await credentials.tls()).toMatchObject({ ca: 'CA' });
    await file('pki/token', 'two\n');
    expect(await credentials.authorization()).toBe('Bearer one');
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer two');
    await file('pki/token', 'three\n');
    clock.advance(60_000);
    expect(await credentials.authorization()).toBe('Bearer three');
  });

  test('a client certificate', async () => {
    await file('key', 'KEY');
    const credentials = await load(
      { 'client-certificate-data': base64('CERT'), 'client-key': 'key' },
      { 'insecure-skip-tls-verify': true },
    );
    expect(await credentials.authorization()).toBeUndefined();
    expect(await credentials.tls()).toMatchObject({ cert: 'CERT', key: 'KEY', rejectUnauthorized: false });
  });

  test.each([
    ['exec', { exec: { command: 'aws' } }, {}, 'only a token'],
    ['a password', { username: 'u', password: 'p' }, {}, 'only a token'],
    ['no URL', { token: 't' }, { server: 'nowhere' }, 'cluster c makes no sense'],
  ])('%s is refused, and it says why', async (_name, user, cluster, words) => {
    await expect(load(user, cluster)).rejects.toThrow(CredentialsError);
    await expect(load(user, cluster)).rejects.toThrow(words);
  });

  test.each([
    ['no kubeconfig', '[]', 'is no kubeconfig'],
    ['no YAML', 'a: [', 'is no YAML'],
    ['a context that is not there', kubeconfig({}).replace('"current-context":"x"', '"current-context":"z"'), 'no context z'],
  ])('%s', async (_name, content, words) => {
    await expect(simpleKubeconfigCredentials(await file('kc', content), clock)).rejects.toThrow(words);
  });

  test('no file: it may yet come', async () => {
    await expect(simpleKubeconfigCredentials(join(directory, 'none'), clock)).rejects.toMatchObject({ retryable: true });
  });
});

describe('a kubeconfig', () => {
  test('its current context, or another', async () => {
    const path = await file('kc', kubeconfig({ token: 't' }, { 'certificate-authority-data': base64('CA') }));
    const credentials = kubeconfigCredentials(path);
    expect(credentials.server.href).toBe('https://10.0.0.1:6443/');
    expect(await credentials.authorization()).toBe('Bearer t');
    expect(String((await credentials.tls()).ca)).toBe('CA');
    expect(kubeconfigCredentials(path, 'y').server.href).toBe('https://10.0.0.2:6443/');
    expect(kubeconfigNamespace(path)).toBe('here');
    expect(kubeconfigNamespace(path, 'y')).toBeUndefined();
  });

  test('none at all is said so, and no server is made up', () => {
    expect(() => kubeconfigCredentials([])).toThrow('there is no kubeconfig');
    expect(() => kubeconfigCredentials([join(directory, 'none')])).toThrow('there is no kubeconfig');
  });

  test('several are merged as by kubectl: what the first of them says of a name counts, and files that are not there do not', async () => {
    const mine = { contexts: [{ name: 'z', context: { cluster: 'd', user: 'v' } }], users: [{ name: 'v', user: { tokenFile: 'token' } }] };
    await file('token', 'from a file beside it\n');
    const files = [
      join(directory, 'none'),
      await file('mine', JSON.stringify({ ...mine, 'current-context': 'z' })),
      await file('all', kubeconfig({ token: 't' })),
      await file('other', kubeconfig({ token: 'other' })),
      await file('empty', ''),
    ];
    const credentials = kubeconfigCredentials(files);
    expect(credentials.server.href).toBe('https://10.0.0.2:6443/');
    expect(await credentials.authorization()).toBe('Bearer from a file beside it');
    expect(await kubeconfigCredentials(files, 'x').authorization()).toBe('Bearer t');
    const bad = await file('bad', 'users: 7');
    expect(() => kubeconfigCredentials([bad])).toThrow(`cannot read the kubeconfig ${bad}`);
  });

  test('client certificates, no check of the server, passwords', async () => {
    const path = await file(
      'kc',
      kubeconfig({ 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') }, { 'insecure-skip-tls-verify': true }),
    );
    const tls = await kubeconfigCredentials(path).tls();
    expect([String(tls.cert), String(tls.key), tls.rejectUnauthorized]).toEqual(['CERT', 'KEY', false]);
    const basic = await file('basic', kubeconfig({ username: 'u', password: 'p' }));
    expect(await kubeconfigCredentials(basic).authorization()).toBe(`Basic ${base64('u:p')}`);
  });

  test('an exec plug-in, asked again after a refusal, but not for each', async () => {
    const tokens = await file('tokens', '0');
    const script = `n=$(($(cat ${tokens}) + 1)); echo $n > ${tokens}; echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$n'"}}'`;
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script] };
    const credentials = kubeconfigCredentials(await file('kc', kubeconfig({ exec })), undefined, clock);
    clock.advance(5_000);
    expect(await credentials.authorization()).toBe('Bearer t1');
    clock.advance(20_000);
    expect(await credentials.authorization()).toBe('Bearer t1');
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer t2');
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer t2');
    clock.advance(5_000);
    credentials.refresh();
    expect(await credentials.authorization()).toBe('Bearer t3');
  });

  test('an exec plug-in that fails is tried again', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: ['-c', `test -e ${directory}/ok && echo '{"status":{"token":"t"}}'`],
    };
    const credentials = kubeconfigCredentials(await file('kc', kubeconfig({ exec })), undefined, clock);
    await expect(credentials.authorization()).rejects.toMatchObject({ name: 'CredentialsError', retryable: true });
    await file('ok', '');
    expect(await credentials.authorization()).toBe('Bearer t');
  });

  test('what makes no sense is refused', async () => {
    const path = await file('kc', kubeconfig({}));
    expect(() => kubeconfigCredentials(path, 'z')).toThrow('no context z');
    expect(() => kubeconfigCredentials(join(directory, 'none'))).toThrow(CredentialsError);
    expect(() => kubeconfigCredentials(join(directory, 'none'))).toThrow('cannot read');
  });

  test('a proxy of its own beats that of the environment, which is not asked on the way to this machine', async () => {
    const overrides = { proxy: { HTTPS_PROXY: 'http://env:3128', NO_PROXY: 'a.b' } };
    const plain = await file('kc', kubeconfig({}));
    expect(kubeconfigCredentials(plain).proxy).toBeUndefined();
    expect(kubeconfigCredentials(plain, undefined, clock, overrides).proxy).toEqual(overrides.proxy);
    const own = await file('own', kubeconfig({}, { 'proxy-url': 'http://proxy:1' }));
    expect(kubeconfigCredentials(own, undefined, clock, overrides).proxy).toEqual({
      HTTPS_PROXY: 'http://proxy:1',
      HTTP_PROXY: 'http://proxy:1',
    });
    for (const server of ['https://127.0.0.1:6443', 'https://localhost', 'https://[::1]:1']) {
      const local = await file('local', kubeconfig({}, { server }));
      expect(kubeconfigCredentials(local, undefined, clock, overrides).proxy).toBeUndefined();
    }
    const wrong = await file('wrong', kubeconfig({}, { 'proxy-url': 'ftp://proxy' }));
    expect(() => kubeconfigCredentials(wrong)).toThrow(
      "the kubeconfig's proxy-url is ftp://proxy: it must be http://, https:// or socks5://",
    );
  });

  test.each([
    ['socks5://proxy', '', true],
    ['socks5h://a:b@proxy:1', 'other', true],
    ['socks5://proxy', '*', false],
    ['socks5://proxy', '10.0.0.0/8', false],
    ['socks5://proxy', '10.0.0.1:6443', false],
    ['http://proxy', '', false],
  ])('a SOCKS5 proxy of the environment: %s, NO_PROXY=%s', async (url, noProxy, dials) => {
    const path = await file('kc', kubeconfig({}));
    const { dial, proxy } = kubeconfigCredentials(path, undefined, clock, { proxy: { HTTPS_PROXY: url, NO_PROXY: noProxy } });
    expect(dial !== undefined).toBe(dials);
    expect(proxy !== undefined).toBe(url.startsWith('http:'));
  });

  describe('whom it acts as', () => {
    const all = { as: 'jane', 'as-groups': ['a', 'b'], 'as-uid': '7', 'as-user-extra': { scopes: ['view', 'edit'], team: ['x'] } };

    test.each([
      [{ as: 'jane' }, {}, { user: 'jane' }],
      [all, {}, { user: 'jane', groups: ['a', 'b'], uid: '7', extra: { scopes: ['view', 'edit'], team: ['x'] } }],
      // As kubectl does: each of what is said stands in place of the same in the kubeconfig.
      [all, { user: 'joe' }, { user: 'joe', groups: ['a', 'b'], uid: '7', extra: { scopes: ['view', 'edit'], team: ['x'] } }],
      [
        all,
        { groups: ['g'], uid: '8', extra: { team: ['y'] } },
        { user: 'jane', groups: ['g'], uid: '8', extra: { scopes: ['view', 'edit'], team: ['y'] } },
      ],
      [{}, { user: 'joe', groups: ['g'] }, { user: 'joe', groups: ['g'] }],
      [{}, {}, undefined],
    ])('%j, told %j', async (user, said, expected) => {
      const path = await file('kc', kubeconfig({ token: 't', ...user }));
      expect(kubeconfigCredentials(path, undefined, clock, { impersonate: said }).impersonate).toEqual(expected);
    });

    test('groups without a user are refused', async () => {
      const path = await file('kc', kubeconfig({ token: 't', 'as-groups': ['a'] }));
      expect(() => kubeconfigCredentials(path)).toThrow('need the user: --as USER');
      expect(kubeconfigCredentials(path, undefined, clock, { impersonate: { user: 'joe' } }).impersonate).toEqual({
        user: 'joe',
        groups: ['a'],
      });
      const wrong = await file('wrong', kubeconfig({ as: 7 }));
      expect(() => kubeconfigCredentials(wrong)).toThrow('user u of the kubeconfig makes no sense');
    });
  });
});
