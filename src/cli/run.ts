import { randomUUID } from 'node:crypto';
import { Command, CommanderError } from 'commander';
import picocolors from 'picocolors';
import { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import { type Credentials, CredentialsError } from '../kube/credentials.ts';
import { VERSION } from '../version.ts';
import { verbCommands } from './by-hand/commands.ts';
import { runVerb } from './by-hand/run.ts';
import { completionCommands } from './completion.ts';
import { kubeconfigFiles, proxyEnvironment } from './config.ts';
import { confirmOn } from './confirm.ts';
import { dashboardCommand, runDashboard } from './dashboard.ts';
import { EXIT, explain, InterruptedError, MissingRightsError, UsageError } from './errors.ts';
import { readFleet } from './fleet.ts';
import { migrateCommand } from './migrate/command.ts';
import { runMigrate } from './migrate/run.ts';
import { openBrowser } from './open-browser.ts';
import { type ConnectOptions, impersonationOf } from './options.ts';
import { planCommand, runPlan } from './plan.ts';
import { PolicyFileError } from './policy-file.ts';
import { readText } from './read-text.ts';
import { releaseCommand } from './release/command.ts';
import { runReleaseCommand } from './release/run.ts';
import { screenOf } from './screen.ts';
import { showCommands } from './show/commands.ts';
import { asData } from './show/output.ts';

/** What the program has of the process that it is. */
export interface Terminal {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: { write: (text: string) => void; isTTY?: boolean; rows?: number };
  stderr: { write: (text: string) => void; isTTY?: boolean };
  /** Calls a listener in place of ending the process when the user interrupts it; gives back what ends that. */
  onInterrupt?: (listener: () => void) => () => void;
  /** The file that it runs, of which further threads may be started; absent where it has none of its own. */
  program?: URL;
}

/** Parses a command line and runs what it asks for; resolves with the exit code. */
export async function run(
  argv: readonly string[],
  { stdin, stdout, stderr, onInterrupt = () => () => {}, program: file }: Terminal,
): Promise<number> {
  const { colors, controls, safe } = screenOf(stdout.isTTY === true && picocolors.isColorSupported);
  const print = (text: string) => stdout.write(safe(text));
  const complain = (text: string) => stderr.write(safe(text));
  const plan = planCommand((options) =>
    runPlan(options, {
      client: connect,
      readFile: (name) => readText(name === '-' ? stdin : name),
      print,
      tell: (text) => stderr.isTTY === true && complain(text),
      colors,
      clock: systemClock,
    }),
  );
  const warn = (text: string) => complain(`warning: ${text}\n`);
  const withClient = async (options: ConnectOptions, use: (client: KubeClient) => Promise<void>): Promise<void> => {
    const client = await connect(options);
    try {
      await use(client);
    } finally {
      client.close();
    }
  };
  const verbs = verbCommands((verb, options) =>
    withClient(options, (client) =>
      runVerb(verb, options, { client, print, confirm: confirmOn(stdin, { write: complain }), token: randomUUID() }),
    ),
  );
  const shows = showCommands(
    (options, show) =>
      withClient(options, (client) =>
        show({
          client,
          print,
          warn,
          colors,
          controls,
          clock: systemClock,
          version: VERSION,
          height: stdout.isTTY === true ? () => stdout.rows : undefined,
          untilInterrupted: () => untilInterrupted(onInterrupt),
        }),
      ),
    (format) => print(format === 'text' ? `Client: ${VERSION}\n` : asData({ client: VERSION }, format)),
  );
  const dashboard = dashboardCommand((options) =>
    withClient(options, async (client) => {
      const { kubeconfigNames } = await import('../kube/kubeconfig.ts');
      await runDashboard(options, {
        client,
        clock: systemClock,
        random: Math.random,
        version: VERSION,
        cluster: kubeconfigNames(options.kubeconfig ?? kubeconfigFiles(), options.context),
        program: file,
        assets: async () => (await import('lockkeeper:page')).default,
        print,
        warn,
        open: (url) => openBrowser(url),
        untilInterrupted: () => untilInterrupted(onInterrupt),
      });
    }),
  );
  const release = releaseCommand(async (options) =>
    runReleaseCommand(options, {
      credentials: await credentialsOf(options),
      print,
      warn,
      confirm: confirmOn(stdin, { write: complain }),
      version: VERSION,
      untilInterrupted: () => untilInterrupted(onInterrupt),
    }),
  );
  const migrate = migrateCommand((options) =>
    withClient(options, (client) =>
      runMigrate(options, {
        client,
        print,
        warn,
        confirm: confirmOn(stdin, { write: complain }),
        clock: systemClock,
        untilInterrupted: () => untilInterrupted(onInterrupt),
      }),
    ),
  );
  const program = new Command('kubectl lockkeeper')
    .description("Shows what Lockkeeper does with the operating systems of a cluster's nodes, and steers it.")
    .version(VERSION);
  for (const command of [...shows, plan, ...verbs, dashboard, release, migrate]) program.addCommand(command);
  const [completion, complete] = completionCommands(program, print, () => namesOf(connect));
  program.addCommand(completion).addCommand(complete, { hidden: true });
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeOut: print, writeErr: complain, getOutHelpWidth: () => 100 });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    complain(`error: ${explain(error)}\n`);
    if (error instanceof MissingRightsError) return EXIT.forbidden;
    if (error instanceof InterruptedError) return EXIT.interrupted;
    return error instanceof PolicyFileError || error instanceof UsageError || (error instanceof CredentialsError && !error.retryable)
      ? EXIT.usage
      : EXIT.failed;
  }
}

async function connect(options: ConnectOptions): Promise<KubeClient> {
  return new KubeClient({ credentials: await credentialsOf(options), userAgent: `kubectl-lockkeeper/${VERSION}` });
}

async function credentialsOf(options: ConnectOptions): Promise<Credentials> {
  const impersonate = impersonationOf(options);
  // Kubernetes' own library is most of the program, and help needs none of it.
  const { kubeconfigCredentials } = await import('../kube/kubeconfig.ts');
  const { kubeconfig, context } = options;
  return kubeconfigCredentials(kubeconfig ?? kubeconfigFiles(), context, systemClock, { impersonate, proxy: proxyEnvironment() });
}

function untilInterrupted(onInterrupt: (listener: () => void) => () => void): { signal: AbortSignal; done: () => void } {
  const stop = new AbortController();
  return { signal: stop.signal, done: onInterrupt(() => stop.abort()) };
}

/** Names to complete; none where the cluster cannot be asked, for nobody reads an error there. */
async function namesOf(connectTo: typeof connect): Promise<string[]> {
  try {
    const client = await connectTo({});
    try {
      const { policies, nodes } = await readFleet(client);
      return [...policies, ...nodes].map(({ name }) => name);
    } finally {
      client.close();
    }
  } catch {
    return [];
  }
}
