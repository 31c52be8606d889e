import { explain, MissingRightsError, NotInstalledError, RefusedError, UsageError } from '../../cli/errors.ts';
import { CredentialsError } from '../../kube/credentials.ts';
import { ApiError, ApiUnreachableError } from '../../kube/errors.ts';
import type { Problem } from '../wire.ts';

/** Something went wrong that the page is told as it is. */
export class ProblemError extends Error {
  readonly retryable = false;
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.message);
    this.name = 'ProblemError';
    this.status = status;
    this.problem = problem;
  }
}

/** What the page is told of an error, and the status of the answer. */
export function problemOf(error: unknown): { status: number; problem: Problem } {
  if (error instanceof ProblemError) return error;
  const message = explain(error);
  if (error instanceof MissingRightsError) {
    const { rights, role } = error;
    return { status: 403, problem: { code: 'MissingRights', message, rights, ...(role !== undefined && { role }) } };
  }
  if (error instanceof RefusedError || error instanceof NotInstalledError) return { status: 409, problem: { code: 'Refused', message } };
  if (error instanceof UsageError) return { status: 400, problem: { code: 'Invalid', message } };
  // That the API server does not know the user says nothing against the token of this dashboard.
  if (error instanceof CredentialsError || (error instanceof ApiError && error.status === 401))
    return { status: 502, problem: { code: 'Unauthorized', message } };
  if (error instanceof ApiUnreachableError) return { status: 502, problem: { code: 'Unreachable', message } };
  // Body parsers say by a status what is wrong with a body.
  if (
    error instanceof Error &&
    'status' in error &&
    typeof error.status === 'number' &&
    error.status >= 400 &&
    error.status < 500 &&
    !(error instanceof ApiError)
  )
    return { status: error.status, problem: { code: 'Invalid', message } };
  return { status: 500, problem: { code: 'Failed', message } };
}
