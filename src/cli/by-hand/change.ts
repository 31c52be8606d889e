import { type Kind, NODE_UPDATE, UPDATE_POLICY } from '../../api/kinds.ts';
import { type ByHand, mergeByHand, readByHand } from '../../core/by-hand.ts';
import type { Target } from './targets.ts';

/** What one call writes on one object, and what it says of it. */
export interface Change {
  kind: Kind;
  name: string;
  /** Annotations to set, or with null to remove; empty: there is nothing to do. */
  annotations: Readonly<Record<string, string | null>>;
  /** What was done, after the object's name: `paused`. Where there is nothing to do, the whole of why. */
  did: string;
  /** What comes of it, and how it is taken back. */
  next?: string;
  /** What it stops of what runs now, as a question to the user; absent where it stops nothing. */
  asks?: string;
}

/** What a command was told besides its names. */
export interface Ask {
  /** New with each call. */
  token: string;
  version?: string | undefined;
  now?: boolean | undefined;
  force?: boolean | undefined;
  all?: boolean | undefined;
}

/** What one command does with one target. Pure; throws a RefusedError where it makes no sense, which says what to do. */
export type Verb = (target: Target, ask: Ask) => Change;

const objectOf = (target: Target): Pick<Change, 'kind' | 'name'> =>
  target.kind === 'policy' ? { kind: UPDATE_POLICY, name: target.policy.name } : { kind: NODE_UPDATE, name: target.node.name };

/** How people call it. */
export const titleOf = (target: Target): string =>
  target.kind === 'policy' ? `UpdatePolicy ${target.policy.name}` : `node ${target.node.name}`;

/** How it is written in a command. */
export const wordOf = (target: Target): string => (target.kind === 'policy' ? target.policy.name : target.node.name);

/** A change that writes annotations. */
export function change(target: Target, annotations: Change['annotations'], did: string, next?: string, asks?: string): Change {
  return { ...objectOf(target), annotations, did, ...(next !== undefined && { next }), ...(asks !== undefined && { asks }) };
}

/** No change: what is asked for is so already. */
export const nothing = (target: Target, why: string): Change => ({ ...objectOf(target), annotations: {}, did: `${why}: nothing to do` });

/** What was asked on the object that is written: the policy, or the NodeUpdate. */
export const askedOn = (target: Target): ByHand =>
  readByHand(target.kind === 'policy' ? target.policy.annotations : target.node.annotations);

/** What was asked on the Node itself; nothing for a policy. */
export const askedOnNode = (target: Target): ByHand => readByHand(target.kind === 'node' ? (target.onNode ?? {}) : {});

/** All that was asked of a target, as the controller reads it. */
export const askedOf = (target: Target): ByHand => mergeByHand(askedOnNode(target), askedOn(target));

/** The command that removes an annotation from the Node itself, which this program never writes. */
export const removeFromNode = (node: string, annotation: string): string => `kubectl annotate node ${node} ${annotation}-`;
