import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What the figures were measured on, one line each. */
export function describeMachine(): string[] {
  const model = cpus()[0]?.model.trim() ?? '';
  return [
    `cores: ${availableParallelism()}${model === '' || model === 'unknown' ? '' : ` (${model})`}, ${arch()}`,
    `memory: ${(totalmem() / 1024 ** 3).toFixed(1)} GiB`,
    `kernel: ${type()} ${release()}`,
    `Node: ${process.version}`,
    `load when it began: ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ];
}
