import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AgentBed, type BedOptions, release, unopened } from './testing/agent-bed.ts';

// Waits are for conditions; this only bounds them on a busy machine.
jest.setTimeout(60_000);

let bed: AgentBed;
const startBed = async (options?: BedOptions): Promise<AgentBed> => {
  bed = await new AgentBed(options).start();
  return bed;
};
afterEach(() => bed.stop());

const stage = { id: 's1', action: 'Stage', version: '1.26.1' };
const reboot = (id = 'r1', version = '1.26.1') => ({ id, action: 'Reboot', version, bootID: bed.bootID });
const failure = (code: string, words?: string) => ({
  state: 'Failed',
  error: { code, ...(words === undefined ? {} : { message: expect.stringContaining(words) }) },
});
const settings = () => bed.host.settings.updates;
const untouched = { 'version-lock': 'latest', 'ignore-waves': false };
/** Older versions first, so that a plain refresh does not choose the one in the middle. */
const threeReleases = ['1.26.0', '1.26.1', '1.27.0'].map((version) => release(version));

describe('trap 1: a refresh that fails, or succeeds and says nothing', () => {
  test('a failed refresh fails the order although a stale list has the target', async () => {
    await startBed({ refreshInterval: '1s' });
    bed.startAgent();
    await bed.until(() => bed.status.available !== undefined, 'a list');
    bed.host.faults.arm('refreshFails', Number.POSITIVE_INFINITY);
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('RefreshFailed', 'Connection refused'));
    expect(bed.asked('POST /actions/prepare-update')).toBe(0);
  });

  test('a refresh that fails does not take back what was available', async () => {
    await startBed({ refreshInterval: '1s' });
    bed.startAgent();
    await bed.until(() => bed.status.available !== undefined, 'a list');
    bed.host.faults.arm('refreshFails', Number.POSITIVE_INFINITY);
    await bed.until(() => bed.status.refreshError !== undefined, 'the error');
    expect(bed.status.available).toEqual(['1.26.1', '1.26.0', '1.25.0']);
  });

  test('a success that changed nothing is no news that the target is gone', async () => {
    await startBed({ releases: threeReleases });
    bed.host.faults.arm('refreshUnreadable');
    bed.startAgent();
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('NotOffered'));
    await bed.carryOut({ ...stage, id: 's2' });
  });
});

describe('trap 2: only prepare itself proves what is staged', () => {
  test('another client that stages something else takes the proof away', async () => {
    await startBed({ releases: threeReleases });
    const agent = bed.startAgent();
    await bed.carryOut(stage);
    await agent.stop();
    // The settings that the agent has put back are rendered some time later.
    while (bed.host.partitions.inactive.image?.version !== '1.27.0') {
      await bed.byHand('POST', '/actions/refresh-updates');
      await bed.byHand('POST', '/actions/prepare-update');
    }
    bed.startAgent();
    await bed.carryOut(reboot(), 'Failed');
    expect(bed.status.answer).toMatchObject(failure('ProofLost'));
    expect(bed.status.staged?.version).not.toBe('1.26.1');
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });

  test('what the status calls staged is not believed: the version is staged again', async () => {
    await startBed({ releases: threeReleases });
    bed.startAgent();
    await bed.carryOut({ ...stage, version: '1.27.0' });
    await bed.carryOut({ ...stage, id: 's2' });
    expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
    expect(bed.status.staged?.version).toBe('1.26.1');
  });

  test('from Ready, activated by somebody else, it deactivates and loses the proof', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    await bed.byHand('POST', '/actions/activate-update');
    await bed.carryOut(reboot(), 'Failed');
    expect(bed.status.answer).toMatchObject(failure('ProofLost'));
    expect(bed.host.updateStatus?.update_state).toBe('Staged');
    await bed.carryOut({ ...stage, id: 's2' });
    await bed.carryOut(reboot('r2'));
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('the proof holds across restarts of the agent', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.carryOut(stage);
    await first.stop();
    bed.startAgent();
    await bed.carryOut({ ...stage, id: 's2' });
    expect(bed.asked('POST /actions/prepare-update')).toBe(1);
    await bed.carryOut(reboot());
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('a prepare that dies leaves no proof of what was staged before', async () => {
    await startBed({ releases: threeReleases });
    bed.startAgent();
    await bed.carryOut({ ...stage, version: '1.27.0' });
    bed.killNext('POST', '/actions/prepare-update');
    await bed.carryOut({ ...stage, id: 's2' }, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('PrepareFailed'));
    expect(bed.status.staged).toBeUndefined();
    expect(settings()).toMatchObject(untouched);
  });
});

describe('trap 3: settings are rendered after the commit', () => {
  test.each([
    ['what chooses', 0.1],
    ['what writes', 0.9],
  ])('a pinned version is staged although the first refresh follows the old settings: %s reads the new ones first', async (_, random) => {
    await startBed({ releases: threeReleases, host: { random: () => random } });
    // Longer than a busy machine takes from a commit to the refresh that follows it.
    bed.host.timings.renderMs = 500;
    bed.startAgent();
    await bed.carryOut(stage);
    expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
    expect(bed.status.savedSettings).toBeUndefined();
    expect(settings()).toMatchObject(untouched);
    expect(bed.asked('POST /actions/refresh-updates')).toBeGreaterThan(2);
  });

  test.each(['renderFails', 'configApplierFails'] as const)('%s once: patched and committed again', async (fault) => {
    await startBed({ releases: threeReleases });
    bed.host.faults.arm(fault);
    bed.startAgent();
    await bed.carryOut(stage);
    expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
    expect(settings()).toMatchObject(untouched);
  });

  test("'No update required' becomes Staged, and is never activated", async () => {
    await startBed();
    bed.startAgent();
    await bed.until(() => bed.status.version !== undefined, 'the first report');
    // Between the agent's refresh and its prepare the release is withdrawn.
    bed.before('POST', '/actions/prepare-update', () => bed.releases.splice(0));
    await bed.carryOut(stage, 'Failed');
    expect(bed.host.updateStatus?.update_state).toBe('Staged');
    expect(bed.status.staged).toBeUndefined();
    await bed.carryOut(reboot(), 'Failed');
    expect(bed.status.answer).toMatchObject(failure('ProofLost'));
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
  });

  test('a prepare that writes another version than was chosen is done again, by settings', async () => {
    await startBed();
    bed.startAgent();
    await bed.until(() => bed.status.version !== undefined, 'the first report');
    bed.before('POST', '/actions/prepare-update', () => bed.releases.push(release('1.26.2')));
    await bed.carryOut(stage);
    expect(bed.status.staged?.version).toBe('1.26.1');
    expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
    expect(settings()).toMatchObject(untouched);
  });

  test('settings that a person chose are put back, absent ones as the OS has them', async () => {
    await startBed({
      releases: threeReleases,
      host: { initialSettings: { updates: { seed: 1, 'ignore-waves': false, 'version-lock': 'v1.26.0' } } },
    });
    bed.startAgent();
    await bed.carryOut(stage);
    expect(settings()).toMatchObject({ 'version-lock': 'v1.26.0', 'ignore-waves': false });
  });
});

describe('trap 4: a failed prepare', () => {
  test('from Staged it stays Staged with a cleared partition: nothing is activated', async () => {
    await startBed({ releases: threeReleases });
    bed.startAgent();
    await bed.carryOut({ ...stage, version: '1.27.0' });
    bed.host.faults.arm('prepareFails');
    await bed.carryOut({ ...stage, id: 's2' }, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('PrepareFailed', 'prepare failed: Starting update to 1.2'));
    expect(bed.host.updateStatus?.update_state).toBe('Staged');
    expect(bed.status.staged).toBeUndefined();
    await bed.carryOut(reboot('r1', '1.27.0'), 'Failed');
    expect(bed.status.answer).toMatchObject(failure('ProofLost'));
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(settings()).toMatchObject(untouched);
  });

  test('an activation that answers 204 and fails is a failure, and no reboot follows', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('activateFails');
    await bed.carryOut(reboot(), 'Failed');
    expect(bed.status.answer).toMatchObject(failure('ActivationFailed', 'has not been marked valid for upgrade'));
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });
});

describe('trap 5: what prepare cannot do', () => {
  test('no migration chain has a code of its own', async () => {
    await startBed();
    bed.host.faults.arm('noMigrations');
    bed.startAgent();
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('NoMigration', 'Reached end of migration chain at 1.26.0 but target is 1.26.1'));
  });

  test('a single-bank image is a failed prepare', async () => {
    await startBed();
    bed.host.faults.arm('singleBank');
    bed.startAgent();
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('PrepareFailed', 'Could not find inactive partition set'));
  });
});

describe('trap 6: waves', () => {
  test('a version whose wave has not opened is NotOffered, without a change of settings', async () => {
    await startBed({ releases: [release('1.26.0'), unopened('1.26.1')] });
    bed.startAgent();
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer).toMatchObject(failure('NotOffered', '1.26.1'));
    expect(bed.asked('POST /tx/commit_and_apply?tx=lockkeeper')).toBe(0);
  });

  test('ignoreWaves opens it, and the list that others see stays that of the open waves', async () => {
    await startBed({ releases: [release('1.26.0'), unopened('1.26.1')] });
    bed.startAgent();
    await bed.carryOut({ ...stage, ignoreWaves: true });
    expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
    expect(bed.status.available).toEqual(['1.26.0']);
    expect(settings()).toMatchObject(untouched);
  });

  test('a downgrade by pin, whatever its wave', async () => {
    await startBed({ version: '1.26.1', releases: [unopened('1.26.0'), release('1.26.1')] });
    bed.startAgent();
    await bed.carryOut({ ...stage, version: '1.26.0', ignoreWaves: true });
    await bed.carryOut(reboot('r1', '1.26.0'));
    expect(bed.host.os.version).toBe('1.26.0');
    expect(settings()).toMatchObject(untouched);
  });
});
