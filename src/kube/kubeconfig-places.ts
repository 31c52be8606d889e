import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** One file that must be there, or those of a list such as KUBECONFIG's that are there. */
export type KubeconfigSource = string | readonly string[];

/** Where a person's kubeconfigs are, as kubectl looks for them: those that KUBECONFIG names, else the one in their home. */
export function kubeconfigPlaces(env: NodeJS.ProcessEnv): readonly string[] {
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  return named.length > 0 ? named : [join(homedir(), '.kube', 'config')];
}
