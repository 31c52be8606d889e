import type { CommandLine } from './commands.ts';

/** There can be no kind cluster here; the message says what is missing. */
export class KindMissing extends Error {
  override readonly name = 'KindMissing';
}

/** Runs a command to its end. Rejects where it fails, with code `ENOENT` where there is no such program. */
export type Run = (line: CommandLine) => Promise<string>;

const asked: readonly { readonly line: CommandLine; readonly absent: string; readonly fails: string }[] = [
  {
    line: ['docker', 'info', '--format', '{{.ServerVersion}}'],
    absent: 'Docker is needed: https://docs.docker.com/engine/install/',
    fails: 'Docker is installed, but its engine does not answer this user (`docker info` says why)',
  },
  {
    line: ['kind', 'version'],
    absent: 'kind is needed: go install sigs.k8s.io/kind@latest, and its folder in PATH',
    fails: '`kind version` fails',
  },
];

/** What is missing here, one sentence each. */
export async function missingForKind(run: Run): Promise<string[]> {
  const answers = await Promise.all(
    asked.map(({ line, absent, fails }) =>
      run(line).then(
        () => [],
        (error: unknown) => [isAbsent(error) ? absent : fails],
      ),
    ),
  );
  return answers.flat();
}

function isAbsent(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return (cause as { code?: unknown } | undefined)?.code === 'ENOENT';
}
