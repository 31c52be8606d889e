import type { ChartOptions } from '../../bed/chart.ts';
import type { Nodes } from '../nodes.ts';
import { fakeTimeLibrary } from '../requirements.ts';

/** Where a machine keeps what its clock is said to be off by. */
const folder = '/var/lib/wrong-clock';

/**
 * Installs the chart so that every program of ours has the clock of its machine, which is off by so much (`+1d`): all that
 * asks libc for the time of day, OpenSSL too, and no monotonic clock. The kernel, the kubelets and the hosts keep the true one.
 * @throws Error where libfaketime is not installed
 */
export const withClocks =
  (offsets: Readonly<Record<string, string>>) =>
  async (bed: Nodes, options: ChartOptions): Promise<void> => {
    const library = await fakeTimeLibrary();
    if (library === undefined) throw new Error('libfaketime is not installed: make bed-deps');
    for (const [name, offset] of Object.entries(offsets))
      await bed.machine(name).run('sh', '-c', `mkdir -p ${folder} && echo '${offset}' > ${folder}/offset`);
    await bed.installChart({ ...options, wait: false });
    for (const [kind, component] of [['daemonset', 'agent'] as const, ['deployment', 'controller'] as const]) {
      const path = `/apis/apps/v1/namespaces/lockkeeper/${kind}s/lockkeeper-${component}`;
      await bed.client.patch(path, withClock(component, library), 'strategic');
    }
    await bed.kubectl('--namespace', 'lockkeeper', 'rollout', 'status', 'deployment/lockkeeper-controller', '--timeout', '60s');
  };

function withClock(container: string, library: string): object {
  const env = {
    LD_PRELOAD: '/wrong-clock/libfaketime.so',
    FAKETIME_TIMESTAMP_FILE: '/wrong-clock/offset',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  const volumes = [
    { name: 'fake-time', hostPath: { path: library, type: 'File' } },
    { name: 'offset', hostPath: { path: `${folder}/offset`, type: 'File' } },
  ];
  const volumeMounts = [
    { name: 'fake-time', mountPath: env.LD_PRELOAD, readOnly: true },
    { name: 'offset', mountPath: env.FAKETIME_TIMESTAMP_FILE, readOnly: true },
  ];
  const containers = [{ name: container, env: Object.entries(env).map(([name, value]) => ({ name, value })), volumeMounts }];
  return { spec: { template: { spec: { containers, volumes } } } };
}
