import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cgroupLayout, createCgroups } from './cgroups.ts';

describe('what is mounted', () => {
  test.each([
    ['v2', 'cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0', { version: 'v2', trees: ['/sys/fs/cgroup'] }],
    [
      'v1',
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0',
      { version: 'v1', trees: ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/pids'] },
    ],
    [
      'hybrid',
      'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
      { version: 'v1', trees: ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'] },
    ],
    ['none', 'proc /proc proc rw 0 0\ncgroup2 /elsewhere cgroup2 rw 0 0', undefined],
  ])('%s', (_, mounts, layout) => expect(cgroupLayout(mounts)).toEqual(layout));
});

describe('a bed', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  test('v1: a folder in each tree, processes in one, and cpusets that are not empty', async () => {
    const trees = ['cpuset', 'memory', 'pids'].map((tree) => path.join(root, tree));
    for (const tree of trees) await mkdir(tree);
    await writeFile(path.join(root, 'cpuset', 'cpuset.cpus'), '0-1\n');
    await writeFile(path.join(root, 'cpuset', 'cpuset.mems'), '0\n');
    const cgroups = await createCgroups('abc123', { version: 'v1', trees });
    expect(cgroups.folders).toEqual(trees.map((tree) => path.join(tree, 'lockkeeper-abc123')));
    expect(cgroups.procs).toBe(path.join(root, 'pids/lockkeeper-abc123/bed/cgroup.procs'));
    const node = await cgroups.addNode('node-1');
    expect(node.cgroupRoot).toBe('/lockkeeper-abc123/node-1');
    expect(await readFile(path.join(root, 'cpuset/lockkeeper-abc123/node-1/cpuset.cpus'), 'utf8')).toBe('0-1\n');
    expect(await readdir(path.join(root, 'memory/lockkeeper-abc123'))).toEqual(['node-1']);
  });

  test('v2: the controllers that there are, from the root down; the bed in a leaf', async () => {
    await writeFile(path.join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids rdma\n');
    const cgroups = await createCgroups('abc123', { version: 'v2', trees: [root] });
    expect(await readFile(path.join(root, 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +cpuset +io +memory +pids');
    expect(cgroups.procs).toBe(path.join(root, 'lockkeeper-abc123/bed/cgroup.procs'));
    // The kernel makes this file; a plain folder has none.
    await writeFile(path.join(root, 'lockkeeper-abc123', 'cgroup.controllers'), 'cpu memory\n');
    expect(await cgroups.addNode('node-1')).toEqual({
      cgroupRoot: '/lockkeeper-abc123/node-1',
      folders: [path.join(root, 'lockkeeper-abc123', 'node-1')],
    });
    expect(await readFile(path.join(root, 'lockkeeper-abc123', 'cgroup.subtree_control'), 'utf8')).toBe('+cpu +memory');
  });
});
