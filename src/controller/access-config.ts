import { type KubeconfigSource, kubeconfigPlaces } from '../kube/kubeconfig-places.ts';

/** How a program of ours reaches the API server. */
export interface AccessConfig {
  /** Absent: in the cluster, by the pod's own service account. */
  kubeconfig?: KubeconfigSource;
  context?: string;
  inCluster: { directory?: string; host: string; port: string };
}

/** What flags and environment say of it; without a flag a kubeconfig is not looked for. */
export function readAccess({ kubeconfig, context }: Pick<AccessConfig, 'kubeconfig' | 'context'>, env: NodeJS.ProcessEnv): AccessConfig {
  const directory = env['LOCKKEEPER_SERVICE_ACCOUNT_DIR'];
  return {
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
    inCluster: {
      host: env['KUBERNETES_SERVICE_HOST'] ?? '',
      port: env['KUBERNETES_SERVICE_PORT'] ?? '443',
      ...(directory !== undefined && { directory }),
    },
  };
}

/** The same for a program that people run, too: outside the cluster it takes the kubeconfig that kubectl would take. */
export function readPersonsAccess(options: Pick<AccessConfig, 'kubeconfig' | 'context'>, env: NodeJS.ProcessEnv): AccessConfig {
  const access = readAccess(options, env);
  if (access.kubeconfig !== undefined || access.inCluster.host !== '') return access;
  return { ...access, kubeconfig: kubeconfigPlaces(env) };
}
