import { MANAGED_LABEL, ON_NODE } from '../api/names.ts';
import type { NodeHostStatus } from '../api/node-host.ts';
import type { Command, Decision, NodeDecision, Verdict } from './command.ts';
import { decide } from './decide.ts';
import { cancelOrderID, hasRebooted, inFlight, returnOf } from './flight/flight.ts';
import { enter, LANDED } from './status.ts';
import type { Instant, NodeView, World } from './world.ts';

/** What a release has not brought about yet on a node, and what a person can do where it never will. */
export interface Left {
  node: string;
  why: string;
  todo?: string;
  /** No waiting will change it. */
  forGood: boolean;
}

/**
 * The decision that gives every node back: as if all policies were being deleted, so that nothing is begun and what is in flight comes
 * home by its record; what has rebooted is not verified any further. A node that is home loses what is ours on it, once its host is as
 * it was. Pure and repeatable; `handOver` says that all is done.
 */
export function decideRelease(world: World, now: Instant): Decision {
  const policies = world.policies.map((policy) => ({ ...policy, deleting: true }));
  const decision = decide({ ...world, policies }, now);
  const decided = new Map(decision.nodes.map((one) => [one.node, one]));
  const statuses = new Map(world.policies.map(({ name, status }) => [name, status]));
  const claimed = claimedUIDs(world);
  return {
    ...decision,
    // What it remembers of its rollouts stays: only the lock is opened.
    policies: decision.policies.flatMap(({ policy, claims }) =>
      claims === undefined ? [] : [{ policy, claims, status: { ...statuses.get(policy), claims: [...claims] } }],
    ),
    nodes: world.nodes.map((node) => nodeDecision(node, decided.get(node.name), claimed.has(node.uid), now)),
    handOver: leftToRelease(world).length === 0,
  };
}

function nodeDecision(node: NodeView, decided: NodeDecision | undefined, claimed: boolean, now: Instant): NodeDecision {
  const away = node.record !== undefined || claimed;
  if (away && decided !== undefined) return homebound(node, decided, now);
  const status = node.update?.status ?? {};
  const verdict: Verdict = { reason: 'Released', message: 'released: Lockkeeper leaves the node alone' };
  return {
    node: node.name,
    commands: away ? [] : groundCommands(node, now),
    status: enter(status, 'Idle', verdict, now, { ...LANDED, policy: undefined }),
  };
}

/** A node in flight comes home as it would if its policy were gone; once it has rebooted, nothing but its hooks is waited for. */
function homebound(node: NodeView, decided: NodeDecision, now: Instant): NodeDecision {
  const { record, update } = node;
  const commands = decided.commands.filter((command) => !setsUp(command));
  const rebooted = typeof record === 'object' && hasRebooted({ node, record: returnOf(record) });
  if (!rebooted || decided.status.phase === 'Uncordoning' || commands.some(({ type }) => type === 'Uncordon'))
    return { ...decided, commands };
  const verdict: Verdict = { reason: 'TakenBack', message: 'given back after its reboot, without waiting for more' };
  const change = { ...inFlight({ record }), drain: undefined, next: 'Idle' } as const;
  const status = enter(update?.status ?? {}, 'Uncordoning', verdict, now, change);
  const create = commands.filter(({ type }) => type === 'CreateObjects');
  return { node: node.name, status, commands: [...create, { type: 'WriteStatus', status }] };
}

/** Nothing is set up any more but what a node in flight needs to remember. */
const setsUp = (command: Command): boolean =>
  command.type === 'LabelManaged' || command.type === 'SetRefresh' || (command.type === 'CreateObjects' && command.host);

function groundCommands(node: NodeView, now: Instant): Command[] {
  const host = hostNeeds(node);
  // Without any agent left there is nobody to wait for.
  if (host === 'nothing' || (host === 'answer' && node.agent === 'unknown')) return carriesOurs(node) ? [{ type: 'Sweep' }] : [];
  const claim = `${node.uid.slice(0, 13)}-${now.toString(36)}`;
  return host === 'cancel' ? [{ type: 'Order', order: { id: cancelOrderID({ claim }), action: 'Cancel' } }] : [];
}

/** What a host still needs to be as it was before us: a Cancel, its agent's answer to one, or nothing. */
export function hostNeeds({ host, agent }: NodeView): 'cancel' | 'answer' | 'nothing' {
  if (host === undefined) return 'nothing';
  const { order } = host.spec;
  const { answer, savedSettings } = host.status;
  const answered = order !== undefined && answer?.id === order.id && isFinal(answer);
  if (order?.action === 'Cancel') {
    if (savedSettings !== undefined) return 'answer';
    return answered || agent !== 'ready' ? 'nothing' : 'answer';
  }
  if (savedSettings !== undefined) return 'cancel';
  return order === undefined || answered ? 'nothing' : 'cancel';
}

const isFinal = ({ state }: NonNullable<NodeHostStatus['answer']>): boolean => state !== 'Running' && state !== 'RebootAsked';

/** What a released node does not carry: our label, our fence, our taint. */
const carriesOurs = ({ labels, annotations, outdated }: NodeView): boolean =>
  MANAGED_LABEL in labels || ON_NODE.fence in annotations || outdated === true;

const claimedUIDs = ({ policies }: World): Set<string> =>
  new Set(policies.flatMap(({ status }) => (status.claims ?? []).map(({ uid }) => uid)));

/** What is not released yet, by node, in the words of who must wait or do something. */
export function leftToRelease(world: World): Left[] {
  const claimed = claimedUIDs(world);
  return world.nodes.flatMap((node) => leftOn(node, claimed) ?? []);
}

function leftOn(node: NodeView, claimed: ReadonlySet<string>): Left | undefined {
  const { name, record, update, host, agent } = node;
  const byHand = `kubectl uncordon ${name} && kubectl annotate node ${name} ${ON_NODE.cordon}-`;
  if (record === 'unreadable')
    return {
      node: name,
      why: 'its record cannot be read, so nobody knows what it was like before',
      todo: `if the cordon is not an administrator's: ${byHand}`,
      forGood: true,
    };
  if (record !== undefined) {
    const why = update?.status.message ?? 'it is in flight';
    return { node: name, why, todo: `when its machine is back, run this again; where it never will be: ${byHand}`, forGood: false };
  }
  if (claimed.has(node.uid)) return { node: name, why: 'its claim is being given up', forGood: false };
  const needs = hostNeeds(node);
  const saved = host?.status.savedSettings;
  if (needs !== 'nothing' && saved !== undefined) {
    const { versionLock = 'latest', ignoreWaves = false } = saved;
    return {
      node: name,
      why:
        agent === 'ready'
          ? 'its agent has not restored the host’s settings yet'
          : 'the host’s settings are changed, and no agent answers there',
      todo: `on the host: apiclient set updates.version-lock=${versionLock} updates.ignore-waves=${ignoreWaves}; then: kubectl delete nodehost ${name}`,
      forGood: agent === 'unknown' && !carriesOurs(node) && needs === 'answer',
    };
  }
  if (needs !== 'nothing') return { node: name, why: 'its agent has not answered the Cancel yet', forGood: false };
  return carriesOurs(node) ? { node: name, why: 'our label and annotations are being removed', forGood: false } : undefined;
}
