import type { Colors } from 'picocolors/types.js';
import { durationMs } from '../../api/primitives.ts';
import { isCurrent } from '../../core/target.ts';
import { type Instant, instant, type NodeOS, timestamp } from '../../core/world.ts';
import type { Fleet } from '../fleet.ts';
import { compactTable, csv } from './output.ts';

/** Whether a node runs what it should: the word for the auditor. */
export type Compliance = 'UpToDate' | 'Behind' | 'Overdue' | 'Unmanaged' | 'Unknown';

/** A node in the report, as `-o json` prints it; times are RFC 3339 in UTC. */
export interface ReportRow {
  node: string;
  /** The policy that has it; absent where none has. */
  policy?: string;
  variant: string;
  arch: string;
  /** What it runs, by its kubelet's word. */
  version: string;
  /** What it should run. */
  target?: string;
  /** Since when it does not. */
  behindSince?: string;
  /** When `patchDeadline` is over. */
  deadline?: string;
  compliance: Compliance;
  /** Why it is where it is. */
  reason?: string;
}

/** The report, as `-o json` prints it: `report.lockkeeper.dev/v1alpha1`. */
export interface Report {
  apiVersion: 'report.lockkeeper.dev/v1alpha1';
  kind: 'PatchReport';
  at: string;
  nodes: readonly ReportRow[];
}

/** A Bottlerocket node by its own word. */
export interface ReportedNode {
  name: string;
  os: NodeOS;
}

/** Which nodes run what they should, since when others do not, and whether that is longer than their policy allows. */
export function reportOf({ policies, nodes }: Fleet, reported: readonly ReportedNode[], now: Instant): Report {
  const known = new Map(nodes.map((node) => [node.name, node]));
  const rows = reported.map(({ name, os }): ReportRow => {
    const status = known.get(name)?.status ?? {};
    const policy = policies.find((one) => one.name === status.policy);
    const { behindSince, target, reason } = status;
    const deadline =
      behindSince === undefined || policy === undefined ? Number.NaN : instant(behindSince) + durationMs(policy.spec.patchDeadline);
    const compliance = (): Compliance => {
      if (policy === undefined) return 'Unmanaged';
      if (status.phase === undefined) return 'Unknown';
      if (behindSince === undefined) return isCurrent(status) || target === os.version ? 'UpToDate' : 'Unknown';
      return deadline <= now ? 'Overdue' : 'Behind';
    };
    return {
      node: name,
      ...(policy !== undefined && { policy: policy.name }),
      ...os,
      ...(target !== undefined && policy !== undefined && { target }),
      ...(behindSince !== undefined && policy !== undefined && { behindSince }),
      ...(Number.isFinite(deadline) && { deadline: timestamp(deadline) }),
      compliance: compliance(),
      ...(reason !== undefined && { reason }),
    };
  });
  rows.sort((a, b) => a.node.localeCompare(b.node, 'en', { numeric: true }));
  return { apiVersion: 'report.lockkeeper.dev/v1alpha1', kind: 'PatchReport', at: timestamp(now), nodes: rows };
}

/** The header of the CSV; columns are only ever added at the end. */
export const REPORT_HEADER = [
  'node',
  'policy',
  'variant',
  'arch',
  'version',
  'target',
  'behind_since',
  'deadline',
  'compliance',
  'reason',
  'reported_at',
];

const cells = (row: ReportRow): string[] => [
  row.node,
  row.policy ?? '',
  row.variant,
  row.arch,
  row.version,
  row.target ?? '',
  row.behindSince ?? '',
  row.deadline ?? '',
  row.compliance,
  row.reason ?? '',
];

/** RFC 4180, with a header. */
export const reportCSV = ({ nodes, at }: Report): string =>
  csv(
    REPORT_HEADER,
    nodes.map((row) => [...cells(row), at]),
  );

const COLORS: Readonly<Record<Compliance, 'green' | 'yellow' | 'red' | 'dim'>> = {
  UpToDate: 'green',
  Behind: 'yellow',
  Overdue: 'red',
  Unmanaged: 'dim',
  Unknown: 'dim',
};

/** The report for people. */
export function renderReport({ nodes, at }: Report, colors: Colors): string {
  const counted = [...Map.groupBy(nodes, ({ compliance }) => compliance)].map(([name, of]) => `${of.length} ${name}`);
  const rows = nodes.map((row) => cells(row).map((cell) => cell.replace(/\.\d+Z$/, 'Z')));
  const paint = (cell: string, column: number, row: number): string => {
    if (row === -1) return colors.dim(cell);
    const compliance = nodes[row]?.compliance;
    return compliance !== undefined && cell === compliance && column > 3 ? colors[COLORS[compliance]](cell) : cell;
  };
  const heads = REPORT_HEADER.slice(0, -1).map((head) => head.toUpperCase().replace('_', ' '));
  const lines =
    nodes.length === 0
      ? ['There is no Bottlerocket node.']
      : [...compactTable(heads, rows, paint), '', `${nodes.length} nodes: ${counted.join(', ')}, at ${at}`];
  return `${lines.join('\n')}\n`;
}
