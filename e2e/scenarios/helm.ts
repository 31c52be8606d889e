import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binaries } from '../bed/binaries.ts';
import { repository } from '../bed/config.ts';
import type { ControlPlane } from '../bed/control-plane.ts';

export const chart = join(repository, 'charts/lockkeeper');

/** Runs a Helm command with a release's name (`['install', 'name', …flags]`) on our chart, and gives what it prints. */
export async function helm(plane: ControlPlane, [command = '', ...rest]: readonly string[]): Promise<string> {
  const { helm: program } = await binaries({ only: ['helm'] });
  const flagsFrom = rest.findIndex((word) => word.startsWith('-'));
  const names = flagsFrom === -1 ? rest : rest.slice(0, flagsFrom);
  const flags = rest.slice(names.length);
  const env = { HOME: plane.home.scratch, KUBECONFIG: plane.kubeconfig };
  const { stdout } = await promisify(execFile)(program, [command, ...names, ...(command === 'uninstall' ? [] : [chart]), ...flags], {
    env,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}
