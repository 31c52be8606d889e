import { parseArgs } from 'node:util';
import * as z from 'zod/mini';
import { nameSchema } from '../api/primitives.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';

export interface AgentConfig {
  readonly node: string;
  readonly socketPath: string;
  readonly bootIDFile: string;
  readonly logLevel: LogLevel;
  /** undefined: in cluster. */
  readonly kubeconfig: string | undefined;
  readonly inCluster: { readonly host: string; readonly port: string; readonly directory: string | undefined };
}

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly config: AgentConfig }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  /** One line that says what is wrong. */
  | { readonly kind: 'wrong'; readonly message: string };

export const HELP = `lockkeeper-agent: carries out what the Lockkeeper controller orders on one node.

Usage: lockkeeper-agent --node NAME [flags]

  --node NAME           the node that this agent is on (NODE_NAME)
  --socket PATH         the host's API socket (default /run/api.sock)
  --kubeconfig FILE     how to reach the API server (default: the pod's service account)
  --boot-id-file PATH   where the kernel tells its boot ID (default /proc/sys/kernel/random/boot_id)
  --log-level LEVEL     trace, debug, info, warn or error (default info)
  --help, --version

Environment:
  NODE_NAME                                          as --node
  LOCKKEEPER_SERVICE_ACCOUNT_DIR                     the folder with token and ca.crt
                                                     (default /var/run/secrets/kubernetes.io/serviceaccount)
  KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT   the API server's service address

Exit codes: 0 told to end, 1 the host's socket is dead or something failed, 2 a wrong flag or value.
`;

const text = () => z.string().check(z.minLength(1), z.maxLength(4_096));

const configSchema = z.object({
  node: nameSchema().check(z.regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a node')),
  socket: text(),
  kubeconfig: z.optional(text()),
  'boot-id-file': text(),
  'log-level': z.enum(Object.keys(LOG_LEVELS) as [LogLevel, ...LogLevel[]]),
});
const inClusterSchema = z.object({
  KUBERNETES_SERVICE_HOST: text(),
  KUBERNETES_SERVICE_PORT: z.string().check(z.regex(/^[1-9][0-9]{0,4}$/, 'must be a port')),
  LOCKKEEPER_SERVICE_ACCOUNT_DIR: z.optional(text()),
});

/** Reads flags and environment; a flag beats its variable. */
export function readInvocation(args: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): Invocation {
  let flags: Record<string, string | boolean | undefined>;
  try {
    flags = parseArgs({
      args: [...args],
      options: {
        node: { type: 'string' },
        socket: { type: 'string', default: '/run/api.sock' },
        kubeconfig: { type: 'string' },
        'boot-id-file': { type: 'string', default: '/proc/sys/kernel/random/boot_id' },
        'log-level': { type: 'string', default: 'info' },
        help: { type: 'boolean' },
        version: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    return wrong(Error.isError(error) ? error.message : 'cannot read the flags');
  }
  if (flags['help']) return { kind: 'help' };
  if (flags['version']) return { kind: 'version' };
  const node = flags['node'] ?? env['NODE_NAME'];
  if (node === undefined) return wrong('--node (or NODE_NAME) is missing');
  const parsed = configSchema.safeParse({ ...flags, node });
  if (!parsed.success) return wrong(firstIssue(parsed.error, '--'));
  const inCluster = parsed.data.kubeconfig === undefined ? inClusterSchema.safeParse(env) : undefined;
  if (inCluster?.success === false) return wrong(`without --kubeconfig: ${firstIssue(inCluster.error, '')}`);
  const { socket, kubeconfig, 'boot-id-file': bootIDFile, 'log-level': logLevel } = parsed.data;
  return {
    kind: 'run',
    config: {
      node: parsed.data.node,
      socketPath: socket,
      bootIDFile,
      logLevel,
      kubeconfig,
      inCluster: {
        host: inCluster?.data.KUBERNETES_SERVICE_HOST ?? '',
        port: inCluster?.data.KUBERNETES_SERVICE_PORT ?? '',
        directory: inCluster?.data.LOCKKEEPER_SERVICE_ACCOUNT_DIR,
      },
    },
  };
}

const wrong = (message: string): Invocation => ({ kind: 'wrong', message: message.replaceAll('\n', ' ') });

function firstIssue(error: z.core.$ZodError, prefix: string): string {
  const [issue] = error.issues;
  return issue === undefined ? 'makes no sense' : `${prefix}${issue.path.join('.')}: ${issue.message}`;
}
