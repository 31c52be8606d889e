import { Command, Option } from 'commander';
import { isVersion } from '../../core/versions.ts';
import { type ConnectOptions, withConnectOptions } from '../options.ts';
import type { Verb } from './change.ts';
import { approve, pin, unapprove, unpin } from './choosing.ts';
import { clearBadRelease, reboot, retry, skip } from './once.ts';
import { pause, resume } from './pausing.ts';
import type { WriteOptions } from './run.ts';

interface VerbCommand {
  name: string;
  /** As commander has them; the first is VERSION where it is named so. */
  args: string;
  verb: Verb;
  summary: string;
  about: string;
  /** What a name is; a policy or a node unless told, or the only policy without one. */
  whom?: string;
  /** What it writes; one annotation unless told. */
  writes?: string;
  /** Which of the flags it has besides those of all. */
  flags?: readonly ('all' | 'now' | 'yes' | 'force')[];
}

const EITHER = 'A name is a policy or a node (policy/NAME, node/NAME where both have it)';
const WITHOUT = 'without one it is the only UpdatePolicy there is.';
const ONE_ANNOTATION = 'It writes one annotation on the policy or the NodeUpdate, and nothing else.';

/** The commands that write annotations. */
const VERBS: readonly VerbCommand[] = [
  {
    name: 'pause',
    args: '[name...]',
    verb: pause,
    summary: 'begins no further node',
    about:
      'Of a policy: no further node is begun and nothing is downloaded; what is in flight finishes. Of a node: it is not begun, and given back where its host was not asked to reboot yet.',
    flags: ['all'],
  },
  {
    name: 'resume',
    args: '[name...]',
    verb: resume,
    summary: 'ends a pause; where there is none, has a halted rollout go on',
    about:
      'Two cases, and one call does one of them. A policy or node that was paused by hand is no longer paused. A policy that is not paused and whose rollout is halted (too many nodes failed) goes on: its failures so far no longer count. A policy that is both is only unpaused, and says who failed; a second call has it go on. With --all only pauses end, no halt. A pause in the spec is not touched.',
    flags: ['all'],
  },
  {
    name: 'pin',
    args: '<version> [name...]',
    verb: pin,
    summary: 'this version and no other',
    about: "Beats the spec's pin and range. Older than what runs, it needs spec.version.allowDowngrade.",
    flags: ['force'],
  },
  {
    name: 'unpin',
    args: '[name...]',
    verb: unpin,
    summary: 'takes back a pin made by hand',
    about: "What the policy's spec says holds again.",
  },
  {
    name: 'approve',
    args: '[version] [name...]',
    verb: approve,
    summary: 'lets nodes be brought to a version (approval: Manual)',
    about:
      'Without a version it is the one that nodes wait for. With --now it is urgent: window, exclusions, minAge, waves and approval no longer hold it; pauses, the failure budget, groups, capacity, checks and PodDisruptionBudgets do.',
    flags: ['now', 'yes', 'force'],
  },
  {
    name: 'unapprove',
    args: '[name...]',
    verb: unapprove,
    summary: 'takes back an approval, and that a version is urgent',
    about: 'What is in flight finishes.',
    writes: 'It removes annotations on the policy or the NodeUpdate, and nothing else.',
  },
  {
    name: 'retry',
    args: '[name...]',
    verb: retry,
    summary: 'forgets what failed, so that it is tried again',
    about: 'Of a policy: on each of its nodes.',
  },
  {
    name: 'skip',
    args: '[name...]',
    verb: skip,
    summary: 'gives up a drain, or the wait for a group',
    about:
      'Of a node that is being drained: it is uncordoned and tried again later. Of a policy: the group that nobody could test, else the one whose turn it is, counts as finished.',
  },
  {
    name: 'reboot',
    args: '<name...>',
    verb: reboot,
    summary: 'drains and reboots once, without a new version',
    about: 'Of a policy: each of its nodes, by its rules.',
    whom: `${EITHER}.`,
    flags: ['yes'],
  },
  {
    name: 'clear-bad-release',
    args: '[version] [policy...]',
    verb: clearBadRelease,
    summary: 'tries again a release that was taken back (onExceeded: RollBack)',
    about: 'All that is marked bad for the policy is cleared; a version that is named must be among it.',
    whom: `A name is a policy; ${WITHOUT}`,
  },
];

const FLAGS: Readonly<Record<NonNullable<VerbCommand['flags']>[number], () => Option>> = {
  all: () => new Option('--all', 'every UpdatePolicy'),
  now: () => new Option('--now', 'urgent: at once, whatever window, exclusions, minAge, waves and approval say'),
  yes: () => new Option('-y, --yes', 'do not ask; needed where there is no terminal'),
  force: () => new Option('--force', 'also a version that no host is offered yet'),
};

/** The commands that write annotations; `run` gets what was asked for. */
export function verbCommands(run: (verb: Verb, options: WriteOptions & ConnectOptions) => Promise<void>): Command[] {
  return VERBS.map(({ name, args, verb, summary, about, whom = `${EITHER}; ${WITHOUT}`, writes = ONE_ANNOTATION, flags = [] }) => {
    const command = withConnectOptions(new Command(name))
      .summary(summary)
      .description(`${about}\n\n${whom} ${writes}`)
      .arguments(args)
      .addOption(
        new Option('--dry-run <where>', 'client: say what would be written; server: have the API server check it, too').choices([
          'none',
          'client',
          'server',
        ]),
      );
    for (const flag of flags) command.addOption(FLAGS[flag]());
    return command.action(async (...given: unknown[]) => {
      const options = command.opts<WriteOptions & ConnectOptions>();
      await run(verb, { ...options, ...namesOf(args, given.slice(0, command.registeredArguments.length).flat()) });
    });
  });
}

/** The first word is a version where one is wanted, or may be and is one. */
function namesOf(args: string, words: readonly unknown[]): Pick<WriteOptions, 'names' | 'version'> {
  const given = words.filter((word) => typeof word === 'string');
  const [first, ...rest] = given;
  const isFirst = args.startsWith('<version>') || (args.startsWith('[version]') && first !== undefined && isVersion(first));
  return isFirst ? { version: first, names: rest } : { names: given };
}
