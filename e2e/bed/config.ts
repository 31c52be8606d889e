import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What the bed takes from its environment; everything else is an argument. */
export interface BedEnvironment {
  /** Where built binaries are kept between runs and between clones. */
  readonly cache: string;
  /** A folder with etcd, kube-apiserver and kubectl to be used instead of our own builds. */
  readonly kubebuilderAssets: string | undefined;
  /** The minor version of Kubernetes whose control plane is started, such as `1.30`; that of e2e/tools/kubernetes unless told. */
  readonly kubernetes: string | undefined;
  /** An existing cluster to be used instead of a control plane of the bed's own. */
  readonly kubeconfig: string | undefined;
  /** Where logs of a bed are written; a bed that ends well removes its own. */
  readonly out: string;
  /** Where state that nobody reads afterwards is kept (etcd's data, tokens, sockets). */
  readonly scratch: string;
}

/** Reads the environment once; empty variables count as unset. */
export function bedEnvironment(env: NodeJS.ProcessEnv = process.env): BedEnvironment {
  const cacheHome = env['XDG_CACHE_HOME'] || path.join(env['HOME'] || homedir(), '.cache');
  return {
    cache: env['LOCKKEEPER_CACHE'] || path.join(cacheHome, 'lockkeeper'),
    kubebuilderAssets: env['KUBEBUILDER_ASSETS'] || undefined,
    kubernetes: env['BED_KUBERNETES'] || undefined,
    kubeconfig: env['BED_KUBECONFIG'] || undefined,
    out: env['BED_OUT'] || path.join(repository, 'e2e', 'out'),
    scratch: tmpdir(),
  };
}
