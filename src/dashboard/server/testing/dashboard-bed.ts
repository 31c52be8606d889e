import type { ClusterBed } from '../../../controller/testing/bed.ts';
import { systemClock } from '../../../kube/clock.ts';
import { createDashboard, type Dashboard, type DashboardDeps } from '../dashboard.ts';

/** A dashboard of the cluster in this process, with a page that is none; `close` it at the end. */
export const dashboardOf = ({ client, server }: ClusterBed, more: Partial<DashboardDeps> = {}): Promise<Dashboard> =>
  createDashboard({
    client,
    clock: systemClock,
    random: () => 0,
    assets: { html: '<!doctype html>', js: 'run()', css: 'a{}' },
    cluster: { context: 'x', name: 'c', server: server.origin },
    namespace: undefined,
    program: new URL('../../../cli/main.ts', import.meta.url),
    version: '1.2.3',
    address: '127.0.0.1',
    port: 0,
    ...more,
  });
