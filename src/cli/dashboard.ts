import { Command, InvalidArgumentError, Option } from 'commander';
import type { PageAssets } from '../dashboard/server/page-assets.ts';
import type { Cluster } from '../dashboard/wire.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { visible } from '../kube/visible.ts';
import { UsageError } from './errors.ts';
import { type ConnectOptions, withConnectOptions } from './options.ts';

/** Where the dashboard may listen: this machine's own addresses, and no other. */
const ADDRESSES = ['127.0.0.1', '::1'] as const;

/** What the command can be told. */
export interface DashboardOptions extends ConnectOptions {
  port: number;
  address: (typeof ADDRESSES)[number];
  namespace?: string;
  open?: true;
}

/** What it needs of the machine that it runs on. */
export interface DashboardCommandDeps {
  client: KubeClient;
  clock: Clock;
  random: () => number;
  version: string;
  /** What the kubeconfig says of the cluster. */
  cluster: Cluster;
  /** The file that runs, of which a further thread makes plans. */
  program: URL | undefined;
  assets: () => Promise<PageAssets>;
  print: (text: string) => void;
  /** Opens a URL in the user's browser; rejects where that cannot be. */
  open: (url: string) => Promise<void>;
  warn: (text: string) => void;
  /** Resolves once the user has seen enough. */
  untilInterrupted: () => { signal: AbortSignal; done: () => void };
}

/** The `dashboard` command with its flags; `run` gets what was asked for. */
export function dashboardCommand(run: (options: DashboardOptions) => Promise<void>): Command {
  return withConnectOptions(new Command('dashboard'))
    .summary('a live page of the fleet, on this machine, with your own rights')
    .description(
      'Serves a live page of the fleet on this machine alone, until Ctrl-C: where each node is and why, what comes next, drains, history, the plan; pause, approve, retry and skip. It reads and writes the cluster with your own rights; nothing new listens in the cluster.',
    )
    .addOption(new Option('--port <number>', 'listen on this port').argParser(portOf).default(0, 'a free one'))
    .addOption(new Option('--address <address>', 'listen on this address of this machine').choices(ADDRESSES).default(ADDRESSES[0]))
    .option('-n, --namespace <name>', "Lockkeeper's namespace (default: where its controllers run)")
    .option('--open', 'open the page in your browser')
    .addHelpText(
      'after',
      `
The URL that it prints is a secret for as long as the program runs: whoever has it acts in the cluster with your rights. No other page and
no other user of this machine gets in without it (docs/dashboard.md).

From a jump host, forward the same port number, and open the URL as printed:
  ssh -t -L 8480:127.0.0.1:8480 jump kubectl lockkeeper dashboard --port 8480
(-t, so that Ctrl-C reaches it there.)`,
    )
    .action(async (options: DashboardOptions) => run(options));
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('a port is a number from 0 to 65535.');
  return port;
}

/** Serves the page until the user interrupts it. */
export async function runDashboard(
  { port, address, namespace, open: wantsBrowser }: DashboardOptions,
  deps: DashboardCommandDeps,
): Promise<void> {
  const { client, clock, random, version, cluster, program, assets, print, warn, open, untilInterrupted } = deps;
  // The web framework is of use to no other command.
  const { createDashboard } = await import('../dashboard/server/dashboard.ts');
  const { signal, done } = untilInterrupted();
  try {
    const started = await createDashboard({
      client,
      clock,
      random,
      version,
      cluster,
      program,
      namespace,
      assets: await assets(),
      address,
      port,
    }).catch((error: unknown) => {
      throw listenError(error, port);
    });
    try {
      print(`The dashboard of ${visible(cluster.context)} is at\n\n  ${started.url}\n\nCtrl-C ends it.\n`);
      if (wantsBrowser === true) await open(started.url).catch((error: unknown) => warn(`cannot open a browser: ${String(error)}`));
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    } finally {
      await started.close();
    }
  } finally {
    done();
  }
}

function listenError(error: unknown, port: number): unknown {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return new UsageError(`port ${port} is taken on this machine: choose another with --port, or leave it out`);
  if (code === 'EACCES') return new UsageError(`you may not listen on port ${port}: choose one above 1023`);
  if (code === 'EADDRNOTAVAIL') return new UsageError('this machine does not have that address: leave --address out');
  return error;
}
