import { type Clock, systemClock } from './clock.ts';
import type { Credentials } from './credentials.ts';
import { type InClusterOptions, inClusterCredentials } from './in-cluster.ts';
import type { KubeconfigSource } from './kubeconfig-places.ts';

export interface ProgramCredentials {
  /** A person's kubeconfig, or those of a list, and the context in it; without it the pod's own account counts. */
  readonly kubeconfig?: KubeconfigSource | undefined;
  readonly context?: string | undefined;
  readonly inCluster: InClusterOptions;
}

/**
 * What a program that runs in a pod, and on a person's machine as well, shows to the API server. Rejects with CredentialsError.
 * client-node is loaded for a kubeconfig alone: in a pod it would be a fifth of the program's memory.
 */
export async function programCredentials(options: ProgramCredentials, clock: Clock = systemClock): Promise<Credentials> {
  const { kubeconfig, context, inCluster } = options;
  if (kubeconfig === undefined) return inClusterCredentials({ ...inCluster, clock });
  const { kubeconfigCredentials } = await import('./kubeconfig.ts');
  return kubeconfigCredentials(kubeconfig, context, clock);
}
