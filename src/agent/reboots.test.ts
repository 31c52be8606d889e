import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { AgentBed, type BedOptions, node } from './testing/agent-bed.ts';

// Waits are for conditions; this only bounds them on a busy machine.
jest.setTimeout(60_000);

let bed: AgentBed;
const startBed = async (options?: BedOptions): Promise<AgentBed> => {
  bed = await new AgentBed(options).start();
  return bed;
};
afterEach(() => bed.stop());

const stage = { id: 's1', action: 'Stage', version: '1.26.1' };
const cancel = (id = 'c1') => ({ id, action: 'Cancel' });
const reboot = (id = 'r1', version = '1.26.1') => ({ id, action: 'Reboot', version, bootID: bed.bootID });
const answer = (id: string, state: string, code?: string) => ({ id, state, ...(code && { error: expect.objectContaining({ code }) }) });
const fenced = (id: string) => bed.answered(id, 'RebootAsked');

describe('the boot ID', () => {
  test('a Reboot that was ordered for another boot is never carried out', async () => {
    await startBed();
    const order = reboot();
    await bed.host.reboot();
    bed.startAgent();
    await bed.carryOut(stage);
    await bed.carryOut(order, 'Failed');
    expect(bed.status.answer).toMatchObject(answer('r1', 'Failed', 'BootIDChanged'));
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });

  test('somebody else reboots between fence and reboot: the order is over, and no second reboot follows', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('rebootIgnored');
    bed.order(reboot());
    await bed.until(() => bed.asked('POST /actions/reboot') === 1, 'the request');
    await bed.host.reboot();
    await bed.answered('r1', 'Done');
    expect(bed.asked('POST /actions/reboot')).toBe(1);
    expect(bed.host.rebootCount).toBe(1);
  });

  test('a boot that ends right behind the fence: no reboot is asked for', async () => {
    await startBed();
    bed.startAgent();
    await bed.until(() => bed.status.version !== undefined, 'the first report');
    let rebooted: Promise<void> | undefined;
    bed.kube.fault = ({ body }) => {
      if (JSON.stringify(body ?? '').includes('RebootAsked')) rebooted ??= bed.host.reboot();
      return undefined;
    };
    await bed.carryOut(reboot('r1', '1.26.0'));
    await rebooted;
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });

  test('a host that boots back to the old version: Done, with the version that runs', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('bootFails');
    await bed.carryOut(reboot());
    expect(bed.status).toMatchObject({ version: '1.26.0', bootID: bed.bootID });
  });
});

describe('the fence', () => {
  test('an order that changed since it was seen is not carried out', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    // The agent's write meets a newer NodeHost, whose event it has not seen.
    bed.kube.fault = (request) => {
      if (request.method !== 'PATCH' || JSON.stringify(request.body).includes('RebootAsked') === false) return undefined;
      bed.kube.fault = () => undefined;
      bed.order(cancel());
      return undefined;
    };
    bed.order(reboot());
    await bed.answered('c1', 'Done');
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });

  test('a NodeHost that changed without its order is fenced at the second try', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.kube.fault = (request) => {
      if (request.method !== 'PATCH') return undefined;
      bed.kube.fault = () => undefined;
      bed.kube.put(node, { ...bed.kube.objects.get(node) });
      return undefined;
    };
    await bed.carryOut(reboot());
    expect(bed.kube.requests.filter(({ method, path }) => method === 'GET' && path.endsWith(node)).length).toBe(1);
  });

  test('a fence whose answer was lost holds', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    let lost = 0;
    bed.kube.fault = (request) => (request.method === 'PATCH' && lost++ < 2 ? 'cut-after' : undefined);
    await bed.carryOut(reboot());
    expect(bed.asked('POST /actions/reboot')).toBe(1);
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('without the API server there is no fence and no reboot', async () => {
    await startBed();
    const agent = bed.startAgent();
    await bed.carryOut(stage);
    let tries = 0;
    bed.kube.fault = (request) => {
      if (request.method !== 'PATCH') return undefined;
      tries += 1;
      return 'cut';
    };
    bed.order(reboot());
    await bed.until(() => tries >= 2, 'tries');
    await agent.stop();
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
  });
});

describe('Cancel', () => {
  test('after Stage it is Done, and the proof stays', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    await bed.carryOut(cancel());
    expect(bed.status.staged?.version).toBe('1.26.1');
    await bed.carryOut(reboot());
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('during Stage the settings are put back and Stage is never answered', async () => {
    await startBed({ releases: [], timings: { refreshMs: 20 } });
    bed.startAgent();
    bed.order({ ...stage, ignoreWaves: true });
    await bed.until(() => bed.status.savedSettings !== undefined, 'saved settings');
    await bed.carryOut(cancel());
    expect(bed.answers).toEqual(['Running', 'Done']);
    expect(bed.status.savedSettings).toBeUndefined();
    expect(bed.host.settings.updates).toMatchObject({ 'version-lock': 'latest', 'ignore-waves': false });
  });

  test('takes back an activation that nobody rebooted into', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.carryOut(stage);
    await first.stop();
    await bed.byHand('POST', '/actions/activate-update');
    bed.startAgent();
    await bed.carryOut(cancel());
    expect(bed.host.updateStatus?.update_state).toBe('Staged');
    expect(bed.status.staged).toBeUndefined();
  });

  test('by the agent that asked for the reboot: no answer until the boot ID has changed', async () => {
    await startBed();
    const agent = bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('rebootIgnored');
    bed.order(reboot());
    await bed.until(() => bed.asked('POST /actions/reboot') === 1, 'the request');
    bed.order(cancel());
    await bed.until(() => agent.log.some(({ fields }) => 'code' in fields && fields.code === 'RebootPending'), 'the log');
    expect(bed.status.answer).toMatchObject(answer('r1', 'RebootAsked'));
    expect(bed.host.updateStatus?.update_state).toBe('Ready');
    await bed.host.reboot();
    await bed.answered('c1', 'Done');
    expect(bed.status).toMatchObject({ version: '1.26.1', bootID: bed.bootID });
  });

  test('by an agent that was started after the reboot was asked for: the same', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('rebootIgnored');
    bed.order(reboot());
    await bed.until(() => bed.asked('POST /actions/reboot') === 1, 'the request');
    await first.stop();
    bed.order(cancel());
    const second = bed.startAgent();
    await bed.until(() => second.log.some(({ fields }) => 'code' in fields && fields.code === 'RebootPending'), 'the log');
    expect(bed.status.answer).toMatchObject(answer('r1', 'RebootAsked'));
    expect(bed.asked('POST /actions/deactivate-update')).toBe(0);
    await second.stop();
    await bed.host.reboot();
    bed.startAgent();
    await bed.answered('c1', 'Done');
    expect(bed.asked('POST /actions/reboot')).toBe(1);
  });

  test('by an agent that was started before anything was activated: Done, for the host itself shows it', async () => {
    await startBed();
    const first = bed.startAgent({ request: 'start activate', when: 'before' });
    await bed.carryOut(stage);
    bed.order(reboot());
    await fenced('r1');
    await first.died;
    await first.stop();
    bed.order(cancel());
    bed.startAgent();
    await bed.answered('c1', 'Done');
    expect(bed.asked('POST /actions/reboot')).toBe(0);
    expect(bed.status.staged?.version).toBe('1.26.1');
  });
});

describe('an agent that finds RebootAsked for its own order under the present boot', () => {
  test.each([
    ['activates and reboots where nothing was activated', { request: 'start activate', when: 'before' }, 1],
    ['reboots where the version was activated', { request: 'reboot', when: 'before' }, 1],
  ] as const)('%s', async (_what, crash, activations) => {
    await startBed();
    const first = bed.startAgent(crash);
    await bed.carryOut(stage);
    bed.order(reboot());
    await fenced('r1');
    await first.died;
    await first.stop();
    bed.startAgent();
    await bed.answered('r1', 'Done');
    expect(bed.asked('POST /actions/activate-update')).toBe(activations);
    expect(bed.asked('POST /actions/reboot')).toBe(1);
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test('does nothing where somebody else has used the host since, and says so behind the fence', async () => {
    await startBed();
    const first = bed.startAgent({ request: 'start activate', when: 'before' });
    await bed.carryOut(stage);
    bed.order(reboot());
    await fenced('r1');
    await first.died;
    await first.stop();
    await bed.byHand('POST', '/actions/refresh-updates');
    bed.startAgent();
    await bed.until(() => bed.status.answer?.error !== undefined, 'the error');
    expect(bed.status.answer).toMatchObject(answer('r1', 'RebootAsked', 'ProofLost'));
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });

  test('says so where the activation failed while nobody listened', async () => {
    await startBed();
    const first = bed.startAgent({ request: 'start activate', when: 'after' });
    await bed.carryOut(stage);
    bed.host.faults.arm('activateFails');
    bed.order(reboot());
    await fenced('r1');
    await first.died;
    await first.stop();
    bed.startAgent();
    await bed.answered('r1', 'Failed');
    expect(bed.status.answer).toMatchObject(answer('r1', 'Failed', 'ActivationFailed'));
    expect(bed.asked('POST /actions/reboot')).toBe(0);
  });
});

describe('the reboot request', () => {
  test.each(['rebootDropsConnection', 'rebootFailsButReboots'] as const)('%s: one reboot', async (fault) => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm(fault);
    await bed.carryOut(reboot());
    expect(bed.host.rebootCount).toBe(1);
    expect(bed.asked('POST /actions/reboot')).toBe(1);
    expect(bed.host.os.version).toBe('1.26.1');
  });

  test.each(['rebootFails', 'shutdownMissing'] as const)('%s: stays RebootAsked with the error, and is repeated', async (fault) => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm(fault, 2);
    const asked = reboot();
    bed.order(asked);
    await bed.until(() => bed.status.answer?.error?.code === 'RebootFailed', 'the error');
    expect(bed.status.answer?.state).toBe('RebootAsked');
    await bed.answered('r1', 'Done');
    expect(bed.status.answer?.error).toBeUndefined();
    expect(bed.asked('POST /actions/reboot')).toBe(3);
  });

  test('is repeated a few times only, and never once the order is another', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('rebootFails', Number.POSITIVE_INFINITY);
    bed.order(reboot());
    await bed.until(() => bed.asked('POST /actions/reboot') === 5, 'five requests');
    bed.order(cancel());
    await bed.host.reboot();
    await bed.answered('c1', 'Done');
    expect(bed.asked('POST /actions/reboot')).toBe(5);
  });

  test('while it is awaited the host is not refreshed', async () => {
    await startBed({ refreshInterval: '1s' });
    bed.startAgent();
    await bed.carryOut(stage);
    bed.host.faults.arm('rebootIgnored');
    bed.order(reboot());
    await bed.until(() => bed.asked('POST /actions/reboot') === 1, 'the request');
    const refreshes = bed.asked('POST /actions/refresh-updates');
    const looks = bed.bootIDReads;
    // One look a second; a refresh would be due after the first.
    await bed.until(() => bed.bootIDReads >= looks + 3, 'three looks at the boot ID');
    expect(bed.asked('POST /actions/refresh-updates')).toBe(refreshes);
  });

  test('with the running version it is a reboot alone: nothing is activated', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    await bed.carryOut(reboot('r1', '1.26.0'));
    expect(bed.asked('POST /actions/activate-update')).toBe(0);
    expect(bed.host.rebootCount).toBe(1);
    expect(bed.status.version).toBe('1.26.0');
  });

  test('alone, where somebody has activated what is staged: that is taken back first', async () => {
    await startBed();
    const first = bed.startAgent();
    await bed.carryOut(stage);
    await first.stop();
    await bed.byHand('POST', '/actions/activate-update');
    bed.startAgent();
    await bed.carryOut(reboot('r1', '1.26.0'));
    expect(bed.host.rebootCount).toBe(1);
    expect(bed.status.version).toBe('1.26.0');
  });

  test('alone, and refused by its fence: what is staged stays proven', async () => {
    await startBed();
    bed.startAgent();
    await bed.carryOut(stage);
    bed.kube.fault = (request) => {
      if (request.method !== 'PATCH' || !JSON.stringify(request.body).includes('RebootAsked')) return undefined;
      bed.kube.fault = () => undefined;
      bed.order(cancel());
      return undefined;
    };
    bed.order(reboot('r1', '1.26.0'));
    await bed.answered('c1', 'Done');
    expect(bed.asked('POST /actions/reboot')).toBe(0);
    expect(bed.status.staged?.version).toBe('1.26.1');
  });
});
