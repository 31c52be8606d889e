import { Command, Option } from 'commander';
import type { Colors } from 'picocolors/types.js';
import { nodeOf } from '../../cluster/views.ts';
import { asIfChecked } from '../../core/plan/plan.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { visibleIn } from '../../kube/visible.ts';
import { MissingRightsError, UsageError } from '../errors.ts';
import { readFleet, VIEWER } from '../fleet.ts';
import { ListReader } from '../list-reader.ts';
import { type ConnectOptions, withConnectOptions } from '../options.ts';
import { readWorld } from '../read-world.ts';
import type { Controls } from '../screen.ts';
import { historyOf, renderHistory } from './history.ts';
import { liveView } from './live.ts';
import { asData } from './output.ts';
import { renderReport, reportCSV, reportOf } from './report.ts';
import { renderStatus, type Status, statusOf } from './status.ts';
import { readVersions, renderVersions } from './versions.ts';
import { watchFleet } from './watch-fleet.ts';
import { nodeWhy, renderWhy } from './why.ts';

/** What commands that only show need of the machine that they run on. */
export interface ShowDeps {
  client: KubeClient;
  print: (text: string) => void;
  warn: (text: string) => void;
  colors: Colors;
  controls: Controls;
  clock: Clock;
  version: string;
  /** A terminal's number of lines; undefined where the output goes elsewhere. */
  height: (() => number | undefined) | undefined;
  /** Aborted once the user has seen enough. */
  untilInterrupted: () => { signal: AbortSignal; done: () => void };
}

/** Runs what a command shows, with a client that is closed at its end. */
export type Show = (options: ConnectOptions, show: (deps: ShowDeps) => Promise<void>) => Promise<void>;

type Output = { output?: string };

const output = (...formats: string[]): Option => new Option('-o, --output <format>', 'described in docs/kubectl.md').choices(formats);

/** The commands that show what is, and change nothing. */
export function showCommands(run: Show, clientVersion: (format: 'json' | 'yaml' | 'text') => void): Command[] {
  const status = withConnectOptions(new Command('status'))
    .summary('where the policies and their nodes are, and why')
    .description('Where the policies and their nodes are, and why they wait. Names of policies and nodes narrow it.')
    .argument('[name...]')
    .addOption(output('wide', 'json', 'yaml'))
    .option('-w, --watch', 'go on, and show each change, until Ctrl-C')
    .action((names: string[], options: ConnectOptions & Output & { watch?: true }) =>
      run(options, (deps) => (options.watch === true ? showLive(names, options, deps) : showStatus(names, options, deps))),
    );
  const why = withConnectOptions(new Command('why'))
    .summary('why a node is where it is: each of its rules, and what would change it')
    .description(
      'Decides for one node as the controller does, and says what each of its rules has to say now: the first that holds is the reason that is shown everywhere. Checks are taken to hold: the controller alone asks them.',
    )
    .argument('<node>')
    .addOption(output('json', 'yaml'))
    .option('-n, --namespace <name>', "Lockkeeper's namespace (default: where its controllers run)")
    .action((node: string, options: ConnectOptions & Output & { namespace?: string }) =>
      run(options, async ({ client, print, colors, clock }) => {
        const { world } = await readWorld(client, options.namespace);
        const now = clock.now() + client.clockOffsetMs;
        const answer = nodeWhy(asIfChecked(world, now), node, now);
        print(isData(options.output) ? asData(answer, options.output) : renderWhy(visibleIn(answer), colors));
      }),
    );
  const history = withConnectOptions(new Command('history'))
    .summary('the updates that have ended, and how')
    .description(
      'The updates that have ended, oldest first, and how. A node remembers its last ten. Names of policies and nodes narrow it.',
    )
    .argument('[name...]')
    .addOption(output('json', 'yaml'))
    .action((names: string[], options: ConnectOptions & Output) =>
      run(options, async ({ client, print, colors }) => {
        const entries = historyOf(await readFleet(client), { names });
        print(isData(options.output) ? asData(entries, options.output) : renderHistory(visibleIn(entries), colors));
      }),
    );
  const report = withConnectOptions(new Command('report'))
    .summary('patch compliance: which nodes are behind, since when, and for too long or not')
    .description(
      'Patch compliance of every Bottlerocket node: what it runs and should run, since when it is behind, when patchDeadline is over, and whether it is. Exits with 0 whatever it says.',
    )
    .addOption(output('csv', 'json'))
    .action((options: ConnectOptions & Output) => run(options, (deps) => showReport(options, deps)));
  const version = withConnectOptions(new Command('version'))
    .summary("this program's version, the controllers', the agents' and Kubernetes'")
    .description("This program's version, the controllers', the agents' and Kubernetes'.")
    .option('--client', 'of this program alone')
    .addOption(output('json', 'yaml'))
    .action(async (options: ConnectOptions & Output & { client?: true }) => {
      if (options.client === true) return clientVersion(isData(options.output) ? options.output : 'text');
      await run(options, async ({ client, print, version: own }) => {
        const versions = await readVersions(client, own);
        print(isData(options.output) ? asData(versions, options.output) : renderVersions(visibleIn(versions)));
      });
    });
  return [status, why, history, report, version];
}

const isData = (format: string | undefined): format is 'json' | 'yaml' => format === 'json' || format === 'yaml';

async function showStatus(names: readonly string[], { output: format }: Output, { client, print, colors, clock }: ShowDeps): Promise<void> {
  const fleet = await readFleet(client);
  const status = statusOf(fleet, { names }, clock.now() + client.clockOffsetMs);
  print(isData(format) ? asData(status, format) : renderStatus(visibleIn(status), format === 'wide', colors));
}

async function showLive(names: readonly string[], { output: format }: Output, deps: ShowDeps): Promise<void> {
  const { client, print, warn, colors, controls, clock, height, untilInterrupted } = deps;
  if (format === 'yaml') throw new UsageError('--watch goes with tables and with -o json (one object a line)');
  const { signal, done } = untilInterrupted();
  const text = (status: Status): string => renderStatus(visibleIn(status), format === 'wide', colors);
  const view =
    format === 'json'
      ? (status: Status): void => print(`${JSON.stringify(status)}\n`)
      : liveView(text, { print, isTTY: height !== undefined, height: height ?? (() => undefined), controls });
  try {
    if (height !== undefined && format !== 'json') print(controls.clearAll);
    await watchFleet(client, (fleet) => view(statusOf(fleet, { names }, clock.now() + client.clockOffsetMs)), warn, signal);
    if (height !== undefined && format !== 'json') print('\n');
  } finally {
    done();
  }
}

async function showReport({ output: format }: Output, { client, print, colors, clock }: ShowDeps): Promise<void> {
  const reader = new ListReader(client);
  const [fleet, nodes] = await Promise.all([readFleet(client), reader.list('/api/v1/nodes', nodeOf)]);
  if (reader.missing.length > 0) throw new MissingRightsError(reader.missing, VIEWER, reader.said);
  const reported = [...nodes.items.values()].flatMap(({ name, os }) => (os === undefined ? [] : [{ name, os }]));
  const report = reportOf(fleet, reported, clock.now() + client.clockOffsetMs);
  print(format === 'csv' ? reportCSV(report) : isData(format) ? asData(report, format) : renderReport(visibleIn(report), colors));
}
