import { type Bed, startBed } from '../bed/bed.ts';
import { workloadImage } from '../nodes/images.ts';
import { startNodes } from '../nodes/nodes.ts';
import { ourImage } from '../nodes/our-image.ts';
import { requireAll } from '../nodes/requirements.ts';
import type { DemoEnvironment } from './config.ts';

/** A bed, as far as the demo needs it. */
export interface DemoBed {
  readonly bed: Pick<Bed, 'client' | 'kubeconfig' | 'home' | 'history' | 'nodeHistory' | 'installChart' | 'eventually' | 'stop'>;
  /** Puts a release into the update repository of all hosts. */
  release(version: string): Promise<void>;
  /** Of a pod of the shop. */
  readonly container: object;
}

/** A demo that can be begun: what it consists of, in words, and how. */
export interface DemoStage {
  readonly parts: string;
  /** @throws RequirementError where this machine cannot have it */
  start(from: string): Promise<DemoBed>;
  /** Whether all of it is gone with this process, also while it is starting. */
  readonly endsWithProcess: boolean;
}

/** Slow enough to be watched, quick enough not to bore. */
const timings = { refreshMs: 200, prepareMs: 1200, activateMs: 100, rebootCommandMs: 50, bootMs: 1500, renderMs: 50 };
/** Of the Kubernetes that the control plane runs: an older one would be told to be replaced. */
const variant = 'aws-k8s-1.36';
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const playedArch = 'x86_64';

export const demoStages: Readonly<Record<DemoEnvironment['bed'], (nodes: number) => DemoStage>> = {
  processes: (nodes) => ({
    parts: 'etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok',
    endsWithProcess: false,
    async start(from) {
      const release = (version: string) => ({ version, variant, arch: playedArch });
      const bed = await startBed({ name: 'demo', releases: [release(from)] });
      try {
        await bed.addMachines(nodes, { variant, host: { timings } });
      } catch (error) {
        await bed.stop({ keepLogs: true });
        throw error;
      }
      return { bed, container: { image: 'shop' }, release: async (version) => void bed.repository.releases.push(release(version)) };
    },
  }),
  nodes: (nodes) => ({
    parts: `the image, etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and ${nodes} machines with kubelet and containerd`,
    endsWithProcess: true,
    async start(from) {
      // Said before minutes go into an image.
      await requireAll();
      const release = (version: string) => ({ version, variant, arch });
      const bed = await startNodes({
        name: 'demo-nodes',
        nodes,
        releases: [release(from)],
        machine: { variant, timings },
        image: await ourImage(),
      });
      const container = {
        image: workloadImage,
        command: ['node', '/server.js'],
        readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
        lifecycle: { preStop: { sleep: { seconds: 1 } } },
      };
      return { bed, container, release: (version) => bed.publish(release(version)) };
    },
  }),
};
