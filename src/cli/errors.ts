import { API_VERSION } from '../api/names.ts';
import { CredentialsError } from '../kube/credentials.ts';
import { ApiError, ApiUnreachableError } from '../kube/errors.ts';
import { visible } from '../kube/visible.ts';

/** What a command's exit code says. */
export const EXIT = {
  ok: 0,
  /** Something went wrong. */
  failed: 1,
  /** The command line, a file or the kubeconfig makes no sense. */
  usage: 2,
  /** The user lacks a right. */
  forbidden: 3,
  /** Stopped by Ctrl-C. */
  interrupted: 130,
} as const;

/** A right that the user lacks. */
export interface Right {
  verb: 'get' | 'list' | 'watch' | 'create' | 'patch' | 'update' | 'delete';
  /** `pods`, `updatepolicies.lockkeeper.dev`, `nodeupdates/status.lockkeeper.dev`. */
  resource: string;
  /** The only object that it is wanted for. */
  name?: string;
  /** Where it is wanted; absent: in all of the cluster. */
  namespace?: string;
}

/** The API server refuses what a command has to read; the message names each right. */
export class MissingRightsError extends Error {
  readonly retryable = false;
  readonly rights: readonly Right[];
  /** The chart's ClusterRole that has them, if there is one. */
  readonly role: string | undefined;

  /** `role` is the chart's ClusterRole that has them all, if there is one; `said` are the API server's own words, for a refusal may be about whom the user acts as, or an admission policy's. */
  constructor(rights: readonly Right[], role: string | undefined, said?: string) {
    const lines = [...new Set(rights.map(describe))];
    const words = said === undefined ? '' : `\nThe API server says: ${visible(said)}`;
    const help =
      role === undefined
        ? 'No ClusterRole for people has all of this: have an administrator of the cluster run it.'
        : `The chart's ClusterRole ${role} has all that this command needs; have an administrator bind it to you:\n  kubectl create clusterrolebinding ${role}-NAME --clusterrole=${role} --user=NAME`;
    super(`you lack ${lines.length === 1 ? 'a right' : 'rights'} in this cluster:\n${lines.join('\n')}\n${help}${words}`);
    this.name = 'MissingRightsError';
    this.rights = rights;
    this.role = role;
  }
}

const describe = ({ verb, resource, name, namespace }: Right): string =>
  `  ${verb} ${resource}${name === undefined ? '' : ` ${name}`}${namespace === undefined ? ' (cluster-wide)' : ` (in ${namespace})`}`;

/** The command line makes no sense, or lacks a confirmation; the message says what to write. */
export class UsageError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The user stopped it; the message says what that leaves, and what to do. */
export class InterruptedError extends Error {
  readonly retryable = true;

  constructor(message: string) {
    super(message);
    this.name = 'InterruptedError';
  }
}

/** What was asked for makes no sense in this cluster as it is; the message says what to do. */
export class RefusedError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'RefusedError';
  }
}

/** The cluster has no Lockkeeper. */
export class NotInstalledError extends Error {
  readonly retryable = false;

  constructor() {
    super(
      `this cluster does not know the kinds of ${API_VERSION}: install the chart first, or choose another cluster with --context or --kubeconfig`,
    );
    this.name = 'NotInstalledError';
  }
}

/** What a person is told of an error, and what to do about it. */
export function explain(error: unknown): string {
  if (error instanceof ApiUnreachableError)
    return `cannot reach the API server: ${error.message}${causeOf(error)}\nIs it the right cluster? --context and --kubeconfig choose another one.`;
  if (error instanceof ApiError && error.status === 401)
    return 'the API server does not know you: log in again, or choose another user with --context or --kubeconfig';
  if (error instanceof CredentialsError) return `${error.message}${causeOf(error)}`;
  return error instanceof Error ? error.message : String(error);
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
}
