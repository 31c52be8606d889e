import path from 'node:path';
import { bedEnvironment } from '../bed/config.ts';

/** What a run of the faults takes from its environment. */
export interface FaultsEnvironment {
  /** By how much every fault is shorter than it is meant to be; results of such a run are not written into the docs. */
  readonly hurry: number;
  /** Where each fault leaves what was measured. */
  readonly results: string;
}

export function faultsEnvironment(env: NodeJS.ProcessEnv = process.env): FaultsEnvironment {
  const hurry = Number(env['FAULTS_HURRY'] || 1);
  if (!(hurry >= 1)) throw new Error('FAULTS_HURRY is by how much every fault is shortened: a number from 1 on');
  return { hurry, results: path.join(bedEnvironment(env).out, 'faults') };
}
