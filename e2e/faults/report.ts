import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../bed/config.ts';
import { describeMachine } from '../bench/machine.ts';
import { faultsEnvironment } from './config.ts';
import type { FaultResult } from './result.ts';

const { results } = faultsEnvironment();
const { values } = parseArgs({ options: { clear: { type: 'boolean', default: false } } });
if (values.clear) await rm(results, { recursive: true, force: true });
else await report();

/** Prints what all faults have measured; writes it into docs/faults.md where each had its full time. */
async function report(): Promise<void> {
  const files = (await readdir(results)).filter((name) => name.endsWith('.json')).sort();
  const all = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(path.join(results, name), 'utf8')) as FaultResult & { hurry: number }),
  );
  const table = markdown(all);
  console.log(table);
  if (all.some(({ hurry }) => hurry !== 1)) console.log('\nshortened by FAULTS_HURRY: nothing was written');
  else await writeFile(path.join(repository, 'docs', 'faults.md'), page(table));
}

function markdown(all: readonly FaultResult[]): string {
  const head = [
    'fault',
    'nodes',
    'lasts (s)',
    'booted meanwhile',
    'goes on after (s)',
    'all updated after (s)',
    'log lines/s',
    'steady warnings/s',
    'load',
    'remarks',
  ];
  const rows = all.map((one) => [
    one.name,
    String(one.nodes),
    seconds(one.harmSeconds),
    String(one.bootsMeanwhile),
    seconds(one.recoverySeconds),
    seconds(one.rolloutSeconds),
    one.mostLinesPerSecond.toFixed(2),
    one.steadyWarningsPerSecond.toFixed(2),
    one.load.map((load) => load.toFixed(0)).join(' → '),
    one.details ?? '',
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function seconds(value: number | null): string {
  return value === null || Number.isNaN(value) ? '–' : value.toFixed(1);
}

function page(table: string): string {
  return `# Faults

Written by \`make faults\`, which takes a fleet on the test bed (a real control plane, our programs as processes, simulated hosts) through a rollout and does one kind of harm in its middle. A run counts only where, judged from the API server's audit log and the watch: no more nodes were ever unavailable than the policy allows; no node was rebooted without our cordon, a proof of what was staged, and the boot ID of its order; none was booted twice (but where nodes or kinds were deleted: then a node may be another one, or its order forgotten); no claim was made twice; no node was ever cordoned without our record; every node ended updated and uncordoned; and no program wrote more than 60 warnings in the first 30 s and one a second after that.

${describeMachine()
  .filter((line) => !line.startsWith('load'))
  .map((line) => `- ${line}`)
  .join('\n')}

${table}

'Goes on after' is from the end of the fault to the next write of ours that was accepted; 'all updated after' to the last node; '–' says that nothing was left to do by then; 'log lines/s' is of the loudest program while the fault lasted, 'steady warnings/s' of its warnings and errors after the first 30 s; 'load' is the machine's load average when the fault began and when it was over, other work on the same machine included. Leases are 3 s here, and 13 s by the chart's values. Where a fault sets our programs' clocks, their lines are not counted. Hosts boot in a moment: times of a real fleet are those of its machines.

- A node that is deleted in the fraction of a second between its Reboot order and its agent's answer is rebooted all the same, though it may have registered again: no API can tie the two together. Its agent's token is refused from then on, and its letterbox goes with the node.
- Where the CRDs are deleted, so is the memory of failed targets. A node whose Reboot order was lost that way waits for another boot until its deadline, because nobody can tell whether it reboots; then it is Failed, stays cordoned, and says so. A retry takes it back.
- An agent that is killed between its order and the reboot may have lost the proof of what is staged: its node is given back, stages again and is ordered anew. So it is where the agent reaches no host: a node that was being drained is given back, and no other is begun until its agent reaches its host again.
- No program of ours writes a file, and each container's file system is read-only, so a full disk is nothing to them; both are looked at while they work.
- Agents are killed by the kernel in a memory cgroup where the user may make one, and by SIGKILL where not: the remarks say which.
`;
}
