import { glob, readFile } from 'node:fs/promises';
import { chromiumPath } from '../browser.ts';
import { findIn } from '../find-program.ts';
import { cgroupLayout } from './cgroups.ts';

/** This machine cannot run real nodes; the message says all that is missing, and what to do about it. */
export class RequirementError extends Error {
  override readonly name = 'RequirementError';
}

const bedDeps = 'make bed-deps';
/** In the order of where a system looks. */
export const systemPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const packagesOf: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  iptables: 'iptables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  mount: 'mount',
  tar: 'tar',
  ldd: 'libc-bin',
};
const pluginFolders = ['/usr/lib/cni', '/opt/cni/bin'];
const plugins = ['bridge', 'host-local', 'loopback'];
/** CAP_SYS_ADMIN and CAP_NET_ADMIN: namespaces and mounts, links and routes. */
const capabilities = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n };

/** Debian's libfaketime, with which a program can be given a wrong clock; undefined where it is not installed. */
export async function fakeTimeLibrary(): Promise<string | undefined> {
  for await (const file of glob('/usr/lib/*/faketime/libfaketime.so.1')) return file;
  return undefined;
}

/** Debian's packages that are missing here, those included that only some tests want: a wrong clock, a browser. */
export async function packagesToInstall(): Promise<string[]> {
  return [
    ...(await missingPackages()),
    ...((await fakeTimeLibrary()) === undefined ? ['libfaketime'] : []),
    ...((await chromiumPath()) === undefined ? ['chromium'] : []),
  ];
}

/** Debian's packages that are missing here. */
async function missingPackages(): Promise<string[]> {
  const packages = new Set<string>();
  for (const [program, ofPackage] of Object.entries(packagesOf)) {
    if ((await findIn(systemPath, program)) === undefined) packages.add(ofPackage);
  }
  if ((await cniFolder()) === undefined) packages.add('containernetworking-plugins');
  return [...packages];
}

/** What is missing here, one sentence each; empty where real nodes can run. */
export async function missingRequirements(): Promise<string[]> {
  if (process.platform !== 'linux') return [`Linux is needed; this is ${process.platform}`];
  const missing: string[] = [];
  if (process.geteuid?.() !== 0) missing.push('root is needed: containers, namespaces and mounts are made; run it with sudo');
  else missing.push(...(await missingCapabilities()));
  if (cgroupLayout(await readFile('/proc/self/mounts', 'utf8')) === undefined)
    missing.push('cgroups are needed, mounted at /sys/fs/cgroup');
  if (!/^nodev\s+overlay$/m.test(await readFile('/proc/filesystems', 'utf8')))
    missing.push('the kernel must know overlay: modprobe overlay');
  const packages = await missingPackages();
  if (packages.length > 0) missing.push(`packages are missing (${packages.join(', ')}): ${bedDeps}`);
  return missing;
}

/** @throws RequirementError where anything is missing */
export async function requireAll(): Promise<void> {
  const missing = await missingRequirements();
  if (missing.length > 0) throw new RequirementError(`real nodes cannot run here:\n${missing.map((each) => `  - ${each}`).join('\n')}`);
}

/** The folder with the network plugins; undefined where they are not installed. */
export async function cniFolder(): Promise<string | undefined> {
  for (const folder of pluginFolders) {
    const found = await Promise.all(plugins.map((plugin) => findIn([folder], plugin)));
    if (!found.includes(undefined)) return folder;
  }
  return undefined;
}

async function missingCapabilities(): Promise<string[]> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return Object.entries(capabilities)
    .filter(([, bit]) => ((effective >> bit) & 1n) === 0n)
    .map(([name]) => `root without ${name} is not enough (a container? run it privileged)`);
}
