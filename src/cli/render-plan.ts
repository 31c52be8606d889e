import type { Colors } from 'picocolors/types.js';
import type { Plan, PlanAssumption, PlanWarning, PolicyPlan } from '../api/plan.ts';
import { lasting } from '../core/lasting.ts';
import { inZone } from '../core/schedule.ts';
import { instant } from '../core/world.ts';
import { withVerbs } from './plugin-hints.ts';
import { table } from './table.ts';

const MINUTE = 60_000;

/** A plan for people. */
export function renderPlan(plan: Plan, colors: Colors): string {
  const blocks = [
    ...(plan.policies.length === 0 ? [['No UpdatePolicy keeps nodes up to date here: `kubectl lockkeeper plan -f FILE` plans one.']] : []),
    ...plan.policies.map((policy) => renderPolicy(policy, colors)),
    warnings(plan.warnings, colors),
    assumptions(plan),
  ];
  const shown = blocks.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return withVerbs(`${shown.join('\n\n')}\n`);
}

const SOURCES: Readonly<Record<PolicyPlan['source'], string>> = {
  InCluster: '',
  Changed: ' (as the file changes it)',
  New: ' (new, from the file)',
};

function renderPolicy(plan: PolicyPlan, colors: Colors): string[] {
  const { name, source, nodes, upToDate, steps, held, targets } = plan;
  const head = `${colors.bold(`UpdatePolicy ${name}`)}${SOURCES[source]}: ${upToDate} of ${nodes} nodes up to date`;
  if (steps.length === 0 && held.length === 0) return [`${head}, nothing to do`, ...warnings(plan.warnings, colors)];
  const todo = [`${steps.length} to update`, ...(held.length > 0 ? [colors.yellow(`${held.length} held`)] : [])].join(', ');
  return [
    `${head}, ${todo}`,
    ...targets.map(({ variant, arch, to }) => `  to ${to} for ${variant} (${arch})`),
    ...span(plan),
    ...stepLines(plan, colors),
    ...heldLines(plan, colors),
    ...(plan.warnings.length > 0 ? ['', ...warnings(plan.warnings, colors)] : []),
  ];
}

function span({ startsAt, endsAt, timeZone, complete, steps }: PolicyPlan): string[] {
  if (startsAt === undefined || endsAt === undefined) return ['  no node is begun as things stand'];
  const [from, to] = [instant(startsAt), instant(endsAt)].map((at) => inZone({ at: minute(at), timeZone }));
  const whole = complete
    ? 'until all nodes are updated'
    : `until ${steps.length === 1 ? 'that node is' : `those ${steps.length} nodes are`} updated`;
  return [`  from ${from}`, `  to   ${to}, ${lasting(instant(endsAt) - instant(startsAt))} ${whole}`];
}

const minute = (at: number): number => Math.round(at / MINUTE) * MINUTE;

function stepLines({ steps, timeZone }: PolicyPlan, colors: Colors): string[] {
  if (steps.length === 0) return [];
  const grouped = steps.some(({ group }) => group !== undefined);
  const zoned = steps.some(({ zone }) => zone !== undefined);
  const heads = [
    '#',
    'NODE',
    ...(grouped ? ['GROUP'] : []),
    ...(zoned ? ['ZONE'] : []),
    'FROM',
    'TO',
    `STARTS (${timeZone})`,
    'TAKES',
    'NOW',
  ];
  const rows = steps.map(({ order, node, group = '-', zone = '-', from, to, startsAt, endsAt, inFlight, now }) => [
    String(order),
    node,
    ...(grouped ? [group] : []),
    ...(zoned ? [zone] : []),
    from,
    to,
    inFlight ? 'in flight' : local(startsAt, timeZone),
    endsAt === undefined ? '-' : lasting(instant(endsAt) - instant(startsAt)),
    now.phase === now.reason ? now.phase : `${now.phase}: ${now.reason}`,
  ]);
  return ['', ...table(heads, rows, (cell, _, row) => (row === -1 ? colors.dim(cell) : cell))];
}

function heldLines({ held }: PolicyPlan, colors: Colors): string[] {
  if (held.length === 0) return [];
  return [
    '',
    colors.yellow('Not updated as things stand:'),
    ...held.flatMap(({ node, reason, message, pods = [] }) => [
      `  ${node}  ${colors.yellow(reason)}: ${pods.length > 0 ? 'pods may not be evicted:' : message}`,
      ...pods.map(({ pod, why }) => `    ${pod}: one of the ${why}`),
    ]),
  ];
}

function warnings(list: readonly PlanWarning[], colors: Colors): string[] {
  if (list.length === 0) return [];
  return list.map(({ name, message, endless }) =>
    endless ? `${colors.red('Never ends')} (${name}): ${message}` : `${colors.yellow('Note')} (${name}): ${message}`,
  );
}

function assumptions({ assumptions: list, policies }: Plan): string[] {
  if (policies.every(({ steps }) => steps.length === 0)) return [];
  return ['Assumed:', ...list.map((one) => `  ${assumption(one, policies.length > 1)}`)];
}

function assumption({ name, message, policy, variant, arch, seconds, samples }: PlanAssumption, several: boolean): string {
  const whose = several && policy !== undefined ? `${policy}: ` : '';
  const takes = seconds === undefined ? '' : lasting(seconds * 1_000);
  const measured = samples === undefined ? 'assumed, none has been measured' : `median of ${samples}`;
  switch (name) {
    case 'UpdateDuration':
      return `${whose}a node of ${variant} (${arch}) takes ${takes} ${message} (${measured})`;
    case 'StagingDuration':
      return `${whose}a download for ${variant} (${arch}) takes ${takes} (${measured})`;
    default:
      return `${whose}${message}`;
  }
}

/** A time in a zone, without naming that. */
function local(time: string, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(minute(instant(time)));
}
