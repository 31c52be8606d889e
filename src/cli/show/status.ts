import type { Colors } from 'picocolors/types.js';
import type { Phase } from '../../api/node-update.ts';
import type { Condition } from '../../api/primitives.ts';
import { conditionOf, NODE_CONDITIONS } from '../../core/conditions.ts';
import { lasting } from '../../core/lasting.ts';
import { type Instant, instant, timestamp } from '../../core/world.ts';
import { type Names, targetsOf } from '../by-hand/targets.ts';
import type { Fleet, FleetNode } from '../fleet.ts';
import { withVerbs } from '../plugin-hints.ts';
import { compactTable } from './output.ts';

/** The conditions of a policy that people are told of while they hold. */
const TOLD = ['Halted', 'Paused', 'BadRelease', 'Urgent', 'Overdue'] as const;

/** Where the policies and their nodes are, as `-o json` prints it: `status.lockkeeper.dev/v1alpha1`. */
export interface Status {
  apiVersion: 'status.lockkeeper.dev/v1alpha1';
  kind: 'Status';
  /** By the API server's clock. */
  at: string;
  policies: readonly PolicyStatus[];
  nodes: readonly NodeStatus[];
  /** Objects that this version of the program cannot read. */
  unreadable?: readonly string[];
}

interface PolicyStatus {
  name: string;
  summary: string;
  /** What holds or moves it now. */
  reason: string;
  message: string;
  /** Of Ready, Halted, Paused, BadRelease, Urgent and Overdue, those that a person should know of. */
  conditions: readonly { type: string; status: string; reason: string; message: string }[];
  window?: { open: boolean; nextChange?: string | undefined };
}

interface NodeStatus {
  name: string;
  policy?: string;
  phase?: Phase;
  from?: string;
  target?: string;
  /** The phase that follows by itself. */
  next?: Phase;
  reason?: string;
  message?: string;
  since?: string;
  behindSince?: string;
  retryAt?: string;
  overdue: boolean;
}

/** What is to be shown of a fleet; names of policies and nodes narrow it. */
export function statusOf(fleet: Fleet, names: Names, now: Instant): Status {
  const wanted = names.names.length === 0 ? fleet : narrowed(fleet, names);
  return {
    apiVersion: 'status.lockkeeper.dev/v1alpha1',
    kind: 'Status',
    at: timestamp(now),
    policies: wanted.policies.map(policyStatus),
    nodes: wanted.nodes.map(nodeStatus),
    ...(fleet.unreadable.length > 0 && { unreadable: fleet.unreadable }),
  };
}

function narrowed(fleet: Fleet, names: Names): Pick<Fleet, 'policies' | 'nodes'> {
  const targets = targetsOf(fleet, names);
  const policies = new Set(targets.map(({ policy }) => policy.name));
  const nodes = new Set(
    targets.flatMap((target) => (target.kind === 'policy' ? target.nodes.map(({ name }) => name) : [target.node.name])),
  );
  return { policies: fleet.policies.filter(({ name }) => policies.has(name)), nodes: fleet.nodes.filter(({ name }) => nodes.has(name)) };
}

function policyStatus({ name, status, generation }: Fleet['policies'][number]): PolicyStatus {
  const conditions = status.conditions ?? [];
  const find = (type: string): Condition | undefined => conditions.find((condition) => condition.type === type);
  const ready = find('Ready');
  const told = [
    ...(ready?.status === 'False' ? [ready] : []),
    ...TOLD.flatMap((type) => (find(type)?.status === 'True' ? [find(type)] : [])),
  ];
  const progress = find('Progressing');
  const seen = status.observedGeneration === generation;
  return {
    name,
    summary: status.summary ?? 'no controller has looked at it yet',
    reason: progress?.reason ?? 'Unseen',
    message: seen ? (progress?.message ?? '') : 'no controller has looked at its present spec yet',
    conditions: told.flatMap((one) =>
      one === undefined ? [] : [{ type: one.type, status: one.status, reason: one.reason, message: one.message }],
    ),
    ...(status.window !== undefined && { window: status.window }),
  };
}

function nodeStatus({ name, status }: FleetNode): NodeStatus {
  const { policy, phase, from, target, next, reason, message, since, behindSince, retryAt } = status;
  const told = { policy, phase, from, target, next, reason, message, since, behindSince, retryAt };
  const present = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)) as Omit<
    NodeStatus,
    'name' | 'overdue'
  >;
  return { name, ...present, overdue: conditionOf(status, NODE_CONDITIONS.overdue) !== undefined };
}

const PAINTED: Readonly<Partial<Record<string, 'green' | 'yellow' | 'red' | 'cyan'>>> = {
  UpToDate: 'green',
  Draining: 'cyan',
  Rebooting: 'cyan',
  Verifying: 'cyan',
  Uncordoning: 'cyan',
  Soaking: 'cyan',
  RollingBack: 'yellow',
  Blocked: 'yellow',
  RolledBack: 'yellow',
  Failed: 'red',
};

/** A status for people; `wide` adds each node's message, and since when it is behind. */
export function renderStatus({ policies, nodes, at, unreadable = [] }: Status, wide: boolean, colors: Colors): string {
  const now = instant(at);
  const dim = (cell: string, _: number, row: number): string => (row === -1 ? colors.dim(cell) : cell);
  const blocks: string[][] = [];
  if (policies.length === 0 && nodes.every(({ policy }) => policy === undefined))
    blocks.push(['There is no UpdatePolicy: no node is kept up to date (docs/rollout.md).']);
  else if (policies.length > 0)
    blocks.push([
      ...compactTable(
        ['POLICY', 'NOW', 'WINDOW', 'SUMMARY'],
        policies.map(({ name, reason, window, summary }) => [name, reason, windowText(window, now), summary]),
        dim,
      ),
      ...policies.flatMap(({ name, conditions, reason, message }) => [
        ...conditions.map((one) => `${colors.yellow(`${name}: ${one.type === 'Ready' ? one.reason : one.type}`)}: ${one.message}`),
        ...(conditions.length === 0 && reason !== 'UpToDate' && reason !== 'RollingOut' && message !== '' ? [`${name}: ${message}`] : []),
      ]),
    ]);
  if (nodes.length > 0) {
    const paint = (cell: string, column: number, row: number): string => {
      const color = row === -1 ? 'dim' : column === 2 || column === 4 ? PAINTED[cell] : undefined;
      return color === undefined ? cell : colors[color](cell);
    };
    const heads = ['NODE', 'POLICY', 'PHASE', 'VERSION', 'REASON', 'SINCE', 'OVERDUE', ...(wide ? ['BEHIND', 'MESSAGE'] : [])];
    const rows = nodes.map((node) => [
      node.name,
      node.policy ?? '',
      node.phase ?? '',
      versionText(node),
      node.reason ?? '',
      age(node.since, now),
      node.overdue ? 'overdue' : '',
      ...(wide ? [age(node.behindSince, now), node.message ?? ''] : []),
    ]);
    blocks.push(compactTable(heads, rows, paint));
  }
  if (unreadable.length > 0)
    blocks.push([`Left out, for this version of the program cannot read them: ${unreadable.slice(0, 10).join(', ')}`]);
  return withVerbs(`${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`);
}

function versionText({ from = '', target }: NodeStatus): string {
  return target === undefined || target === from ? from : `${from} → ${target}`;
}

function windowText(window: PolicyStatus['window'], now: Instant): string {
  if (window === undefined) return '';
  const { open, nextChange } = window;
  const when = nextChange === undefined ? '' : ` for ${lasting(Math.max(0, instant(nextChange) - now))}`;
  return `${open ? 'open' : 'closed'}${when}`;
}

const age = (since: string | undefined, now: Instant): string => (since === undefined ? '' : lasting(Math.max(0, now - instant(since))));
