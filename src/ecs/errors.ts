/** A call of an AWS API that failed for good, or after the retries of the SDK. */
export class AwsError extends Error {
  /** A later pass may succeed without anybody doing anything. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'AwsError';
    this.retryable = retryable;
  }
}

/** The credentials do not allow an action; the message names it, and the resource. */
export class AwsDenied extends AwsError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, false, options);
    this.name = 'AwsDenied';
  }
}

/** The credentials are missing, expired or wrong: no action would be allowed. */
export class AwsCredentialsError extends AwsError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, true, options);
    this.name = 'AwsCredentialsError';
  }
}

/** Systems Manager does not know an instance, or has lost it. */
export class HostNotManaged extends AwsError {
  constructor(message: string, options: ErrorOptions = {}) {
    super(message, true, options);
    this.name = 'HostNotManaged';
  }
}

/** What was decided upon is no longer so: nothing is wrong, the next round decides anew. */
export class Stale extends Error {
  readonly retryable = true;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'Stale';
  }
}

/** This process may no longer act: another one may hold the lease by now. */
export class NotLeading extends Error {
  readonly retryable = true;

  constructor() {
    super('the lease is not held any more: nothing more is done');
    this.name = 'NotLeading';
  }
}

const DENIED = new Set(['AccessDeniedException', 'AccessDenied', 'UnauthorizedOperation']);
const CREDENTIALS = new Set([
  'ExpiredTokenException',
  'ExpiredToken',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'AuthFailure',
  'CredentialsProviderError',
  'TokenProviderError',
]);

/** What went wrong with `action` (such as `ecs:StopTask`) on `resource`, by the code that the API or the SDK gave it. */
export function awsErrorOf(error: unknown, action: string, resource: string): Error {
  if (error instanceof NotLeading || error instanceof Stale || error instanceof AwsError) return error;
  if (!(error instanceof Error)) return new AwsError(`${action} on ${resource} failed`, true, { cause: error });
  const what = `${error.name}: ${error.message}`.slice(0, 1024);
  const options = { cause: error };
  if (DENIED.has(error.name)) return new AwsDenied(`not allowed: ${action} on ${resource}. Add it to the role's policy (${what})`, options);
  if (CREDENTIALS.has(error.name))
    return new AwsCredentialsError(
      `no valid AWS credentials for ${action} on ${resource}: renew them, or give the task a role (${what})`,
      options,
    );
  if (error.name === 'InvalidInstanceId')
    return new HostNotManaged(
      `Systems Manager does not reach ${resource}: its control container must run, and its role must allow AmazonSSMManagedInstanceCore`,
      options,
    );
  return new AwsError(`${action} on ${resource} failed (${what})`, true, options);
}
