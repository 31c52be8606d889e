import { BY_HAND } from '../api/names.ts';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { isVersion } from './versions.ts';
import type { Annotations } from './world.ts';

/** What people asked for by annotations on one object; what makes no sense is listed, and set to nothing. */
export interface ByHand {
  paused: boolean;
  pin?: string;
  approved?: string;
  /** The version that is wanted now, whatever the calendar says. */
  urgent?: string;
  retry?: string;
  /** Asks for one reboot without a new version. */
  reboot?: string;
  resume?: string;
  skip?: string;
  clearBadRelease?: string;
  /** One sentence for each annotation whose value cannot be read. */
  problems: readonly string[];
}

const MAX_TOKEN = 256;

/** The command that gives an object a new token, to be pasted as it is: each counts once. Nobody needs a right to patch Nodes for it. */
export const tokenCommand = (kind: 'updatepolicy' | 'nodeupdate', name: string, annotation: string): string =>
  `kubectl annotate ${kind} ${name} --overwrite ${annotation}=$(date +%s)`;

/** What was asked of most objects. */
const NOTHING: ByHand = { paused: false, problems: [] };
const NAMES: ReadonlySet<string> = new Set(Object.values(BY_HAND));

/** Reads the annotations that people write. Never throws: an unreadable value is a problem that it names. */
export function readByHand(annotations: Annotations): ByHand {
  if (!Object.keys(annotations).some((name) => NAMES.has(name))) return NOTHING;
  const problems: string[] = [];
  const read = <T>(name: string, parse: (value: string) => T | undefined, wanted: string): T | undefined => {
    const value = annotations[name];
    if (value === undefined || value === '') return undefined;
    const parsed = parse(value);
    if (parsed === undefined) problems.push(`annotation ${name} is ${JSON.stringify(value.slice(0, 64))}, but must be ${wanted}`);
    return parsed;
  };
  const version = (value: string) => (isVersion(value) ? value : undefined);
  const token = (value: string) => (value.length <= MAX_TOKEN ? value : undefined);
  const pin = read(BY_HAND.pinVersion, version, 'a version such as 1.26.1');
  const approved = read(BY_HAND.approvedVersion, version, 'a version such as 1.26.1');
  const urgent = read(BY_HAND.urgent, version, 'a version such as 1.26.1');
  const retry = read(BY_HAND.retry, token, `at most ${MAX_TOKEN} characters`);
  const reboot = read(BY_HAND.reboot, token, `at most ${MAX_TOKEN} characters`);
  const resume = read(BY_HAND.resume, token, `at most ${MAX_TOKEN} characters`);
  const clearBadRelease = read(BY_HAND.clearBadRelease, token, `at most ${MAX_TOKEN} characters`);
  const skip = read(BY_HAND.skip, token, `at most ${MAX_TOKEN} characters`);
  const paused = read(BY_HAND.paused, (value) => (value === 'true' ? true : value === 'false' ? false : undefined), '"true" or "false"');
  return {
    paused: paused ?? false,
    ...(pin !== undefined && { pin }),
    ...(approved !== undefined && { approved }),
    ...(urgent !== undefined && { urgent }),
    ...(retry !== undefined && { retry }),
    ...(reboot !== undefined && { reboot }),
    ...(resume !== undefined && { resume }),
    ...(skip !== undefined && { skip }),
    ...(clearBadRelease !== undefined && { clearBadRelease }),
    problems,
  };
}

/** Whether a version is urgent for a node: by its own word, or by its policy's. */
export const isUrgent = (version: string, node: Pick<ByHand, 'urgent'>, policy: Pick<ByHand, 'urgent'> | undefined): boolean =>
  node.urgent === version || policy?.urgent === version;

/** Joins what was asked on a NodeUpdate and on its Node: any pause pauses, any token counts, the Node's versions come first. */
export function mergeByHand(node: ByHand, update: ByHand): ByHand {
  if (update === NOTHING) return node;
  const merged = { ...update, ...node, paused: node.paused || update.paused, problems: [...node.problems, ...update.problems] };
  for (const name of ['retry', 'reboot', 'skip'] as const) {
    const tokens = [node[name], update[name]].filter((token) => token !== undefined);
    if (tokens.length === 2) merged[name] = tokens.join(BETWEEN);
  }
  return merged;
}

/** Stands between the tokens of a Node and of its NodeUpdate; in an annotation's value it is a token's end, too. */
const BETWEEN = '\n';

/** Whether one of the tokens that are there has not been acted upon. */
function isNew(tokens: string | undefined, acted = ''): boolean {
  if (tokens === undefined) return false;
  const known = new Set(acted.split(BETWEEN));
  return tokens.split(BETWEEN).some((token) => !known.has(token));
}

/** Whether a `retry` token, of a node or of its policy, has not been acted upon yet. */
export function isRetried({ tokens }: NodeUpdateStatus, node: ByHand, policy: ByHand | undefined): boolean {
  return isNew(node.retry, tokens?.retry) || isNew(policy?.retry, tokens?.policyRetry);
}

/** Tokens that ask for a reboot, as a node's status keeps them once it has rebooted. */
export type RebootTokens = Pick<NonNullable<NodeUpdateStatus['tokens']>, 'reboot' | 'policyReboot'>;

/** The `reboot` tokens, of a node and of its policy, where one has not been acted upon yet. */
export function rebootAskedBy(
  { tokens }: Pick<NodeUpdateStatus, 'tokens'>,
  node: { reboot?: string | undefined },
  policy: { reboot?: string | undefined } | undefined,
): RebootTokens | undefined {
  const reboot = isNew(node.reboot, tokens?.reboot) ? node.reboot : undefined;
  const policyReboot = isNew(policy?.reboot, tokens?.policyReboot) ? policy?.reboot : undefined;
  if (reboot === undefined && policyReboot === undefined) return undefined;
  return { ...(reboot !== undefined && { reboot }), ...(policyReboot !== undefined && { policyReboot }) };
}

/** Whether a `skip` token of a node has not been acted upon yet. */
export const isSkipped = ({ tokens }: NodeUpdateStatus, { skip }: ByHand): boolean => isNew(skip, tokens?.skip);

/** A node's tokens once those that are there now have been acted upon; a reboot's are kept only when it has come about. */
export function tokensOf({ tokens }: NodeUpdateStatus, node: ByHand, policy: ByHand | undefined): NodeUpdateStatus['tokens'] {
  if (node.retry === undefined && node.skip === undefined && policy?.retry === undefined) return tokens;
  return {
    ...tokens,
    ...(node.retry !== undefined && { retry: node.retry }),
    ...(node.skip !== undefined && { skip: node.skip }),
    ...(policy?.retry !== undefined && { policyRetry: policy.retry }),
  };
}
