import type { Colors } from 'picocolors/types.js';
import type { Phase } from '../../api/node-update.ts';
import type { Reason } from '../../core/reasons.ts';
import { asReason, REASONS } from '../../core/reasons.ts';
import { type AskedRule, whyNode } from '../../core/why.ts';
import type { Instant, World } from '../../core/world.ts';
import { RefusedError } from '../errors.ts';
import { withVerbs } from '../plugin-hints.ts';

/** Why a node is where it is, as `-o json` prints it: `why.lockkeeper.dev/v1alpha1`. */
export interface NodeWhy {
  apiVersion: 'why.lockkeeper.dev/v1alpha1';
  kind: 'Why';
  node: string;
  policy?: string;
  phase?: Phase;
  reason?: string;
  message?: string;
  /** The version that its rules are asked about. */
  version?: string;
  /** The rules in the order in which they are asked; the first that holds is the reason. */
  rules: readonly { rule: string; wants: string; holds: boolean; reason?: Reason; message?: string; change?: string }[];
  /** What would change where the node is. */
  change?: string;
}

/** Decides for a node as a controller would. Throws a RefusedError where it is none of ours. */
export function nodeWhy(world: World, name: string, now: Instant): NodeWhy {
  const node = world.nodes.find((one) => one.name === name);
  if (node === undefined) throw new RefusedError(`there is no node named ${name}: kubectl get nodes`);
  if (node.os === undefined) throw new RefusedError(`node ${name} does not run Bottlerocket: Lockkeeper leaves it alone`);
  const { status, asked, version } = whyNode(world, name, now);
  const reason = asReason(status?.reason) ?? (status === undefined ? 'NoPolicy' : undefined);
  const of = { node: name, policy: status?.policy ?? 'POLICY', version: version ?? status?.target ?? 'VERSION' };
  const change = reason === undefined ? undefined : changeOf(reason, of);
  return {
    apiVersion: 'why.lockkeeper.dev/v1alpha1',
    kind: 'Why',
    node: name,
    ...(status?.policy !== undefined && { policy: status.policy }),
    ...(status?.phase !== undefined && { phase: status.phase }),
    ...(reason !== undefined && { reason }),
    message: status?.message ?? REASONS.NoPolicy,
    ...(version !== undefined && { version }),
    rules: asked.map((rule) => ruleOf(rule, of)),
    ...(change !== undefined && { change }),
  };
}

function ruleOf({ rule, wants, hold }: AskedRule, of: Subject): NodeWhy['rules'][number] {
  if (hold === undefined) return { rule, wants, holds: false };
  const change = changeOf(hold.reason, of);
  return { rule, wants, holds: true, reason: hold.reason, message: hold.message, ...(change !== undefined && { change }) };
}

interface Subject {
  node: string;
  policy: string;
  version: string;
}

const CHANGES: Readonly<Partial<Record<Reason, (of: Subject) => string>>> = {
  NoPolicy: () => 'an UpdatePolicy whose nodeSelector selects it',
  AdmissionPolicyMissing: () => 'install the chart anew: helm upgrade',
  AgentMissing: ({ node }) =>
    `see its agent: kubectl get pods -A -o wide --field-selector spec.nodeName=${node} -l app.kubernetes.io/component=agent`,
  HostUnreachable: ({ node }) => `the agent reaching its host: kubectl logs of the agent on ${node} says what is in the way`,
  Paused: ({ node, policy }) => `kubectl lockkeeper resume ${node}, or ${policy}`,
  KnownBad: ({ node }) => `kubectl lockkeeper retry ${node}, or a newer release`,
  RolledBack: ({ node }) => `kubectl lockkeeper retry ${node}, or a newer release`,
  RolledBackByHost: ({ node }) => `kubectl lockkeeper retry ${node}, or a newer release`,
  CordonedByOther: ({ node }) => `kubectl uncordon ${node}`,
  AwaitingApproval: ({ policy, version }) => `kubectl lockkeeper approve ${version} ${policy}`,
  OutsideWindow: ({ policy, version }) => `time, or kubectl lockkeeper approve ${version} ${policy} --now`,
  InExclusion: ({ policy, version }) => `time, or kubectl lockkeeper approve ${version} ${policy} --now`,
  ReleaseTooYoung: () => 'time, or kubectl lockkeeper approve VERSION --now',
  WaveNotOpen: ({ policy, version }) => `time, or kubectl lockkeeper approve ${version} ${policy} --now`,
  Halted: ({ policy }) => `look at the nodes that failed, then: kubectl lockkeeper resume ${policy}`,
  GroupUntested: ({ policy }) => `mend a node of that group, or: kubectl lockkeeper skip ${policy}`,
  AwaitingGroup: ({ policy }) => `the nodes of that group (kubectl lockkeeper status), or: kubectl lockkeeper skip ${policy}`,
  GroupSoaking: ({ policy }) => `time, or: kubectl lockkeeper skip ${policy}`,
  AwaitingZone: () => 'the nodes of that zone: kubectl lockkeeper status',
  CapacityReached: () => 'the nodes that take the slots (kubectl lockkeeper status), or a higher spec.rollout.maxUnavailable',
  CheckFailed: () => 'what the check looks at',
  CannotEvict: () => "the pods and budgets that are named, or the policy's spec.drain",
  Draining: ({ node }) => `the pods that are named; to give up: kubectl lockkeeper skip ${node}`,
  DrainHeld: ({ node }) => `the pods that are named; to give up: kubectl lockkeeper skip ${node}`,
  NotOffered: ({ policy }) => `time, or another version: kubectl lockkeeper pin VERSION ${policy}`,
  DowngradeNotAllowed: ({ node }) => `spec.version.allowDowngrade, or: kubectl lockkeeper unpin ${node}`,
};

const changeOf = (reason: Reason, of: Subject): string | undefined => CHANGES[reason]?.(of);

/** The same for people: the reason, then each rule in its order. */
export function renderWhy({ node, policy, phase, reason, message, version, rules, change }: NodeWhy, colors: Colors): string {
  const where = [phase, policy === undefined ? 'in no policy' : `UpdatePolicy ${policy}`].filter((part) => part !== undefined).join(', ');
  const first = rules.findIndex(({ holds }) => holds);
  const width = Math.max(0, ...rules.map(({ rule }) => rule.length));
  const lines = [
    `${colors.bold(`node ${node}`)} (${where}): ${reason === undefined ? '' : `${colors.yellow(reason)}: `}${message ?? ''}`,
    ...(change === undefined ? [] : [`  what changes that: ${change}`]),
    '',
    ...(rules.length === 0
      ? ['No rule is asked now: it is on its way, waits for a download, or has nothing to do.']
      : [`Its rules, in their order, for ${version ?? 'its version'}:`]),
    ...rules.flatMap(({ rule, wants, holds, reason: why, message: words, change: changes }, index) => {
      const name = rule.padEnd(width);
      if (!holds) return [`  ${colors.green('passes')}  ${name}  ${wants}`];
      const mark = index === first ? '  <- the reason' : '';
      // What the reason is and what changes it has been said.
      const more = index === first || changes === undefined ? [] : [`  ${' '.repeat(width + 8)}  what changes that: ${changes}`];
      return [`  ${colors.yellow('holds ')}  ${name}  ${why}: ${words}${mark}`, ...more];
    }),
  ];
  return withVerbs(`${lines.join('\n')}\n`);
}
