import { mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binaries } from '../../bed/binaries.ts';
import { CommandError, runCommand } from '../../bed/command.ts';
import { NotEventually } from '../../bed/eventually.ts';
import { tail } from '../../bed/home.ts';
import type { Contender, StepSpec } from './contender.ts';
import { type Contestant, ContestantError, type Entered, type StageContext, to } from './contestant.ts';
import { type ForeignPods, startForeignPods } from './foreign-pods.ts';
import { fill, type Values } from './placeholders.ts';

/** A program that has ended so often before it was ready will not get ready. */
const mostEnds = 3;
const aliveForMs = 5_000;
const startMs = 120_000;

/** Another operator, by its file. */
export function other({ spec, folder }: Contender): Contestant {
  const { name, caveats, nodes } = spec;
  return {
    name,
    caveats: caveats.map((text) => `${name}: ${text}`),
    ...nodes,
    enter: (stage) => enter({ spec, folder }, stage),
  };
}

async function enter(contender: Contender, stage: StageContext): Promise<Entered> {
  const { spec, folder } = contender;
  const { bed, signal, onError, options, say } = stage;
  const values: Values = new Map([
    ['kubeconfig', bed.kubeconfig],
    ['namespace', spec.namespace],
    ['version', to],
    ['server', bed.client.access.server],
    ['maxUnavailable', String(options.maxUnavailable)],
    ['nodes', String(options.nodes)],
  ]);
  const searched = await toolsPath(path.join(bed.home.scratch, 't'));
  const run = (command: readonly string[], timeoutMs: number, input?: string) => {
    const [program = '', ...args] = command.map((text) => fill(text, values));
    const env = { PATH: searched, HOME: bed.home.scratch, KUBECONFIG: bed.kubeconfig };
    return runCommand(program, args, { env, cwd: folder, timeoutMs, ...(input !== undefined && { input }) });
  };
  const doStep = async (what: string, { manifests, command, timeout }: StepSpec) => {
    try {
      for (const file of manifests) {
        const text = fill(await readFile(path.resolve(folder, file), 'utf8'), values);
        await run(['kubectl', 'apply', '--server-side', '--force-conflicts', '-f', '-'], startMs, text);
      }
      if (command !== undefined) await run(command, timeout);
    } catch (cause) {
      throw new ContestantError(`${what} failed: ${lastLines(cause)}`, { cause });
    }
  };

  await bed.client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: spec.namespace } });
  const pods = await startForeignPods({ bed, contender, values, path: searched, onError });
  try {
    await doStep('install', spec.install);
    await bed
      .eventually(() => pods.missing.length === 0 || hasCrashed(pods), { timeoutMs: startMs, signal })
      .catch((error: unknown) => {
        if (!(error instanceof NotEventually)) throw error;
        throw new ContestantError(
          `no pod that a node runs was found for ${pods.missing.join(', ')}: look at its selector and at its workload's placement`,
        );
      });
    await untilReady();
  } catch (error) {
    await pods.stop();
    throw error;
  }
  return {
    namespaces: [...new Set([spec.namespace, ...[...spec.controllers, ...spec.agents].flatMap(({ namespace }) => namespace ?? [])])],
    agentPods: pods.agentPods,
    groups: pods.groups,
    get restarts() {
      return pods.restarts;
    },
    begin: () => doStep('begin', spec.begin),
    lastWords: () => wordsOf(pods),
    stop: pods.stop,
  };

  async function untilReady(): Promise<void> {
    const { ready } = spec;
    if (ready === undefined) {
      await sleep(aliveForMs, undefined, { signal });
      await refuseCrashed();
      return;
    }
    say('waiting until it is ready');
    let last: unknown;
    const isReady = async () => {
      await refuseCrashed();
      try {
        await run(ready.command, 30_000);
        return true;
      } catch (error) {
        last = error;
        return false;
      }
    };
    const deadline = performance.now() + ready.timeout;
    while (!(await isReady())) {
      if (performance.now() > deadline) throw new ContestantError(`was not ready within ${ready.timeout / 1000} s: ${lastLines(last)}`);
      await sleep(500, undefined, { signal });
    }
  }

  async function refuseCrashed(): Promise<void> {
    if (hasCrashed(pods)) throw new ContestantError(`a program ends again and again\n${await wordsOf(pods)}`);
  }
}

function hasCrashed({ restarts, missing, lastEnd }: ForeignPods): boolean {
  return restarts >= mostEnds && (missing.length > 0 || lastEnd !== undefined);
}

/** What the program that ended last has said. */
async function wordsOf({ lastEnd }: ForeignPods): Promise<string> {
  if (lastEnd === undefined) return '';
  return `${lastEnd.program} ${lastEnd.how}; what it said ends with\n${await tail(lastEnd.log, 10)}`;
}

function lastLines(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof CommandError ? text.trimEnd().split('\n').slice(0, 12).join('\n') : text;
}

/** kubectl, helm and this Node stand before what the user has. */
async function toolsPath(folder: string): Promise<string> {
  const { kubectl, helm } = await binaries({ only: ['kubectl', 'helm'] });
  await mkdir(folder, { recursive: true });
  for (const [name, program] of Object.entries({ kubectl, helm, node: process.execPath })) await symlink(program, path.join(folder, name));
  return `${folder}:${process.env['PATH'] ?? ''}`;
}
