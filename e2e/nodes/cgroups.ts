import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cgroupName } from './records.ts';

/** How this machine groups processes: one tree for all resources (v2), or one for each (v1, also beside a v2 tree without any). */
export interface CgroupLayout {
  readonly version: 'v1' | 'v2';
  /** The roots of the trees. */
  readonly trees: readonly string[];
}

/** One bed's part of each tree. */
export interface BedCgroups {
  readonly layout: CgroupLayout;
  /** The bed's folder in each tree. */
  readonly folders: readonly string[];
  /** A process that writes its number here is counted as the bed's, and all that it starts. */
  readonly procs: string;
  /** Makes a node's root in each tree, and says how a kubelet names it. */
  addNode(name: string): Promise<{ readonly cgroupRoot: string; readonly folders: readonly string[] }>;
}

const root = '/sys/fs/cgroup';
const wantedControllers = ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb'];

/** Reads /proc/self/mounts; undefined where no cgroups are mounted in the usual place. */
export function cgroupLayout(mounts: string): CgroupLayout | undefined {
  const lines = mounts.split('\n').map((line) => line.split(' '));
  if (lines.some(([, at, type]) => at === root && type === 'cgroup2')) return { version: 'v2', trees: [root] };
  const trees = lines
    .filter(([, at = '', type = '']) => path.dirname(at) === root && type.startsWith('cgroup'))
    .flatMap(([, at]) => at ?? []);
  return trees.length === 0 ? undefined : { version: 'v1', trees };
}

/** Makes a bed's folders. They are removed by reaper.sh, with what runs in them. */
export async function createCgroups(id: string, layout: CgroupLayout): Promise<BedCgroups> {
  const folders = layout.trees.map((tree) => path.join(tree, cgroupName(id)));
  for (const folder of folders) await makeFolder(folder, layout);
  // One tree is enough to find what is ours; the bed itself needs no limits.
  const tracked = folders.find((folder) => path.basename(path.dirname(folder)) === 'pids') ?? folders[0] ?? '';
  await mkdir(path.join(tracked, 'bed'), { recursive: true });
  return {
    layout,
    folders,
    procs: path.join(tracked, 'bed', 'cgroup.procs'),
    async addNode(name) {
      const ofNode = folders.map((folder) => path.join(folder, name));
      for (const folder of ofNode) await makeFolder(folder, layout);
      return { cgroupRoot: `/${cgroupName(id)}/${name}`, folders: ofNode };
    },
  };
}

async function makeFolder(folder: string, { version }: CgroupLayout): Promise<void> {
  const parent = path.dirname(folder);
  if (version === 'v2') {
    const offered = (await readFile(path.join(parent, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    const wanted = wantedControllers.filter((each) => offered.includes(each)).map((each) => `+${each}`);
    await writeFile(path.join(parent, 'cgroup.subtree_control'), wanted.join(' '));
    await mkdir(folder, { recursive: true });
    return;
  }
  await mkdir(folder, { recursive: true });
  // A new cpuset is empty, and nothing can run in an empty one.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const inherited = await readFile(path.join(parent, file), 'utf8').catch(() => undefined);
    if (inherited !== undefined) await writeFile(path.join(folder, file), inherited);
  }
}
