import { configFile, controlPlaneName, type KindOptions } from './cluster-files.ts';

/** A program and its arguments. */
export type CommandLine = readonly [program: string, ...args: string[]];

export const createCluster = (options: KindOptions, kubeconfig: string): CommandLine => [
  'kind',
  'create',
  'cluster',
  ...['--name', options.name, '--config', configFile(options), '--kubeconfig', kubeconfig, '--wait', '180s'],
];
export const deleteCluster = ({ name }: KindOptions): CommandLine => ['kind', 'delete', 'cluster', '--name', name];
export const loadImage = ({ name }: KindOptions, archive: string): CommandLine => [
  'kind',
  'load',
  'image-archive',
  archive,
  '--name',
  name,
];
/** The log is root's. */
export const openAuditLog = (options: KindOptions): CommandLine => [
  ...(['docker', 'exec', controlPlaneName(options)] as const),
  ...['chmod', '-R', 'a+rX', '/var/log/lockkeeper'],
];
/** The power goes: nothing is given time to end. */
export const powerOff = (container: string): CommandLine => ['docker', 'kill', container];
export const powerOn = (container: string): CommandLine => ['docker', 'start', container];
