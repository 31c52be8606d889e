import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bed } from '../bed/bed.ts';
import { repository } from '../bed/config.ts';

/**
 * Starts `kubectl lockkeeper dashboard` on a bed; resolves with its URL, a secret. It ends with the bed.
 * Rejects where it ends at once, or is not there in half a minute.
 */
export async function startDashboard(
  { home, kubeconfig, eventually }: Pick<Bed, 'home' | 'kubeconfig' | 'eventually'>,
  signal?: AbortSignal,
): Promise<string> {
  const program = path.join(repository, 'dist', 'kubectl-lockkeeper.js');
  const log = home.log('dashboard');
  const child = await home.children.spawn({
    name: 'dashboard',
    command: process.execPath,
    args: [program, 'dashboard', '--kubeconfig', kubeconfig],
    env: { HOME: home.scratch },
    log,
  });
  let url: string | undefined;
  await eventually(
    async () => {
      const text = await readFile(log, 'utf8');
      if (!child.running) throw new Error(`the dashboard has ended: ${text}`);
      url = /http:\/\/\S+/.exec(text)?.[0];
      return url !== undefined;
    },
    { timeoutMs: 30_000, ...(signal !== undefined && { signal }) },
  );
  return url ?? '';
}
