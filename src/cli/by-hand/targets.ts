import type { Annotations, PolicyView } from '../../core/world.ts';
import { RefusedError } from '../errors.ts';
import type { Fleet, FleetNode } from '../fleet.ts';

/** What a person's word is for: a policy with its nodes, or one node with its policy. */
export type Target =
  | { kind: 'policy'; policy: PolicyView; nodes: readonly FleetNode[] }
  | {
      kind: 'node';
      node: FleetNode;
      policy: PolicyView;
      /** What stands on the Node itself, which beats or joins what its NodeUpdate says; absent where the user may not read it. */
      onNode?: Annotations;
    };

/** What a command was told to act on. */
export interface Names {
  names: readonly string[];
  all?: boolean | undefined;
}

/**
 * The policies and nodes that are meant: `policy/NAME`, `node/NAME`, or a name that only one of them has; without any, the only policy
 * there is. Throws a RefusedError that says what to write.
 */
export function targetsOf(fleet: Fleet, { names, all = false }: Names): Target[] {
  const policy = (view: PolicyView): Target => ({
    kind: 'policy',
    policy: view,
    nodes: fleet.nodes.filter(({ status }) => status.policy === view.name),
  });
  const [first, second] = fleet.policies;
  if (names.length === 0) {
    if (first === undefined) throw new RefusedError('there is no UpdatePolicy in this cluster: apply one first (docs/rollout.md)');
    if (all) return fleet.policies.map(policy);
    if (second !== undefined)
      throw new RefusedError(`there are several UpdatePolicies: name one or more of ${listed(fleet.policies.map(({ name }) => name))}`);
    return [policy(first)];
  }
  return [...new Set(names)].map((given) => {
    const [prefix, name] = split(given);
    const view = prefix === 'node' ? undefined : fleet.policies.find((one) => one.name === name);
    const node = prefix === 'policy' ? undefined : fleet.nodes.find((one) => one.name === name);
    if (view !== undefined && node !== undefined)
      throw new RefusedError(`${name} is an UpdatePolicy and a node: write policy/${name} or node/${name}`);
    if (view !== undefined) return policy(view);
    if (node === undefined) throw new RefusedError(unknown(prefix, name));
    const own = fleet.policies.find((one) => one.name === node.status.policy);
    if (own === undefined)
      throw new RefusedError(
        `no UpdatePolicy selects node ${name}, so nothing would come of it: change the nodeSelector of one (see them: kubectl get updatepolicies)`,
      );
    return { kind: 'node', node, policy: own };
  });
}

const KINDS: Readonly<Record<string, 'policy' | 'node'>> = {
  policy: 'policy',
  updatepolicy: 'policy',
  up: 'policy',
  node: 'node',
  nodeupdate: 'node',
  nu: 'node',
};

function split(given: string): ['policy' | 'node' | undefined, string] {
  const at = given.indexOf('/');
  const kind = at === -1 ? undefined : KINDS[given.slice(0, at).toLowerCase()];
  return kind === undefined ? [undefined, given] : [kind, given.slice(at + 1)];
}

function unknown(prefix: 'policy' | 'node' | undefined, name: string): string {
  const see = 'see them all: kubectl lockkeeper status';
  if (prefix === 'policy') return `there is no UpdatePolicy named ${name}; ${see}`;
  const why = 'a node appears once its OS is Bottlerocket and a controller has seen it';
  return prefix === 'node'
    ? `Lockkeeper knows no node named ${name} (${why}); ${see}`
    : `there is no UpdatePolicy and no node named ${name} (${why}); ${see}`;
}

const MAX_LISTED = 10;

/** Names for people: at most ten, and how many more there are. */
export const listed = (names: readonly string[]): string =>
  names.length > MAX_LISTED ? `${names.slice(0, MAX_LISTED).join(', ')} and ${names.length - MAX_LISTED} more` : names.join(', ');
