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
  const head = ['fault', 'nodes', 'lasts (s)', 'booted meanwhile', 'goes on after (s)', 'all updated after (s)', 'log lines/s', 'remarks'];
  const rows = all.map((one) => [
    one.name,
    String(one.nodes),
    seconds(one.harmSeconds),
    String(one.bootsMeanwhile),
    seconds(one.recoverySeconds),
    seconds(one.rolloutSeconds),
    one.mostLinesPerSecond.toFixed(2),
    one.details ?? '',
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const seconds = (value: number | null): string => (value === null || Number.isNaN(value) ? '–' : value.toFixed(1));

function page(table: string): string {
  return `# Faults

Written by \`make faults\`, which takes a fleet on the test bed (a real control plane, our programs as processes, simulated hosts) through a rollout and does one kind of harm in its middle. A run counts only where, judged from the API server's audit log and the watch: no more nodes were ever unavailable than the policy allows; no node was rebooted without our cordon, a proof of what was staged, and the boot ID of its order; none was booted twice; no claim was made twice; no node was left cordoned without our record; every node ended updated; and no program wrote more than a warning a second.

${describeMachine()
  .map((line) => `- ${line}`)
  .join('\n')}

${table}

'Goes on after' is from the end of the fault to the next write of ours that was accepted; 'all updated after' to the last node; 'log lines/s' is of the loudest program while the fault lasted. Leases are 3 s here, and 13 s by the chart's values. Hosts boot in a moment: times of a real fleet are those of its machines.

- A node that is deleted in the fraction of a second between its Reboot order and its agent's answer is rebooted all the same, though it may have registered again: no API can tie the two together. Its agent's token is refused from then on, and its letterbox goes with the node.
- Where the CRDs are deleted, so is the memory of failed targets. A node whose Reboot order was lost that way waits for another boot until its deadline, because nobody can tell whether it reboots; then it is Failed, stays cordoned, and says so. A retry takes it back.
- No program of ours writes a file, so a full disk is nothing to them; this is looked at while they work.
`;
}
