import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { faultNames } from '../../host/faults.ts';
import { type Repository, SimulatedHost } from '../../host/host.ts';
import { addressesOf, bridge, gatewayAddress, nodesPrefix } from '../addresses.ts';
import { type Controlled, controlServer } from './control.ts';
import { createPower } from './power.ts';
import { type MachineSettings, machineSettingsSchema, releasesSchema } from './settings.ts';

/*
 * What stays of a machine when its power goes: its disk, its update partitions, its power switch. It runs in the machine's
 * mount namespace, so that the simulated host's socket lies where the OS has it, and in the bed's network, where the
 * machine's cable is plugged in.
 */
const hostSocket = '/run/api.sock';
/** The host's group `api`. */
const apiGroup = 274;

const settings = machineSettingsSchema.parse(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')));
process.chdir(settings.folder);
mountDisk();
const log = (text: string) => process.stdout.write(`${new Date().toISOString()} ${text}\n`);
await main();

/** What the OS writes lands in the machine's own folder; nothing of it reaches this machine's /var and /run. */
function mountDisk(): void {
  const mount = (...args: string[]) => execFileSync('mount', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const own = (name: string) => {
    const folder = path.join(settings.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  mount('-t', 'overlay', 'overlay', '-o', `lowerdir=/var,upperdir=${own('var')},workdir=${own('var.work')}`, '/var');
  const folders = { kubelet: '/var/lib/kubelet', containerd: '/var/lib/containerd', cni: '/var/lib/cni', pods: '/var/log/pods' };
  for (const [name, at] of Object.entries({ ...folders, containers: '/var/log/containers' })) {
    mkdirSync(at, { recursive: true });
    mount('--bind', own(name), at);
  }
  mount('-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', '/run');
}

async function main(): Promise<void> {
  // The socket gets the group of the process that makes it.
  process.setegid?.(apiGroup);
  const host = new SimulatedHost({
    socketPath: hostSocket,
    bootIDFile: path.join(settings.folder, 'boot-id'),
    os: settings.os,
    repository: repositoryIn(settings.repository),
    timings: settings.timings,
    kubernetesSettings: settings.kubernetesSettings,
    ...(settings.seed === undefined ? {} : { seed: settings.seed }),
  });
  const power = createPower({
    folder: settings.folder,
    log: `${settings.logs}.boot.log`,
    env: bootEnvironment(settings),
    cgroups: settings.cgroups,
    cable: addressesOf(settings.index).cable,
    kept: ['api.sock', 'api.sock.dead'],
    onPanic: () => {
      log('process 1 is gone: the machine reboots');
      host.reboot().catch(fail);
    },
  });

  let work = Promise.resolve();
  let wantedOn = false;
  /** One thing after the other, in the order in which the host said them; what is outdated by then is left out. */
  const follow = (on: boolean) => {
    wantedOn = on;
    work = work
      .then(() => power.off())
      .then(async () => {
        if (!on || !wantedOn) return;
        writeFileSync('os-release', osRelease(host));
        placePodNetwork(!settings.noPodNetworkOn.includes(host.os.version));
        await power.on();
      });
    work.catch(fail);
  };
  host.on('rebooting', () => {
    log('down');
    follow(false);
  });
  host.on('booted', ({ bootID }) => {
    log(`boots ${host.os.prettyName}, boot ID ${bootID}`);
    follow(true);
  });
  host.on('request', ({ method, path: asked, status }) => log(`${method} ${asked} ${status ?? 'no answer'}`));

  const machine: Controlled = {
    host,
    state: () => ({
      name: settings.name,
      power: host.running ? 'on' : 'off',
      bootID: host.bootID,
      version: host.os.version,
      prettyName: host.os.prettyName,
      rebootCount: host.rebootCount,
      process: power.process,
      updateStatus: host.updateStatus,
      partitions: host.partitions,
      settings: host.settings,
      faults: Object.fromEntries(
        faultNames.flatMap((name) => (host.faults.remaining(name) === 0 ? [] : [[name, host.faults.remaining(name)]])),
      ),
    }),
    settled: () => work,
    async end() {
      await host.stop();
      follow(false);
      await work;
      server.close();
    },
  };
  const server = controlServer(machine);
  process.once('SIGTERM', () => machine.end().catch(fail));
  await host.start();
  log(`${host.os.prettyName} listens on ${hostSocket}, boot ID ${host.bootID}`);
  follow(true);
  server.listen(settings.control);
}

function repositoryIn(file: string): Repository {
  return {
    get releases() {
      return releasesSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) as Repository['releases'];
    },
  } as Repository;
}

/** containerd goes by what lies in its folder with that ending; without any, the kubelet reports that its node is not ready. */
function placePodNetwork(there: boolean): void {
  const [shown, hidden] = ['cni/10-bed.conflist', 'cni/10-bed.conflist.broken'] as const;
  const [from, to] = there ? [hidden, shown] : [shown, hidden];
  if (existsSync(from)) renameSync(from, to);
}

function osRelease(host: SimulatedHost): string {
  const { prettyName, version, variant, buildID } = host.os;
  const lines = {
    NAME: 'Bottlerocket',
    ID: 'bottlerocket',
    PRETTY_NAME: settings.osImage ?? prettyName,
    VARIANT_ID: variant,
    VERSION_ID: version,
    BUILD_ID: buildID,
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key}="${value}"\n`)
    .join('');
}

function bootEnvironment({ name, index, logs, labels, programs }: MachineSettings): Record<string, string> {
  const { address, podSubnet, mac, cable } = addressesOf(index);
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: '/root',
    NAME: name,
    ADDRESS: address,
    PREFIX: String(nodesPrefix),
    POD_SUBNET: podSubnet,
    GATEWAY: gatewayAddress,
    BRIDGE: bridge,
    CABLE: cable,
    MAC: mac,
    LOGS: logs,
    LABELS: Object.entries(labels)
      .map((pair) => pair.join('='))
      .join(','),
    KUBELET: programs.kubelet,
    KUBE_PROXY: programs.kubeProxy,
  };
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}
