import type { Workload } from './found.ts';

/** What keeps an object as it is written elsewhere. */
export interface Manager {
  name: string;
  /** It undoes what others write to the object; with how to have it leave off. */
  undoes?: string;
}

/** Who manages the old operator, as far as its objects say so. */
export function managerOf({ labels, annotations }: Workload): Manager | undefined {
  const argo = annotations['argocd.argoproj.io/tracking-id']?.split(':')[0] ?? labels['argocd.argoproj.io/instance'];
  if (argo !== undefined)
    return { name: `Argo CD (application ${argo})`, undoes: `turn off its self-healing: argocd app set ${argo} --self-heal=false` };
  for (const [kind, prefix, word] of [
    ['HelmRelease', 'helm.toolkit.fluxcd.io', 'helmrelease'],
    ['Kustomization', 'kustomize.toolkit.fluxcd.io', 'kustomization'],
  ] as const) {
    const name = labels[`${prefix}/name`];
    const namespace = labels[`${prefix}/namespace`];
    if (name !== undefined)
      return {
        name: `Flux (${kind} ${namespace ?? ''}/${name})`,
        undoes: `suspend it: flux suspend ${word} ${name}${namespace === undefined ? '' : ` -n ${namespace}`}`,
      };
  }
  const release = annotations['meta.helm.sh/release-name'];
  return release === undefined ? undefined : { name: `Helm (release ${release})` };
}

/** How the old operator is removed once nobody wants to go back. */
export function removalOf(workloads: readonly Workload[]): string {
  const helms = workloads.find(({ annotations }) => 'meta.helm.sh/release-name' in annotations);
  const release = helms?.annotations['meta.helm.sh/release-name'];
  const where = helms?.annotations['meta.helm.sh/release-namespace'] ?? helms?.namespace;
  return release === undefined
    ? 'kubectl delete -f bottlerocket-update-operator.yaml, or what else has installed it'
    : `helm uninstall ${release} --namespace ${where}`;
}
