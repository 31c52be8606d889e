import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BinaryError } from '../bed/binaries.ts';
import { tell } from './control-client.ts';
import { removeLeftovers } from './leftovers.ts';
import type { MachineState } from './machine/control.ts';
import { startNodes } from './nodes.ts';
import { type BedRecord, isAlive, readRecords } from './records.ts';
import { packagesToInstall, RequirementError } from './requirements.ts';
import { MachineError } from './start-machine.ts';

const usage = `Real kubelets on containerd and runc, as machines that reboot. Linux, root, no Docker.

  node e2e/nodes/main.ts up [--nodes 3] [--version 1.26.0] [--release 1.26.1]… [--image ARCHIVE] [--archive ARCHIVE]… [--chart] [--values JSON]
                                    starts a bed, and ends it on Ctrl-C or \`down\`
  node e2e/nodes/main.ts down       ends the bed, and removes what others have left
  node e2e/nodes/main.ts status     the beds of this machine, and their machines
  node e2e/nodes/main.ts reboot N   reboots node-N by somebody else's hand
  node e2e/nodes/main.ts poweroff N
  node e2e/nodes/main.ts poweron N
  node e2e/nodes/main.ts logs N     [--of kubelet|containerd|kube-proxy|boot|machine] [--lines 40]

  node e2e/nodes/main.ts deps       installs the packages that are missing, with apt-get (\`make bed-deps\`)

  --bed ID    which bed, where there are several
  --release   adds a version to the update repository
  --image     an OCI archive of our image; --chart installs the chart with it
  --archive   further images that the machines have
`;

/** The command line makes no sense here; the message says why. */
class UsageError extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string', default: '3' },
    version: { type: 'string', default: '1.26.0' },
    release: { type: 'string', multiple: true, default: [] },
    image: { type: 'string' },
    archive: { type: 'string', multiple: true, default: [] },
    chart: { type: 'boolean', default: false },
    values: { type: 'string', default: '{}' },
    bed: { type: 'string' },
    of: { type: 'string', default: 'kubelet' },
    lines: { type: 'string', default: '40' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [command = '', which] = positionals;

try {
  if (values.help) console.log(usage);
  else await run();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof RequirementError || error instanceof BinaryError || error instanceof MachineError))
    throw error;
  console.error(error.message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function run(): Promise<void> {
  switch (command) {
    case 'up':
      return up();
    case 'down':
      return down();
    case 'status':
      return status();
    case 'reboot':
      return show(await tell<MachineState>(await control(), 'POST', '/reboot'));
    case 'poweroff':
      return show(await tell<MachineState>(await control(), 'POST', '/power-off'));
    case 'poweron':
      return show(await tell<MachineState>(await control(), 'POST', '/power-on'));
    case 'logs':
      return logs();
    case 'deps':
      return installPackages();
    default:
      throw new UsageError(command === '' ? usage : `there is no command ${command}; --help lists them`);
  }
}

async function up(): Promise<void> {
  const count = Number(values.nodes);
  if (!Number.isInteger(count) || count < 1) throw new UsageError('--nodes wants a number');
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const releases = [values.version, ...values.release].map((version) => ({ version, variant: 'aws-k8s-1.31', arch }));
  let started = false;
  const ended = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')]).then(() => {
    // A bed that is half up ends with its process.
    if (!started) process.exit(130);
  });
  const bed = await startNodes({
    nodes: count,
    releases,
    archives: values.archive,
    machine: { version: values.version },
    progress: (line) => console.error(line),
    ...(values.image === undefined ? {} : { image: values.image }),
  });
  started = true;
  try {
    if (values.chart) await bed.installChart({ values: JSON.parse(values.values) as object });
    console.log(`export KUBECONFIG=${bed.kubeconfig}\n# cgroup ${bed.cgroups}; logs: ${bed.home.out}\n# Ctrl-C ends it`);
    await ended;
  } finally {
    await bed.stop();
  }
}

async function down(): Promise<void> {
  const beds = (await readRecords()).filter(({ id }) => values.bed === undefined || id === values.bed);
  const living: BedRecord[] = [];
  for (const bed of beds) if (await isAlive(bed)) living.push(bed);
  if (living.length > 1) throw new UsageError(`--bed wants one of ${living.map(({ id }) => id).join(', ')}`);
  for (const bed of living) {
    process.kill(bed.pid, 'SIGTERM');
    while (await isAlive(bed)) await sleep(100);
    console.log(`ended bed ${bed.id}`);
  }
  for (const id of await removeLeftovers()) console.log(`removed what bed ${id} had left`);
}

async function status(): Promise<void> {
  const beds = await readRecords();
  if (beds.length === 0) console.log('no bed');
  for (const bed of beds) {
    const alive = await isAlive(bed);
    const state = alive ? (bed.ready ? 'up' : 'starting') : `left behind; \`up\` and \`down\` remove it`;
    console.log(`bed ${bed.id}: ${state}, pid ${bed.pid}, logs in ${bed.out}`);
    if (alive && bed.kubeconfig !== undefined) console.log(`  export KUBECONFIG=${bed.kubeconfig}`);
    for (const { name, control: socket } of alive ? bed.machines : []) {
      const machine = await tell<MachineState>(socket, 'GET', '/state').catch(() => undefined);
      console.log(`  ${name.padEnd(8)} ${machine === undefined ? 'does not answer' : describe(machine)}`);
    }
  }
}

async function logs(): Promise<void> {
  const bed = await theBed();
  const text = await readFile(path.join(bed.out, `${machineName()}.${values.of}.log`), 'utf8').catch(() => undefined);
  if (text === undefined) throw new UsageError(`${machineName()} has no log of ${values.of}`);
  console.log(text.trimEnd().split('\n').slice(-Number(values.lines)).join('\n'));
}

/** Only what is missing: another vendor's containerd must not be replaced. */
async function installPackages(): Promise<void> {
  const packages = await packagesToInstall();
  if (packages.length === 0) {
    console.log('no package is missing');
    return;
  }
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
  for (const command of [['apt-get', 'update', '--quiet'], install]) {
    const [program = '', ...args] = process.geteuid?.() === 0 ? command : ['sudo', ...command];
    const { status, error } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
    if (status !== 0)
      throw new UsageError(
        `${command.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}; install ${packages.join(', ')} by hand`,
      );
  }
}

function show(machine: MachineState): void {
  console.log(`${machine.name} ${describe(machine)}`);
}

function describe({ power, prettyName, bootID, rebootCount }: MachineState): string {
  return `${power.padEnd(3)} ${prettyName}, boot ${bootID}, ${rebootCount} reboots`;
}

function machineName(): string {
  if (which === undefined) throw new UsageError(`${command} wants a machine's number`);
  return which.startsWith('node-') ? which : `node-${which}`;
}

async function control(): Promise<string> {
  const name = machineName();
  const bed = await theBed();
  const machine = bed.machines.find((each) => each.name === name);
  if (machine === undefined) throw new UsageError(`bed ${bed.id} has no ${name}`);
  return machine.control;
}

async function theBed(): Promise<BedRecord> {
  const living: BedRecord[] = [];
  for (const bed of await readRecords()) if (await isAlive(bed)) living.push(bed);
  const found = living.filter(({ id }) => values.bed === undefined || id === values.bed);
  if (found.length > 1) throw new UsageError(`--bed wants one of ${found.map(({ id }) => id).join(', ')}`);
  const [bed] = found;
  if (bed === undefined) throw new UsageError(values.bed === undefined ? 'no bed is up' : `no bed ${values.bed} is up`);
  return bed;
}
