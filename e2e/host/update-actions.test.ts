import { afterEach, describe, expect, test } from '@jest/globals';
import { release, startHost, stopHosts, variant } from './test-host.ts';

afterEach(stopHosts);

const image = (version: string) => ({ arch: 'x86_64', version, variant });
const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z$/);

/** Brings a host into a state by its own actions. */
const ways = { Idle: [], Available: ['refresh-updates'], Staged: ['refresh-updates', 'prepare-update'] };
const steps: Record<string, string[]> = { ...ways, Ready: [...ways.Staged, 'activate-update'] };

async function hostIn(state: string) {
  const made = await startHost();
  for (const action of steps[state] ?? []) await made.act(action);
  return made;
}

describe('the calls', () => {
  test('status is 404 until the first action, a refused one included', async () => {
    const { ask, act, status } = await startHost();
    expect(await ask('GET', '/updates/status')).toMatchObject({
      status: 404,
      text: 'Update status is uninitialized, refresh-updates to initialize it',
    });
    expect(await act('prepare-update')).toMatchObject({ status: 409, text: 'Update action not allowed according to update state' });
    expect(await status()).toEqual({
      update_state: 'Idle',
      available_updates: [],
      chosen_update: null,
      active_partition: { image: image('1.26.0'), next_to_boot: true },
      staging_partition: null,
      most_recent_command: null,
    });
  });

  test('a staged update shows as the API documents it', async () => {
    const { act, status } = await startHost();
    expect(await act('refresh-updates')).toMatchObject({ status: 204, text: '' });
    expect(await act('prepare-update')).toMatchObject({ status: 204, text: '' });
    expect(await status()).toEqual({
      update_state: 'Staged',
      available_updates: ['1.26.1', '1.26.0', '1.25.0'],
      chosen_update: image('1.26.1'),
      active_partition: { image: image('1.26.0'), next_to_boot: true },
      staging_partition: { image: image('1.26.1'), next_to_boot: false },
      most_recent_command: {
        cmd_type: 'prepare',
        cmd_status: 'Success',
        timestamp,
        exit_status: 0,
        stderr: 'Starting update to 1.26.1\n',
      },
    });
  });

  test.each([
    ['Available', 'refresh', 'refreshHangs'],
    ['Available', 'prepare', 'prepareHangs'],
  ] as const)('in %s, while %s works every update call is 423', async (state, command, fault) => {
    const { host, ask, act, status } = await hostIn(state);
    const before = (await status()).most_recent_command.timestamp;
    host.faults.arm(fault);
    await act(command === 'refresh' ? 'refresh-updates' : 'prepare-update');
    expect(await ask('GET', '/updates/status')).toMatchObject({
      status: 423,
      text: 'Unable to obtain shared lock for reading update status: Resource temporarily unavailable (os error 11)',
    });
    // Wins over the 409 that the state would give.
    expect(await act('deactivate-update')).toMatchObject({ status: 423, text: 'Update lock held' });
    expect(await ask('GET', '/os')).toMatchObject({ status: 200 });
    await host.release();
    const { most_recent_command } = await status();
    expect(most_recent_command).toMatchObject({ cmd_type: command, cmd_status: 'Success' });
    expect(most_recent_command.timestamp).not.toBe(before);
  });

  test('the first answer other than 423 is final, with real delays too', async () => {
    const { ask, act } = await startHost({ timings: { refreshMs: [1, 10] } });
    await act('refresh-updates');
    let reply = await ask('GET', '/updates/status');
    while (reply.status === 423) reply = await ask('GET', '/updates/status');
    expect(JSON.parse(reply.text)).toMatchObject({ update_state: 'Available', most_recent_command: { cmd_status: 'Success' } });
  });

  test('prepare is 404 where the chosen update is gone', async () => {
    const { act, repository } = await hostIn('Staged');
    repository.releases.splice(0);
    await act('refresh-updates');
    expect(await act('prepare-update')).toMatchObject({ status: 404, text: 'Previously chosen Update no longer exists' });
  });

  test.each([
    ['dispatcherFails', 'Update dispatcher failed'],
    ['dispatcherMissing', 'Unable to start the update dispatcher: No such file or directory (os error 2) '],
  ] as const)('%s answers 500 once', async (fault, text) => {
    const { host, act } = await startHost();
    host.faults.arm(fault);
    expect(await act('refresh-updates')).toMatchObject({ status: 500, text });
    expect(await act('refresh-updates')).toMatchObject({ status: 204 });
  });

  test('a corrupt status file fails every update call until a reboot', async () => {
    const { host, ask, act } = await hostIn('Available');
    host.faults.arm('statusCorrupt');
    for (const reply of [await ask('GET', '/updates/status'), await act('refresh-updates'), await act('prepare-update')]) {
      expect(reply).toMatchObject({ status: 500, text: 'Update dispatcher failed' });
    }
    await host.reboot();
    expect(await act('refresh-updates')).toMatchObject({ status: 204 });
  });
});

describe('the state table', () => {
  test.each([
    ['Idle', 'refresh', 'Available'],
    ['Idle', 'prepare', 409],
    ['Idle', 'activate', 409],
    ['Idle', 'deactivate', 409],
    ['Available', 'refresh', 'Available'],
    ['Available', 'prepare', 'Staged'],
    ['Available', 'activate', 409],
    ['Available', 'deactivate', 409],
    ['Staged', 'refresh', 'Staged'],
    ['Staged', 'prepare', 'Staged'],
    ['Staged', 'activate', 'Ready'],
    ['Staged', 'deactivate', 409],
    ['Ready', 'refresh', 'Ready'],
    ['Ready', 'prepare', 409],
    ['Ready', 'activate', 409],
    ['Ready', 'deactivate', 'Staged'],
  ])('%s, %s: %s', async (state, command, expected) => {
    const { act, status } = await hostIn(state);
    const reply = await act(command === 'refresh' ? 'refresh-updates' : `${command}-update`);
    if (expected === 409) {
      expect(reply).toMatchObject({ status: 409, text: 'Update action not allowed according to update state' });
      expect((await status()).update_state).toBe(state);
    } else {
      expect(reply.status).toBe(204);
      expect(await status()).toMatchObject({ update_state: expected, most_recent_command: { cmd_type: command, cmd_status: 'Success' } });
    }
  });

  test('a refresh that finds nothing goes back to Idle', async () => {
    const { act, status, repository } = await hostIn('Available');
    repository.releases.pop();
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Idle', chosen_update: null, available_updates: ['1.26.0', '1.25.0'] });
  });

  test('activation moves next_to_boot, deactivation moves it back', async () => {
    const { act, status } = await hostIn('Ready');
    expect(await status()).toMatchObject({ active_partition: { next_to_boot: false }, staging_partition: { next_to_boot: true } });
    await act('deactivate-update');
    expect(await status()).toMatchObject({ active_partition: { next_to_boot: true }, staging_partition: { next_to_boot: false } });
  });
});

describe('the traps of the actions', () => {
  test('a failed refresh is Idle, with stale lists and a stale chosen_update', async () => {
    const { host, act, status, repository } = await hostIn('Available');
    repository.releases.push(release('1.27.0'));
    host.faults.arm('refreshFails');
    await act('refresh-updates');
    expect(await status()).toMatchObject({
      update_state: 'Idle',
      available_updates: ['1.26.1', '1.26.0', '1.25.0'],
      chosen_update: image('1.26.1'),
      most_recent_command: {
        cmd_type: 'refresh',
        cmd_status: 'Failed',
        exit_status: 1,
        stderr: expect.stringContaining('Failed to fetch'),
      },
    });
  });

  test('a refresh can be a Success that changes nothing', async () => {
    const { host, act, status } = await startHost();
    host.faults.arm('refreshUnreadable');
    await act('refresh-updates');
    expect(await status()).toMatchObject({ update_state: 'Idle', available_updates: [], most_recent_command: { cmd_status: 'Success' } });
  });

  test('from Staged a refresh rewrites chosen_update only', async () => {
    const { act, status, repository } = await hostIn('Staged');
    repository.releases.push(release('1.27.0'));
    await act('refresh-updates');
    expect(await status()).toMatchObject({
      update_state: 'Staged',
      chosen_update: image('1.27.0'),
      staging_partition: { image: image('1.26.1') },
      most_recent_command: { cmd_type: 'refresh', stderr: '' },
    });
  });

  test('staging_partition shows what was chosen, not what was written', async () => {
    const { act, host, set, status, repository } = await startHost();
    repository.releases.push(release('1.27.0'));
    await act('refresh-updates');
    await set({ 'version-lock': '1.26.1' });
    await act('prepare-update');
    expect(await status()).toMatchObject({
      staging_partition: { image: image('1.27.0') },
      most_recent_command: { cmd_status: 'Success', stderr: 'Starting update to 1.26.1\n' },
    });
    expect(host.partitions.inactive.image).toEqual(image('1.26.1'));
  });

  test('no update required is a Success that becomes Staged; activating it boots what lies there', async () => {
    const { act, host, set, status } = await hostIn('Staged');
    await host.reboot();
    await act('refresh-updates');
    await set({ 'version-lock': '1.26.0' });
    await act('prepare-update');
    expect(await status()).toMatchObject({
      update_state: 'Staged',
      most_recent_command: { exit_status: 0, stderr: 'No update required\n' },
    });
    await act('activate-update');
    expect((await status()).update_state).toBe('Ready');
    await host.reboot();
    expect(host.os.version).toBe('1.26.1');
  });

  test('a prepare that fails in the image clears the inactive partitions and stays Staged; activating it fails', async () => {
    const { host, act, status } = await hostIn('Staged');
    host.faults.arm('prepareFails');
    await act('prepare-update');
    expect(await status()).toMatchObject({
      update_state: 'Staged',
      staging_partition: { image: image('1.26.1') },
      most_recent_command: { cmd_status: 'Failed', stderr: expect.stringContaining('Starting update to 1.26.1\n') },
    });
    expect(host.partitions.inactive.image).toBeUndefined();
    expect((await act('activate-update')).status).toBe(204);
    expect(await status()).toMatchObject({
      update_state: 'Staged',
      most_recent_command: {
        cmd_type: 'activate',
        cmd_status: 'Failed',
        stderr: expect.stringContaining('has not been marked valid for upgrade'),
      },
    });
  });

  test('a prepare that fails before the image leaves the old one bootable', async () => {
    const { host, act, status } = await hostIn('Staged');
    host.faults.arm('noMigrations');
    await act('prepare-update');
    expect(await status()).toMatchObject({
      most_recent_command: {
        cmd_status: 'Failed',
        stderr: 'Starting update to 1.26.1\nReached end of migration chain at 1.26.0 but target is 1.26.1\n',
      },
    });
    expect(host.partitions.inactive.image).toEqual(image('1.26.1'));
  });

  test("a release's own migrations count too", async () => {
    const { act, status } = await startHost({ version: '1.24.0', releases: [release('1.26.0', { migrationsFrom: ['1.25.0'] })] });
    await act('refresh-updates');
    await act('prepare-update');
    expect(await status()).toMatchObject({
      update_state: 'Available',
      most_recent_command: { stderr: expect.stringContaining('Reached end of migration chain at 1.24.0 but target is 1.26.0') },
    });
  });

  test('a single-bank image fails at prepare; on an old version already at refresh', async () => {
    const { host, act, status } = await hostIn('Available');
    host.faults.arm('singleBank');
    await act('prepare-update');
    expect((await status()).most_recent_command.stderr).toContain('Could not find inactive partition set');

    const old = await startHost({ version: '1.20.5' });
    old.host.faults.arm('singleBank');
    expect(await old.act('refresh-updates')).toMatchObject({ status: 500, text: 'Update dispatcher failed' });
  });

  test('a command that is killed is Failed, with the number of the signal', async () => {
    const { host, act, status } = await hostIn('Available');
    host.faults.arm('commandKilled');
    await act('prepare-update');
    expect(await status()).toMatchObject({
      update_state: 'Available',
      most_recent_command: { cmd_status: 'Failed', exit_status: 9, stderr: 'Starting update to 1.26.1\n' },
    });
  });

  test('a dispatcher that dies opens the lock and leaves the status; its updater goes on writing', async () => {
    const { host, ask, act, status } = await hostIn('Available');
    const before = await status();
    host.timings.prepareMs = 5;
    host.faults.arm('dispatcherKilled');
    await act('prepare-update');
    let reply = await ask('GET', '/updates/status');
    while (reply.status === 423) reply = await ask('GET', '/updates/status');
    expect(JSON.parse(reply.text)).toEqual(before);
    while (host.partitions.inactive.image === undefined) await ask('GET', '/os');
    expect(host.partitions.inactive.image).toEqual(image('1.26.1'));
  });

  test.each([
    ['Staged', 'activateFails', 'activate'],
    ['Ready', 'deactivateFails', 'deactivate'],
  ] as const)('from %s, %s', async (state, fault, command) => {
    const { host, act, status } = await hostIn(state);
    host.faults.arm(fault);
    expect((await act(`${command}-update`)).status).toBe(204);
    expect(await status()).toMatchObject({ update_state: state, most_recent_command: { cmd_type: command, cmd_status: 'Failed' } });
    await act(`${command}-update`);
    expect((await status()).update_state).not.toBe(state);
  });
});
