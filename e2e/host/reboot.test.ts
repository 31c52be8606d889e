import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { SimulatedHost } from './host.ts';
import { arch, booted, immediately, startHost, stopHosts, variant } from './test-host.ts';

afterEach(stopHosts);

/** A host that will boot 1.26.1 next. */
async function readyHost(options: Parameters<typeof startHost>[0] = {}) {
  const made = await startHost(options);
  for (const action of ['refresh-updates', 'prepare-update', 'activate-update']) await made.act(action);
  return made;
}

describe('a reboot', () => {
  test('is 204; the socket goes, and comes back with another boot ID and version', async () => {
    const { host, ask, act, socketPath } = await readyHost();
    const before = host.bootID;
    let pathWhileDown: boolean | undefined;
    host.once('rebooting', () => {
      pathWhileDown = existsSync(socketPath);
    });
    const back = booted(host);
    expect(await act('reboot')).toMatchObject({ status: 204, text: '' });
    expect(await back).toEqual({ bootID: host.bootID, version: '1.26.1' });
    expect(pathWhileDown).toBe(false);
    expect(host.bootID).not.toBe(before);
    expect(host.rebootCount).toBe(1);
    expect(JSON.parse((await ask('GET', '/os')).text)).toEqual({
      arch,
      build_id: expect.stringMatching(/^[0-9a-f]{8}$/),
      pretty_name: 'Bottlerocket OS 1.26.1 (aws-k8s-1.31)',
      variant_id: variant,
      version_id: '1.26.1',
    });
  });

  test('loses the update status', async () => {
    const { host, ask, act, status } = await readyHost();
    await host.reboot();
    expect(await ask('GET', '/updates/status')).toMatchObject({ status: 404 });
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Idle', active_partition: { image: { version: '1.26.1' }, next_to_boot: true } });
  });

  test('by another hand does the same, and loses what was under way', async () => {
    const { host, act } = await startHost();
    await act('refresh-updates');
    host.timings.prepareMs = 60_000;
    await act('prepare-update');
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
    expect(host.partitions.inactive.image).toBeUndefined();
    expect((await act('refresh-updates')).status).toBe(204);
  });

  test('leaves the old version in place for an upgrade that was deactivated', async () => {
    const { host, act } = await readyHost();
    await act('deactivate-update');
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
  });

  test('keeps the boot ID file equal to the boot ID', async () => {
    const { folder } = await startHost();
    const bootIDFile = join(folder, 'boot_id');
    const { host } = await startHost({ bootIDFile });
    expect(readFileSync(bootIDFile, 'utf8')).toBe(`${host.bootID}\n`);
    let readAtBoot = '';
    host.once('booted', () => {
      readAtBoot = readFileSync(bootIDFile, 'utf8');
    });
    await host.reboot();
    expect(readAtBoot).toBe(`${host.bootID}\n`);
  });

  test('a pinned downgrade brings the previous version back', async () => {
    const { host, act, set } = await readyHost();
    await host.reboot();
    await set({ 'version-lock': '1.26.0', 'ignore-waves': true });
    for (const action of ['refresh-updates', 'prepare-update', 'activate-update']) await act(action);
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
  });
});

test('nothing goes on in a host without power', async () => {
  const { host, act, set } = await startHost();
  await act('refresh-updates');
  jest.useFakeTimers({ doNotFake: ['Date', 'nextTick', 'queueMicrotask', 'setImmediate', 'setInterval', 'hrtime', 'performance'] });
  try {
    host.timings.prepareMs = 50;
    host.timings.renderMs = 50;
    await set({ 'version-lock': '1.25.0' });
    await act('prepare-update');
    expect(jest.getTimerCount()).toBe(2);
    await host.powerOff();
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

describe('the one worker thread', () => {
  test('every other request waits while the reboot command runs', async () => {
    const { host, ask, act } = await startHost();
    host.faults.arm('rebootHangs');
    host.faults.arm('rebootFails');
    const answered: string[] = [];
    host.on('request', ({ path }) => answered.push(path));
    const asked = new Promise<void>((resolve) => {
      const poll = () => (host.requests.some(({ path }) => path === '/actions/reboot') ? resolve() : setImmediate(poll));
      poll();
    });
    const reboot = act('reboot');
    await asked;
    const os = ask('GET', '/os');
    while (host.requests.length < 2) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    await host.release();
    expect(await reboot).toMatchObject({ status: 500, text: expect.stringMatching(/^Failed to reboot, exit code: 1, stderr: /) });
    expect((await os).status).toBe(200);
  });
});

describe('the faults of a reboot', () => {
  test('the new image does not boot: the old version is back, and latest offers the bad one again', async () => {
    const { host, act, status } = await readyHost();
    host.faults.arm('bootFails');
    const before = host.bootID;
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
    expect(host.bootID).not.toBe(before);
    expect(host.partitions.inactive).toMatchObject({ image: { version: '1.26.1' }, triesLeft: 0 });
    await host.reboot();
    expect(host.os.version).toBe('1.26.0');
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Available', chosen_update: { version: '1.26.1' } });
    await act('prepare-update');
    await act('activate-update');
    await host.reboot();
    expect(host.os.version).toBe('1.26.1');
  });

  test('bootFails waits for a new image', async () => {
    const { host } = await startHost();
    host.faults.arm('bootFails');
    await host.reboot();
    expect(host.faults.remaining('bootFails')).toBe(1);
  });

  test('a host that never returns, until release()', async () => {
    const { host, ask } = await readyHost();
    host.faults.arm('neverReturns');
    await host.reboot();
    expect(host.running).toBe(false);
    await expect(ask('GET', '/os')).rejects.toMatchObject({ code: 'ENOENT' });
    await host.release();
    expect((await ask('GET', '/os')).status).toBe(200);
    expect(host.os.version).toBe('1.26.1');
  });

  test('power off and on', async () => {
    const { host, ask } = await readyHost();
    let down = 0;
    host.on('rebooting', () => {
      down += 1;
    });
    await host.powerOff();
    await expect(ask('GET', '/os')).rejects.toMatchObject({ code: 'ENOENT' });
    await host.powerOn();
    expect(down).toBe(1);
    expect(JSON.parse((await ask('GET', '/os')).text).version_id).toBe('1.26.1');
  });

  test('a slow boot takes its own time', async () => {
    const { host } = await startHost({ timings: { slowBootMs: 60_000 } });
    host.faults.arm('slowBoot');
    const rebooting = host.reboot();
    expect(host.running).toBe(false);
    await host.powerOff();
    await rebooting;
    await host.powerOn();
    expect(host.running).toBe(true);
  });

  test('a second change of the boot ID', async () => {
    const { host } = await startHost();
    host.faults.arm('secondReboot');
    const seen: string[] = [];
    host.on('booted', ({ bootID }) => seen.push(bootID));
    await host.reboot();
    while (seen.length < 2) await booted(host);
    expect(new Set(seen).size).toBe(2);
    expect(host.rebootCount).toBe(2);
  });

  test.each([
    ['rebootFails', 500, false],
    ['shutdownMissing', 500, false],
    ['rebootIgnored', 204, false],
    ['rebootFailsButReboots', 500, true],
  ] as const)('%s: %d', async (fault, status, reboots) => {
    const { host, act } = await startHost();
    host.faults.arm(fault);
    const back = booted(host);
    expect(await act('reboot')).toMatchObject({
      status,
      text: status === 204 ? '' : expect.stringMatching(/^(Failed to reboot, exit code: \d+, stderr: |Unable to start shutdown: )/),
    });
    if (reboots) await back;
    expect(host.rebootCount).toBe(reboots ? 1 : 0);
  });

  test('the connection just ends, and the host reboots', async () => {
    const { host, act } = await startHost();
    host.faults.arm('rebootDropsConnection');
    const back = booted(host);
    await expect(act('reboot')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await back;
  });

  test('a socket that died leaves its inode, which refuses connections', async () => {
    const { host, ask, socketPath } = await startHost();
    await host.killSocket();
    expect(existsSync(socketPath)).toBe(true);
    await expect(ask('GET', '/os')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await host.reviveSocket();
    expect((await ask('GET', '/os')).status).toBe(200);
    await host.killSocket();
    await host.stop();
    expect(existsSync(socketPath)).toBe(false);
  });

  test('a socket that was closed properly is gone', async () => {
    const { host, ask } = await startHost();
    await host.removeSocket();
    await expect(ask('GET', '/os')).rejects.toMatchObject({ code: 'ENOENT' });
    await host.reboot();
    expect((await ask('GET', '/os')).status).toBe(200);
  });
});

test('a host takes over the path that another left behind', async () => {
  const { host, socketPath, ask } = await startHost();
  await host.killSocket();
  const next = new SimulatedHost({
    socketPath,
    os: { version: '1.25.0', variant, arch },
    repository: { releases: [] },
    timings: immediately,
  });
  await next.start();
  expect(JSON.parse((await ask('GET', '/os')).text).version_id).toBe('1.25.0');
  await next.stop();
});
