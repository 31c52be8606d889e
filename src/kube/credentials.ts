import type { Socket } from 'node:net';

/** What a TLS connection to the API server is opened with; all PEM. */
export interface TlsOptions {
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
  readonly servername?: string | undefined;
}

/** Who requests are to count as; the API server asks whether we may. */
export interface Impersonation {
  readonly user: string;
  readonly groups?: readonly string[] | undefined;
  readonly uid?: string | undefined;
  /** What else is known of the user, by its name. */
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** A proxy on the way to the API server, by the names of the environment's variables: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, or in lower case. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Opens a connection to a host, whose name is not looked up before. */
export type Dial = (to: { readonly host: string; readonly port: number }) => Promise<Socket>;

/** Where the API server is, and how we prove to it who we are. */
export interface Credentials {
  /** May have a path of its own (a proxy in front of several clusters). */
  readonly server: URL;
  /** Absent: no proxy, whatever the environment says. */
  readonly proxy?: ProxyEnvironment | undefined;
  /** How connections are opened, where not by ourselves; a `proxy` is not asked then. */
  readonly dial?: Dial | undefined;
  readonly impersonate?: Impersonation | undefined;
  tls(): Promise<TlsOptions>;
  /** The Authorization header's value, if there is one. */
  authorization(): Promise<string | undefined>;
  /** The server refused us (401, 403 or 422): what is cached is read again before the next request. */
  refresh(): void;
}

/** Credentials cannot be read, or make no sense. `retryable` where a file may yet appear or be renewed. */
export class CredentialsError extends Error {
  readonly retryable: boolean;

  constructor(message: string, options: { cause?: unknown; retryable: boolean }) {
    super(message, { cause: options.cause });
    this.name = 'CredentialsError';
    this.retryable = options.retryable;
  }
}
