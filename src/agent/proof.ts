import type { NodeHostStatus } from '../api/node-host.ts';
import { versionSchema } from '../api/primitives.ts';
import type { HostCommand, UpdateStatus } from './host-answers.ts';

/** A staged version with the answer that proved it, and our last command since. */
export type Staged = NonNullable<NodeHostStatus['staged']>;

/** The updater's own word for what it writes: the host's API has no field for it. */
const STARTING = /^Starting update to (\S+)$/gm;

/** The version that a prepare wrote by its own account; undefined where the command is no such proof. */
export function provenVersion(command: HostCommand | undefined): string | undefined {
  if (command?.type !== 'prepare' || !command.succeeded) return undefined;
  const versions = new Set([...command.stderr.matchAll(STARTING)].map(([, version]) => version));
  const [version] = versions;
  return versions.size === 1 && versionSchema().safeParse(version).success ? version : undefined;
}

/** Nobody but us has used the update API since the proof was recorded: it still says what is staged. */
export function proofHolds(staged: Staged | undefined, status: UpdateStatus | undefined): boolean {
  if (staged === undefined || status === undefined) return false;
  return (status.state === 'Staged' || status.state === 'Ready') && status.command?.timestamp === staged.lastCommandAt;
}

/** The proof after a command of our own; undefined where there is none any more. */
export function proofAfter(staged: Staged | undefined, before: UpdateStatus | undefined, after: UpdateStatus): Staged | undefined {
  const { command } = after;
  if (command === undefined) return undefined;
  if (command.type === 'prepare') return proofOf(after);
  return staged && proofHolds(staged, before) ? { ...staged, lastCommandAt: command.timestamp } : undefined;
}

/** The proof that a host's last command is by itself, if it is a prepare. */
export function proofOf(status: UpdateStatus | undefined): Staged | undefined {
  const version = provenVersion(status?.command);
  if (version === undefined || status?.state !== 'Staged' || status.command === undefined) return undefined;
  return { version, provenAt: status.command.timestamp, lastCommandAt: status.command.timestamp };
}

/**
 * The host's own word that a reboot which was to follow on an activation has not been started under this boot: nothing
 * has been activated since the proof was recorded, or the activation failed. See docs/adr/0002-agent-reboot-fence.md.
 */
export function activationNeverHappened(staged: Staged | undefined, status: UpdateStatus | undefined): boolean {
  if (staged === undefined || status?.state !== 'Staged') return false;
  return proofHolds(staged, status) || (status.command?.type === 'activate' && !status.command.succeeded);
}
