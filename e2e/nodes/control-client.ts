import { request } from 'node:http';

/** A machine refused what it was told, or is not there; the message says which. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

/** Tells a machine something by its control socket; see machine/control.ts. @throws ControlError */
export function tell<T = unknown>(socketPath: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, agent: false, timeout: 120_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', (cause) => reject(new ControlError(`${method} ${path}: the answer broke off`, { cause })));
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(JSON.parse(text) as T);
        else reject(new ControlError(`${method} ${path}: ${response.statusCode} ${text}`));
      });
    });
    call.once('timeout', () => call.destroy(new Error('no answer')));
    call.once('error', (cause) => reject(new ControlError(`${method} ${path}: ${cause.message}`, { cause })));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
