import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../api/plan.ts';
import type { NodeForecast } from '../simulate/forecast.ts';
import { ago, aNode, anUpdate, aPolicy, aRollout, aStagedNode, HOUR, MINUTE, NEW, OLD } from '../testing/builders.ts';
import { left, only, plan, updated } from '../testing/plans.ts';
import type { World } from '../world.ts';

const names = (made: Plan) => only(made).warnings.map(({ name }) => name);

describe('warns', () => {
  const staged = aStagedNode('a');
  const schedule = (duration: string, onClose: 'Finish' | 'Release') => ({
    windows: [{ cron: '0 2 * * *', duration, timeZone: 'UTC' }],
    onClose,
  });

  test.each([
    ['of a pause', { policies: [aPolicy({ spec: { paused: true } })] }, left('a', 'Paused'), ['Paused']],
    [
      'of a paused node',
      { nodes: [aStagedNode('a', { annotations: { 'lockkeeper.dev/paused': 'true' } })] },
      left('a', 'Paused'),
      ['NodesHeld'],
    ],
    [
      'of a spec that cannot be read',
      { policies: [aPolicy({ spec: { schedule: { windows: [{ cron: '0 2 * * *', duration: '4h', timeZone: 'Mars/Phobos' }] } } })] },
      left('a', 'PolicyNotReady'),
      ['PolicyNotReady'],
    ],
    [
      'of a schedule without a time to come',
      {
        policies: [
          aPolicy({
            spec: {
              schedule: {
                windows: [{ cron: '0 2 * * *', duration: '1h', timeZone: 'UTC' }],
                exclusions: [{ from: '2020-01-01T00:00:00Z', to: '9999-12-31T23:59:59Z' }],
              },
            },
          }),
        ],
      },
      left('a', 'InExclusion'),
      ['NeverOpens'],
    ],
    [
      'of windows that lie too far ahead',
      {
        policies: [
          aPolicy({
            spec: {
              schedule: {
                windows: [{ cron: '0 0 2 1 1 *', duration: '1h', timeZone: 'UTC' }],
                exclusions: [{ from: '2020-01-01T00:00:00Z', to: '2999-01-01T00:00:00Z' }],
              },
            },
          }),
        ],
      },
      left('a', 'InExclusion'),
      ['BeyondHorizon'],
    ],
    [
      'of a window that is too short',
      { policies: [aPolicy({ spec: { schedule: schedule('5m', 'Finish') } })] },
      updated('a', 0, 5),
      ['WindowTooShort'],
    ],
    [
      'of a window in which no node can be finished',
      { policies: [aPolicy({ spec: { schedule: schedule('5m', 'Release') } })] },
      left('a', 'OutsideWindow'),
      ['WindowTooShort', 'BeyondHorizon'],
    ],
    ['not of one that is long enough', { policies: [aPolicy({ spec: { schedule: schedule('7m', 'Release') } })] }, updated('a', 0, 5), []],
    [
      'of slots that nothing frees',
      { nodes: [staged, aNode('b', { unschedulable: true, os: { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' } })] },
      left('a', 'CapacityReached'),
      ['NoCapacity'],
    ],
    ['of a group that nobody could test', {}, left('a', 'GroupUntested', 'no node of group canary could be updated'), ['GroupUntested']],
    [
      'of a check that fails now',
      { nodes: [aStagedNode('a', { update: anUpdate({ phase: 'Staged', reason: 'CheckFailed', message: 'web is not ready' }) })] },
      updated('a', 0, 5),
      ['CheckFailed'],
    ],
    [
      'of a deadline that is missed',
      {
        policies: [aPolicy({ spec: { patchDeadline: '1h' } })],
        nodes: [aStagedNode('a', { update: anUpdate({ behindSince: ago(59 * MINUTE) }) })],
      },
      updated('a', 0, 5),
      ['PatchDeadlineMissed'],
    ],
    [
      'of nodes that are pinned to something else',
      { nodes: [staged, aStagedNode('b', { annotations: { 'lockkeeper.dev/pin-version': OLD } })] },
      updated('a', 0, 5),
      ['NodesPinned'],
    ],
    ['of nodes that no update helps', { kubernetes: { major: 1, minor: 36 } }, updated('a', 0, 5), ['KubernetesTooOld']],
  ] as [string, Partial<World>, NodeForecast, string[]][])('%s', (_, world, forecast, expected) => {
    expect(names(plan({ nodes: [staged], ...world }, [forecast]))).toEqual(expected);
  });

  test('of a halt, with its nodes and the command that resumes it', () => {
    const failed = [{ node: 'b', hostID: 'host-b', target: NEW, reason: 'RebootTimeout', at: ago(HOUR) }];
    const made = plan({ policies: [aPolicy({ status: { rollouts: [aRollout({ failed })] } })], nodes: [staged] }, [left('a', 'Halted')]);
    expect(only(made).warnings).toMatchObject([{ name: 'Halted', endless: true, nodes: ['b'] }]);
    expect(only(made).warnings[0]?.message).toContain('lockkeeper.dev/resume=$(date +%s)');
  });

  test('of an autoscaler that goes on adding nodes below the target: by those that joined since, updated or not', () => {
    const policy = aPolicy({ status: { rollouts: [aRollout({ startedAt: ago(HOUR) })] } });
    const history = [{ from: OLD, to: NEW, startedAt: ago(MINUTE), finishedAt: ago(0), outcome: 'Updated' }];
    const late = { createdAt: ago(MINUTE) };
    const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
    const nodes = [
      aStagedNode('old'),
      aStagedNode('late', late),
      aNode('late-updated', { ...late, os, update: anUpdate({ history }) }),
      aNode('late-new', { ...late, os }),
    ];
    const made = plan({ policies: [policy], nodes }, [updated('old', 0, 5), updated('late', 5, 10)]);
    expect(only(made).warnings).toMatchObject([{ name: 'NodesJoinBelowTarget', endless: true, nodes: ['late', 'late-updated'] }]);
    // A rollout that has not begun yet has nobody who came later.
    expect(names(plan({ nodes }, [updated('old', 0, 5)]))).toEqual([]);
  });

  test('of what no one policy has to do with: agents that nothing limits, nodes that nobody keeps up to date', () => {
    const policy = aPolicy({ spec: { nodeSelector: { matchLabels: { pool: 'workers' } } } });
    const made = plan({ guarded: false, policies: [policy], nodes: [staged] }, []);
    expect(made.warnings).toMatchObject([
      { name: 'AdmissionPolicyMissing', endless: true },
      { name: 'NodesWithoutPolicy', endless: false, nodes: ['a'] },
    ]);
  });
});
