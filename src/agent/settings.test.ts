import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AgentBed, node, release, unopened } from './testing/agent-bed.ts';

// Waits are for conditions; this only bounds them on a busy machine.
jest.setTimeout(60_000);

let bed: AgentBed;
afterEach(() => bed.stop());

const threeReleases = ['1.26.0', '1.26.1', '1.27.0'].map((version) => release(version));
const stage = { id: 's1', action: 'Stage', version: '1.26.1' };
const theirs = { seed: 1, 'version-lock': 'v1.26.0', 'ignore-waves': false };
const settings = () => bed.host.settings.updates;

async function startBed(updates: Record<string, unknown> = theirs): Promise<void> {
  bed = await new AgentBed({ releases: threeReleases, timings: { renderMs: 0 }, host: { initialSettings: { updates } } }).start();
}

/** Until an agent has changed the settings, and has died. */
async function dieWithSettingsChanged(): Promise<void> {
  const agent = bed.startAgent({ request: 'start prepare', when: 'before' });
  bed.order(stage);
  await agent.died;
  await agent.stop();
  expect(settings()?.['version-lock']).toBe('1.26.1');
}

describe('settings that were changed when the agent was killed', () => {
  test('are put back from the NodeHost where the host keeps no copy', async () => {
    await startBed();
    await dieWithSettingsChanged();
    await bed.ask('DELETE', '/tx?tx=lockkeeper-saved');
    bed.order({ id: 'c1', action: 'Cancel' });
    bed.startAgent();
    await bed.answered('c1', 'Done');
    expect(settings()).toMatchObject(theirs);
    expect(bed.status.savedSettings).toBeUndefined();
  });

  test("are put back from the host's own copy where the NodeHost is another", async () => {
    await startBed();
    await dieWithSettingsChanged();
    bed.kube.remove(node);
    bed.createLetter();
    const before = bed.host.requests.length;
    bed.startAgent();
    await bed.until(() => settings()?.['version-lock'] === 'v1.26.0', 'the old lock');
    const dropped = () =>
      bed.host.requests.slice(before).some(({ method, path }) => method === 'DELETE' && path === '/tx?tx=lockkeeper-saved');
    await bed.until(dropped, 'the copy is dropped');
    expect(await bed.ask('GET', '/tx?tx=lockkeeper-saved')).toMatchObject({ text: '{}' });
  });
});

test('an agent that is told to end in the middle of Stage puts them back first', async () => {
  await startBed();
  bed.host.faults.arm('prepareHangs');
  const agent = bed.startAgent();
  bed.order(stage);
  await bed.until(() => bed.asked('POST /actions/prepare-update') === 1, 'prepare');
  await agent.stop();
  expect(settings()).toMatchObject(theirs);
  expect(bed.status).toMatchObject({ answer: { id: 's1', state: 'Running' } });
  expect(bed.status.savedSettings).toBeUndefined();
  await bed.host.release();
  const asked = bed.asked('POST /actions/prepare-update');
  bed.startAgent();
  await bed.answered('s1', 'Done');
  expect(bed.asked('POST /actions/prepare-update')).toBe(asked);
});

test('where there were none, the defaults of the OS are put back, and what was not changed stays away', async () => {
  await startBed({ seed: 1, 'version-lock': 'v1.26.0', 'ignore-waves': false });
  bed.startAgent();
  await bed.carryOut(stage);
  expect(settings()).toEqual(theirs);
  await bed.stop();

  await startBed({ seed: 1, 'ignore-waves': false });
  bed.startAgent();
  await bed.carryOut(stage, 'Failed');
  expect(settings()).toEqual({ seed: 1, 'ignore-waves': false });
});

test('a host that does not take its settings back fails the order, and is asked again', async () => {
  await startBed();
  bed.startAgent();
  await bed.until(() => bed.status.version !== undefined, 'the first report');
  bed.before('POST', '/actions/prepare-update', () => bed.host.faults.arm('configApplierFails', 3));
  await bed.carryOut(stage, 'Failed');
  expect(bed.status.answer?.error?.code).toBe('SettingsFailed');
  await bed.carryOut({ ...stage, id: 's2' });
  expect(settings()).toMatchObject(theirs);
  expect(bed.asked('POST /actions/prepare-update')).toBe(1);
});

describe('a host that is to ignore its waves while it is asked for news', () => {
  const hidden = { releases: [release('1.26.0'), unopened('1.26.1')], timings: { renderMs: 0 }, refreshInterval: '1s', ignoreWaves: true };
  const start = async (updates = {}) => {
    bed = await new AgentBed({ ...hidden, host: { initialSettings: { updates: { ...theirs, ...updates } } } }).start();
  };
  const seesAll = () => bed.until(() => bed.status.available?.includes('1.26.1') === true, 'the hidden version');
  const restored = () => bed.until(() => bed.status.savedSettings === undefined, 'nothing is left to be put back');

  test('reports what its waves hide, each time, and has its own settings back', async () => {
    await start();
    bed.startAgent();
    await seesAll();
    const asked = bed.asked('POST /actions/refresh-updates');
    await bed.until(() => bed.asked('POST /actions/refresh-updates') > asked, 'another refresh');
    await restored();
    expect(settings()).toEqual(theirs);
    expect(bed.status.available).toEqual(['1.26.1', '1.26.0']);
  });

  test('still takes nothing that its waves hide, unless the order says so, and reports no less for that', async () => {
    await start();
    bed.startAgent();
    await seesAll();
    await bed.carryOut(stage, 'Failed');
    expect(bed.status.answer?.error?.code).toBe('NotOffered');
    expect(bed.status.available).toContain('1.26.1');
    await bed.carryOut({ ...stage, id: 's2', ignoreWaves: true });
    expect(bed.status.staged?.version).toBe('1.26.1');
    await restored();
    expect(settings()).toEqual(theirs);
  });

  test('has them back where the agent was killed in between', async () => {
    await start();
    const agent = bed.startAgent({ request: 'start refresh', when: 'before' });
    await agent.died;
    await agent.stop();
    expect(settings()?.['ignore-waves']).toBe(true);
    bed.kube.put(node, { ...bed.kube.objects.get(node), spec: { refreshInterval: '1h' } });
    bed.startAgent();
    await restored();
    expect(settings()).toEqual(theirs);
  });

  test('is not touched where it ignores them anyway', async () => {
    await start({ 'ignore-waves': true });
    bed.startAgent();
    await seesAll();
    expect(bed.asked('POST /tx/commit_and_apply?tx=lockkeeper')).toBe(0);
  });
});
