import { type Finding, NODE_CONDITIONS } from './conditions.ts';
import type { KubernetesVersion, NodeOS } from './world.ts';

/** How many minor versions a kubelet may be older than the API server (https://kubernetes.io/releases/version-skew-policy/#kubelet). */
const MAX_MINORS_BEHIND = 3;

/** The Kubernetes that a variant such as `aws-k8s-1.31-nvidia` brings; undefined where its name says none. */
export function kubernetesOf(variant: string): KubernetesVersion | undefined {
  const [, major, minor] = /(?:^|-)k8s-(\d{1,3})\.(\d{1,3})(?:-|$)/.exec(variant) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** Says that a node's Kubernetes is older than the control plane supports: no update of the OS crosses a variant, so none ever mends that. */
export function tooOldForControlPlane(os: NodeOS | undefined, server: KubernetesVersion | undefined): Finding[] {
  if (os === undefined || server === undefined) return [];
  const own = kubernetesOf(os.variant);
  if (own === undefined || own.major !== server.major) return [];
  if (server.minor - own.minor <= MAX_MINORS_BEHIND) return [];
  const message = `variant ${os.variant} is Kubernetes ${own.major}.${own.minor}, more than ${MAX_MINORS_BEHIND} minor versions older than the control plane's ${server.major}.${server.minor}: no update of the OS changes that, replace the node by one of a newer variant`;
  return [{ type: NODE_CONDITIONS.kubernetesSupported, status: 'False', reason: 'KubernetesTooOld', message }];
}
