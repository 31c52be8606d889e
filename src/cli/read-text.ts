import { createReadStream } from 'node:fs';
import { PolicyFileError } from './policy-file.ts';

const MAX_BYTES = 4 * 1024 * 1024;

/** The text of a file, or of a stream; at most 4 MiB. Rejects with a PolicyFileError. */
export async function readText(source: string | NodeJS.ReadableStream): Promise<string> {
  const name = typeof source === 'string' ? source : 'stdin';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of typeof source === 'string' ? createReadStream(source) : source) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) break;
      chunks.push(Buffer.from(chunk));
    }
  } catch (error) {
    throw new PolicyFileError(`cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes > MAX_BYTES) throw new PolicyFileError(`${name} is longer than ${MAX_BYTES} bytes: no UpdatePolicy is`);
  return Buffer.concat(chunks).toString('utf8');
}
