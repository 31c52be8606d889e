import * as fc from 'fast-check';
import type { Action, Scenario } from '../simulate/actions.ts';
import { CALENDARS } from '../simulate/calendar.ts';
import { LIES } from '../simulate/lies.ts';
import { VERSIONS } from '../simulate/random-cluster.ts';
import type { Setup } from '../simulate/setup.ts';

const index = fc.nat({ max: 4 });
const leader = fc.nat({ max: 1 });
const flag = fc.boolean();
const lag = fc.constantFrom('none', 'none', 'one', 'one', 'still', 'still', 'lost', 'doubled');
const policy = fc.constantFrom('a', 'b');
const onTimeout = fc.constantFrom('Skip', 'Skip', 'Hold', 'Force');
const maxUnavailable = fc.constantFrom(1, 1, 2, '34%', '50%', '100%');

const setup: fc.Arbitrary<Setup> = fc.record(
  {
    nodes: fc.integer({ min: 1, max: 5 }),
    maxUnavailable,
    failureBudget: fc.constantFrom(1, 2, '50%'),
    onExceeded: fc.constantFrom('Halt', 'RollBack'),
    second: flag,
    mixed: flag,
    manual: fc.constantFrom(false, false, false, false, true),
    calendar: fc.constantFrom('always', 'always', ...CALENDARS),
    onClose: fc.constantFrom('Finish', 'Release'),
    grouped: flag,
    drainMode: fc.constantFrom('Evict', 'Evict', 'Evict', 'None'),
    onTimeout,
    tolerant: flag,
    hooks: flag,
    checked: flag,
    minAge: fc.constantFrom(0, 0, 0, 10),
    selfNode: fc.option(index, { nil: undefined }),
  },
  { requiredKeys: ['nodes', 'maxUnavailable', 'failureBudget', 'second', 'mixed', 'manual', 'calendar', 'onClose', 'grouped', 'minAge'] },
);

const lags = fc.record({ policies: lag, nodes: lag, updates: lag, hosts: lag, pods: lag, jobs: lag }, { requiredKeys: [] });

type Weighted = { weight: number; arbitrary: fc.Arbitrary<Action> };

const often = (weight: number, name: Action['do'], fields: Record<string, fc.Arbitrary<unknown>> = {}): Weighted => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Action>,
});

const version = fc.constantFrom<string | null>(null, ...VERSIONS);

const action: fc.Arbitrary<Action> = fc.oneof(
  often(10, 'work', { leader, rounds: fc.integer({ min: 1, max: 12 }) }),
  often(4, 'work', { leader, rounds: fc.integer({ min: 1, max: 6 }), without: fc.constantFrom('evictions', 'agents', 'hosts', 'hosts') }),
  often(14, 'pass', { leader, lags }),
  often(14, 'step', { leader, calls: fc.integer({ min: 1, max: 8 }) }),
  often(2, 'crash', { leader }),
  often(1, 'clock', { leader, seconds: fc.constantFrom(0, -2, 2, -30, 30) }),
  often(3, 'evict', { leader }),
  often(10, 'agent', { node: index, steps: fc.integer({ min: 1, max: 6 }), lag }),
  often(3, 'killAgent', { node: index }),
  often(1, 'agentUp', { node: index, up: flag }),
  often(6, 'boot', { node: index, anyway: fc.constantFrom(false, false, false, true) }),
  often(6, 'kubelet', { node: index }),
  often(2, 'notReady', { node: index }),
  often(5, 'flaw', {
    node: index,
    flaw: fc.constantFrom(
      null,
      'rollsBack',
      'refusesActivation',
      'failsPrepare',
      'staysNotReady',
      'needsItsVersion',
      'needsItsVersion',
      'failsHooks',
      'hangsHooks',
    ),
  }),
  often(2, 'lie', {
    node: index,
    lie: fc.constantFrom(...LIES),
  }),
  often(1, 'wave', { node: index, open: flag }),
  often(1, 'loseProof', { node: index }),
  often(4, 'pods'),
  often(3, 'jobs'),
  often(2, 'guardPod', { node: index, guarded: fc.constantFrom(false, true, 'never', 'never') }),
  often(1, 'nakedPod', { node: index }),
  often(5, 'time', { minutes: fc.constantFrom(0.2, 1, 5, 11, 30) }),
  often(2, 'release'),
  often(1, 'guard', { on: flag }),
  often(1, 'standby', { on: flag }),
  often(2, 'checks', { hold: flag }),
  often(3, 'cordon', { node: index }),
  often(3, 'uncordon', { node: index }),
  often(1, 'disrupt', { node: index, on: flag }),
  often(1, 'meddle', { node: index, with: fc.constantFrom('annotations', 'labels'), value: fc.constantFrom(null, 'true', 'false') }),
  often(2, 'deleteNode', { node: index }),
  often(3, 'register', { node: index, outdated: flag }),
  often(1, 'collect'),
  often(1, 'deleteUpdate', { node: index }),
  often(1, 'deleteHost', { node: index }),
  often(3, 'annotateNode', { node: index, key: fc.constant('paused'), value: fc.constantFrom(null, 'true', 'true', 'yes') }),
  often(2, 'annotateNode', { node: index, key: fc.constantFrom('retry', 'skip'), value: fc.constant('token') }),
  often(1, 'annotateNode', { node: index, key: fc.constant('pinVersion'), value: version }),
  often(1, 'annotateNode', { node: index, key: fc.constant('urgent'), value: version }),
  often(2, 'annotateNode', { node: index, key: fc.constant('reboot'), value: fc.constant('token') }),
  often(2, 'annotatePolicy', { policy, key: fc.constant('urgent'), value: version }),
  often(1, 'annotatePolicy', { policy, key: fc.constant('reboot'), value: fc.constant('token') }),
  often(1, 'annotatePolicy', { policy, key: fc.constant('paused'), value: fc.constantFrom(null, 'true') }),
  often(2, 'annotatePolicy', { policy, key: fc.constantFrom('retry', 'resume', 'skip', 'clearBadRelease'), value: fc.constant('token') }),
  often(1, 'annotatePolicy', { policy, key: fc.constant('pinVersion'), value: version }),
  often(2, 'annotatePolicy', { policy, key: fc.constant('approvedVersion'), value: version }),
  often(1, 'pausePolicy', { policy, paused: flag }),
  often(1, 'maxUnavailable', { policy, to: maxUnavailable }),
  often(2, 'schedule', { policy, to: fc.constantFrom(...CALENDARS), onClose: fc.constantFrom('Finish', 'Release') }),
  often(2, 'onTimeout', { policy, to: onTimeout }),
  often(1, 'deletePolicy', { policy }),
  often(1, 'createPolicy', { policy }),
);

/** Most worlds begin with nodes that have staged, or are on their way. */
const begin: fc.Arbitrary<Action> = fc.record({ do: fc.constant('work'), leader, rounds: fc.integer({ min: 1, max: 8 }) });

/** Nodes are updated, until one does not get Ready on the release: its rollout is taken back, and then anything happens. */
const doomed: fc.Arbitrary<readonly Action[]> = fc
  .tuple(fc.integer({ min: 4, max: 60 }), fc.integer({ min: 1, max: 20 }), leader)
  .map(([updating, failing, by]) => [
    { do: 'work', leader: by, rounds: updating },
    { do: 'time', minutes: 11 },
    { do: 'work', leader: by, rounds: failing },
  ]);

const fragileSetup: fc.Arbitrary<Setup> = fc.tuple(setup, fc.integer({ min: 1, max: 4 })).map(([of, fragile]) => ({
  ...of,
  nodes: Math.max(of.nodes, fragile + 1),
  fragile,
  onExceeded: 'RollBack',
  failureBudget: 1,
  manual: false,
  minAge: 0,
}));

const actions = fc.array(action, { minLength: 10, maxLength: 100, size: 'max' });

/** Random worlds and what happens in them. */
export const scenario: fc.Arbitrary<Scenario> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ setup, actions: fc.tuple(begin, actions).map(([first, rest]) => [first, ...rest]) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ setup: fragileSetup, actions: fc.tuple(doomed, actions).map(([first, rest]) => [...first, ...rest]) }),
  },
);
