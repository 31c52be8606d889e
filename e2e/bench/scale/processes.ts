import { readFile } from 'node:fs/promises';

/** Of /proc/PID/stat; Linux has it at 100 on all that we run on. */
const ticksPerSecond = 100;

/** Processor time that a process has used so far, in seconds; all its threads. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The program's name may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The most that a process has ever held, in MB of a million bytes. */
export async function peakResident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status has no VmHWM`);
  return (Number(kibibytes) * 1024) / 1e6;
}

/** When a process was started, in ms since the epoch. */
export async function startedAt(pid: number): Promise<number> {
  const [stat, uptime] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile('/proc/uptime', 'utf8')]);
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return Date.now() - (Number(uptime.split(' ')[0]) - ticks / ticksPerSecond) * 1000;
}
