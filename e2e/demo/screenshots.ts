import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { KubeObject } from '../bed/api.ts';
import { startBed } from '../bed/bed.ts';
import { repository } from '../bed/config.ts';
import { openPage, startBrowser } from '../browser.ts';
import { guardNode } from '../scenarios/guarded-pod.ts';
import { personOn } from '../scenarios/person.ts';

/**
 * Takes the README's pictures of the dashboard anew: `node e2e/demo/screenshots.ts`, after `make build`. A bed of 36 nodes in three
 * zones, a canary group, in the middle of a rollout; one node blocked by a budget, one whose drain waits for another.
 */
const folder = path.join(repository, 'docs/images');
const nodes = 36;
const blocked = 'node-13';
const held = 'node-16';

type NodeUpdateObject = KubeObject & { status?: NodeUpdateStatus };

const release = (version: string) => ({ version, variant: 'aws-k8s-1.36', arch: 'x86_64' });
const bed = await startBed({ name: 'screenshots', releases: [release('1.26.0')] });
const browser = await startBrowser();
const { eventually } = bed;
const phases = async (): Promise<Map<string, string | undefined>> => {
  const updates = await bed.client.list<NodeUpdateObject>('/apis/lockkeeper.dev/v1alpha1/nodeupdates');
  return new Map(updates.map(({ metadata: { name }, status }) => [name, status?.phase === 'Idle' ? status.reason : status?.phase]));
};
const waitFor = (fits: (phases: Map<string, string | undefined>) => boolean): Promise<unknown> =>
  eventually(async () => fits(await phases()), {
    timeoutMs: 240_000,
    describe: async () => JSON.stringify([...(await phases())]),
  });
try {
  const infra = { 'bed.lockkeeper.dev/infra': 'true' };
  await bed.addMachine({ name: 'infra', osImage: 'Debian GNU/Linux 12 (bookworm)', labels: infra });
  const timings = { refreshMs: 10, prepareMs: 400, activateMs: 10, rebootCommandMs: 5, bootMs: 6_000, renderMs: 5 };
  await bed.addMachines(nodes, { variant: 'aws-k8s-1.36', host: { timings } }, (index) => ({
    name: `node-${index + 1}`,
    zone: `eu-west-1${'abc'[Math.floor(index / 12)]}`,
    ...(index % 12 === 0 && index < 24 && { labels: { ring: 'canary' } }),
  }));
  const controller = { replicas: 1, nodeSelector: infra, extraArgs: ['--retry-base=2m', '--retry-max=4m'] };
  await bed.installChart({ values: { controller, defaultPolicy: { create: false } } });
  await bed.client.apply({
    apiVersion: 'lockkeeper.dev/v1alpha1',
    kind: 'UpdatePolicy',
    metadata: { name: 'production' },
    spec: {
      approval: 'Manual',
      version: { refreshInterval: '1s' },
      schedule: { windows: [{ cron: '0 0 * * *', duration: '23h30m', timeZone: 'UTC' }] },
      rollout: {
        ...{ maxUnavailable: 5, minReadySeconds: 0, soak: '3s' },
        groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }],
      },
      staging: { maxParallel: '100%' },
      drain: { timeout: '25s' },
    },
  });
  await guardNode(bed, blocked);
  bed.repository.releases.push(release('1.26.1'));
  await waitFor((now) => now.size === nodes && [...now.values()].every((phase) => phase === 'Staged'));
  const person = await personOn(bed, 'jane');
  await Promise.all([person.allow('lockkeeper-viewer'), person.allow('lockkeeper-operator')]);
  await person.run(['approve']);
  await waitFor((now) => now.get(blocked) === 'Blocked');
  await guardNode(bed, held);
  const dashboard = person.start(['dashboard']);
  const url = await eventually(() => /http:\S+#token=\S+/.exec(dashboard.stdout())?.[0] ?? false);
  await waitFor((now) => {
    const all = [...now.values()];
    if (now.get(blocked) !== 'Blocked') return false;
    return now.get(held) === 'Draining' && all.includes('Rebooting') && all.filter((phase) => phase === 'UpToDate').length > nodes / 3;
  });
  await mkdir(folder, { recursive: true });
  const shots = ['light', 'dark'] as const;
  const pages = await Promise.all(
    shots.map((colorScheme) => openPage(browser, url, { viewport: { width: 1280, height: 800 }, colorScheme, reducedMotion: 'reduce' })),
  );
  for (const [index, { page }] of pages.entries()) {
    await page.getByRole('listbox').getByRole('option').first().waitFor();
    if (shots[index] === 'dark') {
      await page.getByRole('option', { name: new RegExp(`^${held}\\b`) }).click();
      await page.getByText('What changes that').waitFor();
    }
    const file = path.join(folder, `dashboard-${shots[index]}.png`);
    await page.screenshot({ path: file });
    console.log(path.relative(repository, file));
  }
  await dashboard.interrupt();
} finally {
  await browser.close();
  await bed.stop();
}
