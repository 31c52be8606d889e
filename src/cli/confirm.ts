import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** Asks the user on their terminal; undefined where stdin is none. Only `y` and `yes` agree. */
export function confirmOn(
  stdin: NodeJS.ReadableStream & { isTTY?: boolean },
  stderr: { write: (text: string) => void },
): ((question: string) => Promise<boolean>) | undefined {
  if (stdin.isTTY !== true) return undefined;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      stderr.write(chunk.toString());
      done();
    },
  });
  return async (question) => {
    const asked = createInterface({ input: stdin, output });
    const ended = new Promise<string>((resolve) => asked.once('close', () => resolve('')));
    try {
      const answer = await Promise.race([asked.question(`${question}\nGo on? [y/N] `), ended]);
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      asked.close();
    }
  };
}
