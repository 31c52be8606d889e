import { afterEach, describe, expect, test } from '@jest/globals';
import { defaultWaves } from './repository.ts';
import { release, startHost, stopHosts } from './test-host.ts';

afterEach(stopHosts);

const hour = 3_600_000;

describe('GET /settings', () => {
  test('shows the updates by prefix', async () => {
    const { ask } = await startHost({ seed: 7 });
    const { status, text, headers } = await ask('GET', '/settings?prefix=updates');
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
    expect(JSON.parse(text)).toEqual({
      updates: {
        'ignore-waves': false,
        'metadata-base-url': expect.stringContaining('https://'),
        seed: 7,
        'targets-base-url': expect.stringContaining('https://'),
        'version-lock': 'latest',
      },
    });
    expect((await ask('GET', '/settings?prefix=settings.updates')).text).toBe(text);
  });

  test('shows what the host knows of its cluster', async () => {
    const kubernetes = { 'api-server': 'https://example:443', 'node-labels': { 'example.com/pool': 'blue' } };
    const { ask, host } = await startHost({ kubernetesSettings: kubernetes });
    expect(JSON.parse((await ask('GET', '/settings?prefix=kubernetes')).text)).toEqual({ kubernetes });
    expect(host.settings.kubernetes).toEqual(kubernetes);
  });

  test.each([
    ['/settings?prefix=nothing', 200, '{}'],
    ['/settings?prefix=', 400, "Input 'prefix' cannot be empty"],
  ])('%s: %d', async (path, status, text) => {
    const { ask } = await startHost();
    expect(await ask('GET', path)).toMatchObject({ status, text });
  });

  test('on an empty datastore the prefix makes the difference', async () => {
    const { ask } = await startHost({ initialSettings: {} });
    expect(await ask('GET', '/settings?prefix=updates')).toMatchObject({ status: 200, text: '{}' });
    expect(await ask('GET', '/settings')).toMatchObject({ status: 404, text: "Found no 'settings' in datastore" });
  });
});

describe('PATCH /settings', () => {
  test.each([
    ['latest', 204],
    ['1.2.3', 204],
    ['v1.2.3', 204],
    ['1.2.3-rc.1+b', 204],
    ['1.2', 400],
    ['', 400],
    [' 1.2.3', 400],
    ['1.2.3 ', 400],
    ['01.2.3', 400],
  ])('a version lock of "%s": %d', async (lock, status) => {
    const { ask } = await startHost();
    expect((await ask('PATCH', '/settings?tx=a', { updates: { 'version-lock': lock } })).status).toBe(status);
  });

  test.each([
    ['no JSON', 'no json at all'],
    ['nothing', ''],
    ['an unknown group', { nothing: {} }],
    ['an unknown field', { updates: { pin: '1.2.3' } }],
    ['a field in snake_case', { updates: { version_lock: '1.2.3' } }],
    ['a number for a bool', { updates: { 'ignore-waves': 1 } }],
    ['a seed that is no u32', { updates: { seed: -1 } }],
  ])('refuses %s', async (_, body) => {
    const { ask } = await startHost();
    expect(await ask('PATCH', '/settings?tx=a', body)).toMatchObject({
      status: 400,
      text: expect.stringMatching(/^Json deserialize error: /),
    });
  });

  test('null and {} are 204 and do nothing: a setting cannot be unset', async () => {
    const { ask, host } = await startHost();
    for (const body of [{}, { updates: {} }, { updates: null }, { updates: { 'version-lock': null, 'ignore-waves': null } }]) {
      expect(await ask('PATCH', '/settings?tx=a', body)).toMatchObject({ status: 204, text: '' });
    }
    expect(await ask('POST', '/tx/commit_and_apply?tx=a')).toMatchObject({ status: 422, text: 'Tried to commit with no pending changes' });
    expect(host.settings.updates).toMatchObject({ 'version-lock': 'latest', 'ignore-waves': false });
  });
});

describe('transactions', () => {
  test('a commit takes what was in the transaction from before, and nothing of another', async () => {
    const { ask, host } = await startHost({ seed: 1 });
    await ask('PATCH', '/settings?tx=ours', { updates: { seed: 99 } });
    await ask('PATCH', '/settings?tx=theirs', { updates: { 'ignore-waves': true } });
    await ask('PATCH', '/settings?tx=ours', { updates: { 'version-lock': '1.26.1' } });
    expect(host.settings.updates).toMatchObject({ seed: 1, 'version-lock': 'latest' });
    const { status, text } = await ask('POST', '/tx/commit_and_apply?tx=ours');
    expect([status, JSON.parse(text).toSorted()]).toEqual([200, ['settings.updates.seed', 'settings.updates.version-lock']]);
    expect(host.settings.updates).toMatchObject({ seed: 99, 'version-lock': '1.26.1', 'ignore-waves': false });
    expect((await ask('POST', '/tx/commit_and_apply?tx=ours')).status).toBe(422);
  });

  test('unchanged keys are committed too, in random order', async () => {
    const { set } = await startHost({ seed: 1 });
    const orders = new Set<string>();
    for (let commits = 0; commits < 60 && orders.size < 2; commits += 1) {
      orders.add((await set({ 'version-lock': 'latest', seed: 1 })).text);
    }
    expect([...orders].toSorted()).toEqual([
      '["settings.updates.seed","settings.updates.version-lock"]',
      '["settings.updates.version-lock","settings.updates.seed"]',
    ]);
  });

  test('DELETE /tx forgets, and answers the keys', async () => {
    const { ask } = await startHost();
    await ask('PATCH', '/settings?tx=a', { updates: { seed: 3 } });
    expect(JSON.parse((await ask('GET', '/tx?tx=a')).text)).toEqual({ updates: { seed: 3 } });
    expect(JSON.parse((await ask('GET', '/tx/list')).text)).toEqual(['a']);
    expect(await ask('DELETE', '/tx?tx=a')).toMatchObject({ status: 200, text: '["settings.updates.seed"]' });
    expect(await ask('DELETE', '/tx?tx=a')).toMatchObject({ status: 200, text: '[]' });
    expect((await ask('POST', '/tx/commit_and_apply?tx=a')).status).toBe(422);
  });

  test('a reboot forgets transactions and keeps settings', async () => {
    const { ask, host, set } = await startHost();
    await set({ 'version-lock': '1.26.1' });
    await ask('PATCH', '/settings?tx=a', { updates: { seed: 3 } });
    await host.reboot();
    expect(await ask('GET', '/tx?tx=a')).toMatchObject({ status: 200, text: '{}' });
    expect(host.settings.updates).toMatchObject({ 'version-lock': '1.26.1' });
  });

  test('a config applier that cannot start is a 500 after the commit', async () => {
    const { host, act, set, status } = await startHost();
    host.faults.arm('configApplierFails');
    expect(await set({ 'version-lock': '1.25.0' })).toMatchObject({
      status: 500,
      text: 'Unable to start config applier: No such file or directory (os error 2) ',
    });
    expect(host.settings.updates).toMatchObject({ 'version-lock': '1.25.0' });
    await act('refresh-updates');
    expect((await status()).chosen_update.version).toBe('1.26.1');
    expect((await set({ 'version-lock': '1.25.0' })).status).toBe(200);
    await act('refresh-updates');
    expect((await status()).chosen_update.version).toBe('1.25.0');
  });

  test('stray bytes follow the 204 of /tx/apply', async () => {
    const { ask } = await startHost();
    expect((await ask('POST', '/tx/apply')).status).toBe(204);
  });
});

describe('what the updater makes of the settings', () => {
  test('a refresh after the commit and before the rendering still uses the old lock', async () => {
    const { host, act, set, status } = await startHost({ timings: { renderMs: 60_000 } });
    expect((await set({ 'version-lock': '1.25.0' })).status).toBe(200);
    await act('refresh-updates');
    expect((await status()).chosen_update.version).toBe('1.26.1');
    host.timings.renderMs = [1, 5];
    await set({ 'version-lock': '1.25.0' });
    while ((await status()).chosen_update.version !== '1.25.0') await act('refresh-updates');
  });

  test('a rendering that fails looks like a slow one, until the next commit', async () => {
    const { host, act, set, status } = await startHost();
    host.faults.arm('renderFails');
    expect((await set({ 'version-lock': '1.25.0' })).status).toBe(200);
    await act('refresh-updates');
    expect((await status()).chosen_update.version).toBe('1.26.1');
    await set({ 'version-lock': '1.25.0' });
    await act('refresh-updates');
    expect((await status()).chosen_update.version).toBe('1.25.0');
  });

  test('changing the lock invalidates nothing', async () => {
    const { act, set, status } = await startHost();
    await act('refresh-updates');
    const before = await status();
    await set({ 'version-lock': '1.25.0' });
    expect(await status()).toEqual(before);
  });

  test.each([
    ['the pin of an older version', 'v1.25.0', 'Available', '1.25.0'],
    ['the pin of the current version', '1.26.0', 'Idle', undefined],
    ['the pin of an unknown version', '1.99.0', 'Idle', undefined],
  ])('%s', async (_, lock, state, version) => {
    const { act, set, status } = await startHost();
    await set({ 'version-lock': lock });
    await act('refresh-updates');
    const { update_state, chosen_update, most_recent_command } = await status();
    expect([update_state, chosen_update?.version, most_recent_command.cmd_status]).toEqual([state, version, 'Success']);
  });

  test('a pin does not open waves; ignore-waves does, and so does the time', async () => {
    let now = new Date('2026-01-01T00:00:00Z');
    const { act, set, status } = await startHost({
      seed: 1_500,
      now: () => now,
      releases: [release('1.26.1', { waves: defaultWaves(now) })],
    });
    const found = async () => {
      await act('refresh-updates');
      const { available_updates, update_state } = await status();
      return [update_state, available_updates];
    };
    await set({ 'version-lock': '1.26.1' });
    expect(await found()).toEqual(['Idle', []]);
    await set({ 'ignore-waves': true });
    expect(await found()).toEqual(['Available', ['1.26.1']]);
    await set({ 'ignore-waves': false });
    expect(await found()).toEqual(['Idle', []]);
    now = new Date(now.getTime() + 6 * 24 * hour);
    expect(await found()).toEqual(['Available', ['1.26.1']]);
  });

  test('a seed above 2048 crashes the updater where there are waves to look at', async () => {
    const { act, set, status } = await startHost({ seed: 4_000, releases: [release('1.26.1', { waves: defaultWaves(new Date(0)) })] });
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Idle', most_recent_command: { cmd_status: 'Failed', exit_status: 101 } });
    await set({ seed: 2_048 });
    await act('refresh-updates');
    expect((await status()).update_state).toBe('Available');
  });

  test('without settings the updater has no configuration', async () => {
    const { act, status } = await startHost({ initialSettings: {} });
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Idle', most_recent_command: { cmd_status: 'Failed' } });
  });
});
