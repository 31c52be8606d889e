import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../bed/command.ts';
import { eventually } from '../bed/eventually.ts';
import { cgroupLayout } from '../nodes/cgroups.ts';

/** A cgroup whose memory the kernel limits. */
export interface MemoryGroup {
  /** Has the kernel kill a process for want of memory: it joins the group, and the group is filled. Does nothing where it has ended. */
  exhaust(pid: number): Promise<void>;
  close(): Promise<void>;
}

const limit = 64 * 1024 * 1024;
/** Takes all of the group's memory and more: once the process is gone that the kernel would rather kill, it is killed itself. */
const fill = 'echo $$ > "$0" && exec dd if=/dev/zero of=/dev/null bs=96M count=1 status=none';

/** Undefined where this user may make no cgroup, or this machine's cgroups do not limit memory. */
export async function openMemoryGroup(): Promise<MemoryGroup | undefined> {
  const layout = cgroupLayout(await readFile('/proc/self/mounts', 'utf8'));
  const tree = layout?.trees.find((root) => layout.version === 'v2' || path.basename(root) === 'memory');
  if (layout === undefined || tree === undefined) return undefined;
  const folder = path.join(tree, `lockkeeper-faults-${process.pid}`);
  try {
    if (layout.version === 'v2') await writeFile(path.join(tree, 'cgroup.subtree_control'), '+memory');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, layout.version === 'v2' ? 'memory.max' : 'memory.limit_in_bytes'), String(limit));
  } catch {
    return undefined;
  }
  const members = path.join(folder, 'cgroup.procs');
  const unlessEnded = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ESRCH' && error.code !== 'ENOENT') throw error;
  };
  return {
    async exhaust(pid) {
      await writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(unlessEnded);
      await writeFile(members, String(pid)).catch(unlessEnded);
      const killedItself = () => undefined;
      await runCommand('/bin/sh', ['-c', fill, members], { env: {}, cwd: '/', timeoutMs: 60_000 }).catch(killedItself);
    },
    async close() {
      await eventually(async () => {
        await rmdir(folder);
        return true;
      });
    },
  };
}
