import type { Bed } from '../bed/bed.ts';

/** Runs the kubectl command that a message ends with, as a person would paste it. Fails where there is none. */
export async function runPrinted({ kubectl }: Pick<Bed, 'kubectl'>, message: string | undefined): Promise<void> {
  const [, command] = message?.match(/\bkubectl (.+)$/) ?? [];
  if (command === undefined) throw new Error(`no command to run in: ${message}`);
  await kubectl(...command.replace('$(date +%s)', String(Date.now())).split(' '));
}
