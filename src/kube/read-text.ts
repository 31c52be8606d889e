import { readFile } from 'node:fs';

/**
 * Reads a small text file; rejects as `fs.readFile` fails. `node:fs/promises` does the same, and with it comes what walks and
 * watches folders and what edits lines: a megabyte in every agent.
 */
export function readText(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    readFile(path, 'utf8', (error, text) => (error === null ? resolve(text) : reject(error)));
  });
}
