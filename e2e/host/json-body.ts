import type { IncomingMessage } from 'node:http';
import { type Answer, frameworkRefusal } from './answer.ts';

/** The largest JSON body that the server reads, in bytes. */
export const bodyLimit = 2_097_152;

/** Reads a JSON body as text. A body above the limit is refused without the rest of it being read. */
export async function readJsonBody(request: IncomingMessage): Promise<{ text: string } | { refusal: Answer }> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json' && !type?.endsWith('+json')) return { refusal: frameworkRefusal(400, 'Content type error') };
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > bodyLimit)
    return { refusal: tooLarge(`JSON payload (${length} bytes) is larger than allowed (limit: ${bodyLimit} bytes).`) };
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop must not destroy the connection: the refusal goes out on it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) return { refusal: tooLarge(`JSON payload has exceeded limit (${bodyLimit} bytes).`) };
    chunks.push(chunk);
  }
  return { text: Buffer.concat(chunks).toString('utf8') };
}

const tooLarge = (text: string): Answer => ({ ...frameworkRefusal(413, text), closes: true });
