import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AgentBed, release, unopened } from './testing/agent-bed.ts';
import type { CrashPlan } from './testing/crash.ts';

jest.setTimeout(300_000);

let bed: AgentBed;
afterEach(() => bed.stop());

/** More than any of the scenarios needs: the loops end at the first number that is not reached. */
const mostRequests = 200;
const whens = ['before', 'after'] as const;
const stage = { id: 's1', action: 'Stage', version: '1.26.1' };

async function startBed(): Promise<void> {
  bed = await new AgentBed({
    releases: ['1.26.0', '1.26.1', '1.27.0'].map((version) => release(version)),
    timings: { renderMs: 0 },
  }).start();
}

/** Starts an agent that dies as planned, and waits for its death or until the work is done. True: it died. */
async function live(plan: CrashPlan | undefined, done: () => boolean): Promise<boolean> {
  const agent = bed.startAgent(plan);
  let died = false;
  agent.died.then(
    () => {
      died = true;
    },
    () => {},
  );
  await bed.until(() => died || done(), `end of the agent that dies ${plan?.when} request ${plan?.request}`);
  await agent.stop();
  return died;
}

/** Runs a scenario once for each request at which an agent can die, twice in a row, before it is sent and after it was carried out. */
async function forEachCrash(scenario: (crash: CrashPlan) => Promise<boolean>): Promise<number> {
  let crashes = 0;
  for (const when of whens) {
    for (let request = 1; request <= mostRequests; request += 1) {
      const died = await scenario({ request, when });
      await bed.stop();
      if (!died) break;
      crashes += 1;
    }
  }
  return crashes;
}

const restored = () => bed.host.settings.updates?.['version-lock'] === 'latest' && bed.host.settings.updates['ignore-waves'] === false;
const savedOnHost = async () => JSON.parse((await bed.ask('GET', '/tx?tx=lockkeeper-saved')).text) as unknown;

describe('killed at every request, and started again', () => {
  test('Stage by settings: the target is proven, the settings are what they were', async () => {
    const crashes = await forEachCrash(async (crash) => {
      await startBed();
      const wrong: unknown[] = [];
      bed.kube.fault = ({ body }) => {
        if (JSON.stringify(body ?? '').includes('Done') && !restored()) wrong.push(bed.host.settings.updates);
        return undefined;
      };
      bed.onHostRequest = (request) => {
        const changes = request === 'PATCH /settings?tx=lockkeeper';
        if (changes && restored() && bed.status.savedSettings === undefined) wrong.push('settings changed before they were recorded');
      };
      bed.order(stage);
      const done = () => bed.status.answer?.state === 'Done';
      const died = await live(crash, done);
      await live(crash, done);
      await live(undefined, () => done() && bed.status.savedSettings === undefined);
      expect(bed.status.staged).toMatchObject({ version: '1.26.1', lastCommandAt: bed.host.updateStatus?.most_recent_command?.timestamp });
      expect(bed.host.partitions.inactive.image?.version).toBe('1.26.1');
      expect(restored()).toBe(true);
      expect(await savedOnHost()).toEqual({});
      expect(wrong).toEqual([]);
      expect(bed.asked('POST /actions/activate-update')).toBe(0);
      return died;
    });
    expect(crashes).toBeGreaterThan(40);
  });

  test('back to an older version, against its wave: there by one reboot, and the settings are what they were', async () => {
    const back = { id: 's1', action: 'Stage', version: '1.26.0', ignoreWaves: true };
    const crashes = await forEachCrash(async (crash) => {
      bed = await new AgentBed({
        version: '1.26.1',
        releases: [unopened('1.26.0'), release('1.26.1'), release('1.27.0')],
        timings: { renderMs: 0 },
      }).start();
      const wrong: unknown[] = [];
      bed.onHostRequest = (request) => {
        const changes = request === 'PATCH /settings?tx=lockkeeper';
        if (changes && restored() && bed.status.savedSettings === undefined) wrong.push('settings changed before they were recorded');
        if (request === 'POST /actions/activate-update' && !restored()) wrong.push('activated with settings of ours in force');
      };
      bed.order(back);
      const staged = () => bed.status.answer?.id === 's1' && bed.status.answer.state === 'Done';
      const died = await live(crash, staged);
      await live(undefined, staged);
      bed.order({ id: 'r1', action: 'Reboot', version: '1.26.0', bootID: bed.bootID });
      const done = () => bed.status.answer?.id === 'r1' && bed.status.answer.state === 'Done';
      await live(undefined, done);
      expect(wrong).toEqual([]);
      expect(bed.host.os.version).toBe('1.26.0');
      expect(bed.host.rebootCount).toBe(1);
      expect(restored()).toBe(true);
      return died;
    });
    expect(crashes).toBeGreaterThan(40);
  });

  test.each([
    ['into the proven version', '1.26.1'],
    ['alone, with a version staged', '1.26.0'],
  ])('Reboot %s: one reboot, and nothing activated outside the fence', async (_, version) => {
    const crashes = await forEachCrash(async (crash) => {
      await startBed();
      bed.order(stage);
      await live(undefined, () => bed.status.answer?.state === 'Done');
      const wrong: string[] = [];
      bed.onHostRequest = (request) => {
        if (request !== 'POST /actions/activate-update' && request !== 'POST /actions/reboot') return;
        if (bed.status.answer?.id !== 'r1' || bed.status.answer.state !== 'RebootAsked') wrong.push(`${request} without a fence`);
        if (version === '1.26.0' && request === 'POST /actions/activate-update') wrong.push(`${request} for a reboot alone`);
        if (bed.host.partitions.inactive.image?.version !== '1.26.1') wrong.push(`${request} into another version`);
      };
      bed.order({ id: 'r1', action: 'Reboot', version, bootID: bed.bootID });
      const done = () => bed.status.answer?.id === 'r1' && bed.status.answer.state === 'Done';
      const died = await live(crash, done);
      await live(crash, done);
      await live(undefined, done);
      expect(wrong).toEqual([]);
      expect(bed.host.rebootCount).toBe(1);
      expect(bed.status).toMatchObject({ version, bootID: bed.bootID });
      return died;
    });
    expect(crashes).toBeGreaterThan(8);
  });

  test.each([
    ['into a staged version', '1.26.1', ['fenced, answered', 'fenced, left open', 'not fenced, answered']],
    // Nothing is activated, so nobody but the agent that fenced can know that it did not ask.
    ['alone, with a version staged', '1.26.0', ['fenced, left open', 'not fenced, answered']],
  ])('Reboot %s, and then a Cancel: never a Done that a reboot follows', async (_, version, expected) => {
    const outcomes = new Set<string>();
    await forEachCrash(async (crash) => {
      await startBed();
      bed.order(stage);
      await live(undefined, () => bed.status.answer?.state === 'Done');
      const bootID = bed.bootID;
      // The last request of all asks for a reboot that comes late, or never.
      bed.host.faults.arm('rebootIgnored');
      bed.order({ id: 'r1', action: 'Reboot', version, bootID });
      const died = await live(crash, () => bed.asked('POST /actions/reboot') > 0);
      const asked = bed.asked('POST /actions/reboot');
      const fenced = bed.status.answer?.state === 'RebootAsked';
      bed.order({ id: 'c1', action: 'Cancel' });
      const second = bed.startAgent();
      const pending = () => second.log.some(({ fields }) => 'code' in fields && fields.code === 'RebootPending');
      await bed.until(() => bed.status.answer?.id === 'c1' || pending(), 'an answer to Cancel, or none');
      const answered = bed.status.answer?.id === 'c1';
      if (answered) {
        expect(asked).toBe(0);
        expect(bed.status.answer?.state).toBe('Done');
        expect(bed.host.updateStatus?.update_state).not.toBe('Ready');
        expect(bed.status.staged?.version).toBe('1.26.1');
      } else {
        expect(bed.status.answer).toMatchObject({ id: 'r1', state: 'RebootAsked' });
        await bed.host.reboot();
        await bed.answered('c1', 'Done');
      }
      expect(bed.asked('POST /actions/reboot')).toBe(asked);
      outcomes.add(`${fenced ? 'fenced' : 'not fenced'}, ${answered ? 'answered' : 'left open'}`);
      await second.stop();
      return died;
    });
    expect([...outcomes].toSorted()).toEqual(expected);
  });
});
