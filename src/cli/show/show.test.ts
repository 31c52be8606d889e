import { describe, expect, test } from '@jest/globals';
import picocolors from 'picocolors';
import type { NodeUpdateStatus } from '../../api/node-update.ts';
import type { Condition } from '../../api/primitives.ts';
import { ago, aPolicy, HOUR, MINUTE, NEW, NOW, OLD } from '../../core/testing/builders.ts';
import type { Fleet } from '../fleet.ts';
import { screenOf } from '../screen.ts';
import { historyOf, renderHistory } from './history.ts';
import { liveView } from './live.ts';
import { csv } from './output.ts';
import { renderReport, reportCSV, reportOf } from './report.ts';
import { renderStatus, statusOf } from './status.ts';
import { renderVersions } from './versions.ts';

const plain = picocolors.createColors(false);
const { controls, safe } = screenOf(true);
const condition = (type: string, status: 'True' | 'False', reason = type, message = `${reason}.`): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: ago(0),
});
const node = (name: string, status: NodeUpdateStatus) => ({ name, annotations: {}, status: { policy: 'default', ...status } });
const updated = { from: OLD, to: NEW, startedAt: ago(HOUR), finishedAt: ago(HOUR - 5 * MINUTE), outcome: 'Updated' };
const nodes = [
  node('node-2', {
    phase: 'Staged',
    reason: 'OutsideWindow',
    message: 'waits for the window',
    from: OLD,
    target: NEW,
    since: ago(2 * HOUR),
    behindSince: ago(800 * HOUR),
    conditions: [condition('Overdue', 'True')],
  }),
  node('node-10', { phase: 'Idle', reason: 'UpToDate', from: NEW, target: NEW, since: ago(MINUTE), history: [updated] }),
  node('node-1', {
    phase: 'Draining',
    reason: 'Draining',
    from: OLD,
    target: NEW,
    since: ago(MINUTE),
    behindSince: ago(HOUR),
    history: [{ ...updated, finishedAt: ago(2 * HOUR), startedAt: ago(3 * HOUR), outcome: 'DrainTimeout' }],
  }),
];
const byName = ['node-1', 'node-2', 'node-10'];
const fleet: Fleet = {
  policies: [
    aPolicy({
      status: {
        observedGeneration: 1,
        summary: '1/3 up to date',
        window: { open: false, nextChange: ago(-3 * HOUR) },
        conditions: [
          condition('Ready', 'True'),
          condition('Halted', 'True', 'FailureBudgetReached', 'halted: look'),
          condition('Progressing', 'False', 'Halted', 'halted: look'),
        ],
      },
    }),
  ],
  nodes: byName.map((name) => nodes.find((one) => one.name === name)!),
  unreadable: [],
};

describe('status', () => {
  test('says where all are, and what a person should know', () => {
    expect(renderStatus(statusOf(fleet, { names: [] }, NOW), false, plain)).toBe(
      `${[
        'POLICY   NOW     WINDOW          SUMMARY',
        'default  Halted  closed for 3 h  1/3 up to date',
        'default: Halted: halted: look',
        '',
        'NODE     POLICY   PHASE     VERSION          REASON         SINCE  OVERDUE',
        'node-1   default  Draining  1.26.0 → 1.26.1  Draining       1 min  -',
        'node-2   default  Staged    1.26.0 → 1.26.1  OutsideWindow  2 h    overdue',
        'node-10  default  Idle      1.26.1           UpToDate       1 min  -',
      ].join('\n')}\n`,
    );
    expect(renderStatus(statusOf(fleet, { names: [] }, NOW), true, plain)).toContain('33 d 8 h  waits for the window');
  });

  test('as data has all of it, and names narrow it', () => {
    const status = statusOf(fleet, { names: ['node-2'] }, NOW);
    expect(status).toMatchObject({ kind: 'Status', at: '2026-03-01T12:00:00.000Z', policies: [{ name: 'default', reason: 'Halted' }] });
    expect(status.nodes).toMatchObject([{ name: 'node-2', phase: 'Staged', reason: 'OutsideWindow', overdue: true }]);
  });

  test.each([
    [{ ...fleet, policies: [], nodes: [] }, /^There is no UpdatePolicy/],
    [
      { ...fleet, policies: [aPolicy({ generation: 2 })] },
      /default {2}Unseen {2}no controller has looked at it yet\ndefault: no controller has looked at its present spec yet/,
    ],
    [{ ...fleet, unreadable: ['nodeupdates/x'] }, /Left out.*nodeupdates\/x/],
  ])('%#', (of, words) => {
    expect(renderStatus(statusOf(of, { names: [] }, NOW), false, plain)).toMatch(words);
  });
});

describe('live', () => {
  const render = ({ nodes: shown }: ReturnType<typeof statusOf>) => `${shown.map(({ name }) => name).join(' ')}\n`;
  const status = statusOf(fleet, { names: [] }, NOW);
  const later = { ...status, nodes: status.nodes.map((one, index) => (index === 1 ? { ...one, phase: 'Draining' as const } : one)) };

  test('elsewhere than on a terminal only what has changed is said', () => {
    const said: string[] = [];
    const view = liveView(render, { print: (text) => said.push(text), isTTY: false, height: () => undefined, controls });
    for (const one of [status, status, later, later]) view(one);
    expect(said).toEqual(['node-1 node-2 node-10\n', 'node-2\n']);
  });

  test('a terminal is drawn anew in place, and never longer than it is', () => {
    const said: string[] = [];
    const view = liveView(() => 'a\nb\nc\nd\n', { print: (text) => said.push(text), isTTY: true, height: () => 4, controls });
    view(status);
    expect(said.map(safe)).toEqual(['\u001B[Ha\u001B[K\nb\u001B[K\n… 3 more lines\u001B[K\u001B[J']);
  });
});

test('history is in the order in which updates ended', () => {
  const entries = historyOf(fleet, { names: [] });
  expect(entries.map(({ node: name, outcome }) => [name, outcome])).toEqual([
    ['node-1', 'DrainTimeout'],
    ['node-10', 'Updated'],
  ]);
  expect(historyOf(fleet, { names: ['node-10'] })).toHaveLength(1);
  expect(renderHistory(entries, plain)).toBe(
    `${['NODE     FROM    TO      STARTED               TOOK   OUTCOME', 'node-1   1.26.0  1.26.1  2026-03-01T09:00:00Z  1 h    DrainTimeout', 'node-10  1.26.0  1.26.1  2026-03-01T11:00:00Z  5 min  Updated'].join('\n')}\n`,
  );
  expect(renderHistory([], plain)).toBe('No update has ended yet.\n');
});

describe('report', () => {
  const os = (version: string) => ({ version, variant: 'aws-k8s-1.31', arch: 'amd64' });
  const report = reportOf(
    fleet,
    [...byName.map((name) => ({ name, os: os(name === 'node-10' ? NEW : OLD) })), { name: 'stray', os: os(OLD) }],
    NOW,
  );

  test('says of each node whether it is behind, and for too long', () => {
    expect(report.nodes.map(({ node: name, compliance, deadline }) => [name, compliance, deadline])).toEqual([
      ['node-1', 'Behind', '2026-03-31T11:00:00.000Z'],
      ['node-2', 'Overdue', '2026-02-26T04:00:00.000Z'],
      ['node-10', 'UpToDate', undefined],
      ['stray', 'Unmanaged', undefined],
    ]);
    expect(renderReport(report, plain)).toMatch(/4 nodes: 1 Behind, 1 Overdue, 1 UpToDate, 1 Unmanaged, at 2026-03-01T12:00:00\.000Z\n$/);
  });

  test('as CSV has a header and one line a node', () => {
    expect(reportCSV(report).split('\r\n').slice(0, 3)).toEqual([
      'node,policy,variant,arch,version,target,behind_since,deadline,compliance,reason,reported_at',
      'node-1,default,aws-k8s-1.31,amd64,1.26.0,1.26.1,2026-03-01T11:00:00.000Z,2026-03-31T11:00:00.000Z,Behind,Draining,2026-03-01T12:00:00.000Z',
      'node-2,default,aws-k8s-1.31,amd64,1.26.0,1.26.1,2026-01-27T04:00:00.000Z,2026-02-26T04:00:00.000Z,Overdue,OutsideWindow,2026-03-01T12:00:00.000Z',
    ]);
  });

  test('a cell is quoted where it must be, and is never a formula', () => {
    expect(csv(['a', 'b'], [['x,"y"', '=1+1']])).toBe('a,b\r\n"x,""y""",\'=1+1\r\n');
  });
});

test('versions for people', () => {
  const text = renderVersions({
    client: '0.1.0',
    controllers: [{ pod: 'l/c-0', image: 'lockkeeper:0.1.0', ready: false }],
    agents: { '0.1.0': 2 },
    kubernetes: 'v1.36.3',
  });
  expect(text).toBe('Client: 0.1.0\nController: lockkeeper:0.1.0 (l/c-0, not Ready)\nAgents: 0.1.0 on 2 nodes\nKubernetes: v1.36.3\n');
});
