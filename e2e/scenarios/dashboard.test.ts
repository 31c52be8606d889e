import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { repository } from '../bed/config.ts';
import { openPage, startBrowser } from '../browser.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { guardNode } from './guarded-pod.ts';
import { type Person, personOn, type Running } from './person.ts';

const PHONE = { viewport: { width: 375, height: 740 } };
const pictures = path.join(repository, 'e2e/out/dashboard');
const policies = '/apis/lockkeeper.dev/v1alpha1/updatepolicies';

let fleet: Fleet;
let browser: Browser;
let jane: Person;
let reader: Person;
const running: Running[] = [];
const urls: Record<'jane' | 'reader', string> = { jane: '', reader: '' };

beforeAll(async () => {
  browser = await startBrowser();
  fleet = await startFleet({
    nodes: 4,
    policy: { approval: 'Manual', rollout: { groups: [{ name: 'canary', nodeSelector: { matchLabels: { ring: 'canary' } } }] } },
    machine: (index) => ({
      name: `node-${index + 1}`,
      zone: `eu-west-1${index < 2 ? 'a' : 'b'}`,
      ...(index === 0 && { labels: { ring: 'canary' } }),
    }),
  });
  await mkdir(pictures, { recursive: true });
  [jane, reader] = [await personOn(fleet.bed, 'jane'), await personOn(fleet.bed, 'reader')];
  await Promise.all([jane.allow('lockkeeper-viewer'), jane.allow('lockkeeper-operator'), reader.allow('lockkeeper-viewer')]);
  [urls.jane, urls.reader] = await Promise.all([dashboardOf(jane), dashboardOf(reader)]);
}, 120_000);

afterAll(async () => {
  const ended = await Promise.all(running.map((dashboard) => dashboard.interrupt()));
  await browser?.close();
  await fleet?.stop();
  expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(ended.map(() => ({ code: 0, stderr: '' })));
}, 60_000);

/** Starts the command, and gives the URL that it prints. */
async function dashboardOf(person: Person): Promise<string> {
  const dashboard = person.start(['dashboard']);
  running.push(dashboard);
  const url = () => /http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]+/.exec(dashboard.stdout())?.[0];
  return fleet.eventually(() => url() ?? false, { describe: () => dashboard.stdout() });
}

const tiles = (page: Page) => page.getByRole('listbox').getByRole('option');
/** The tile of a node that says all of this, in this order. */
const tile = (page: Page, ...words: readonly string[]) =>
  tiles(page).and(page.getByRole('option', { name: new RegExp(`^${words.join('\\b.*')}\\b`) }));

test('people see a rollout live, and approve, pause and resume it after they have read what is written', async () => {
  const { bed, eventually, judge } = fleet;
  const { page, faults } = await openPage(browser, urls.jane, { viewport: { width: 1280, height: 900 } });
  await page.getByText('Live', { exact: true }).waitFor();
  expect(page.url()).not.toContain('token');
  await tile(page, 'node-1', 'Up to date', 'version 1.26.0', 'zone eu-west-1a', 'group canary').waitFor();
  for (const { name } of fleet.machines) await tile(page, name).waitFor();
  expect(await tiles(page).count()).toBe(4);
  // What stands in the cluster is text, whatever it says.
  const evil = '<img src=x onerror=alert(1)>';
  await fleet.annotate('nodeupdates', 'node-4', { 'lockkeeper.dev/pin-version': evil });

  const guard = await guardNode(bed, 'node-1');
  fleet.release('1.26.1');
  await tile(page, 'node-1', 'Staged', 'AwaitingApproval', 'version 1.26.0', 'to 1.26.1').waitFor();
  await tile(page, 'node-4').click();
  await page.getByRole('complementary', { name: 'Node node-4' }).getByText(evil).first().waitFor();
  await page.keyboard.press('Escape');
  expect(await page.locator('img').count()).toBe(0);

  // A question says what is written; a no writes nothing.
  const mark = await bed.audit.mark();
  const question = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Pause: policy fleet' }).click();
  await question.getByText('lockkeeper.dev/paused: "true"').waitFor();
  await page.keyboard.press('Escape');
  await question.waitFor({ state: 'detached' });
  const act = async (name: string) => {
    await page.getByRole('button', { name: `${name}: policy fleet` }).click();
    await question.getByRole('button', { name, exact: true }).click();
    await question.waitFor({ state: 'detached' });
  };
  await act('Pause');
  await page.getByRole('article', { name: 'Policy fleet' }).getByText('Paused', { exact: true }).waitFor();
  await act('Resume');
  await act('Approve');

  // The drain of node-1 waits for a budget: the page names the pod and the budget.
  await tile(page, 'node-1', 'Draining').waitFor();
  await tile(page, 'node-1', 'Draining').click();
  const panel = page.getByRole('complementary', { name: 'Node node-1' });
  await panel.getByText(`budget ${guard.budget}`).waitFor();
  await page.screenshot({ path: path.join(pictures, 'drain.png') });
  await guard.open();
  await tile(page, 'node-1', 'Up to date', 'version 1.26.1').waitFor({ timeout: 60_000 });
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('row', { name: /node-1.*1\.26\.0.*1\.26\.1.*Updated/ }).waitFor();
  await page.getByRole('button', { name: 'Plan', exact: true }).click();
  await page.getByRole('heading', { name: /^fleet: \d of 4 nodes up to date/ }).waitFor();
  await fleet.updated('1.26.1', ['node-1', 'node-2', 'node-3']);

  const written = await eventually(async () => {
    const patches = await bed.audit.find({ user: jane.user, verb: 'patch' }, mark);
    return patches.length >= 3 && patches;
  });
  expect(written.map(({ requestURI, requestObject }) => [requestURI.split('?')[0], requestObject])).toEqual([
    [`${policies}/fleet`, { metadata: { annotations: { 'lockkeeper.dev/paused': 'true' } } }],
    [`${policies}/fleet`, { metadata: { annotations: { 'lockkeeper.dev/paused': null } } }],
    [`${policies}/fleet`, { metadata: { annotations: { 'lockkeeper.dev/approved-version': '1.26.1' } } }],
  ]);
  expect(faults).toEqual([]);
  await page.close();
  await judge.invariants();
}, 120_000);

test('who may only read sees the same, and which right an action wants', async () => {
  const { page, faults } = await openPage(browser, urls.reader);
  const pause = page.getByRole('button', { name: 'Pause: policy fleet' });
  await page.getByText(/You may not patch updatepolicies\.lockkeeper\.dev: the ClusterRole lockkeeper-operator allows it/).waitFor();
  expect(await pause.getAttribute('aria-disabled')).toBe('true');
  await pause.click({ force: true });
  expect(await page.getByRole('dialog').count()).toBe(0);
  expect(faults).toEqual([]);
  // Where the program ends, the page says so, and keeps what was.
  await running[1]!.interrupt();
  await page.getByText(/^Reconnecting since \d/).waitFor();
  await page.getByText('What is shown was so').waitFor();
  expect(await tiles(page).count()).toBe(4);
  await page.close();
}, 60_000);

test.each([
  ['light', 'light', { viewport: { width: 1280, height: 900 } }],
  ['dark', 'dark', { viewport: { width: 1280, height: 900 } }],
  ['phone', 'light', PHONE],
] as const)(
  'nothing is in the way of anybody, and nothing scrolls sideways: %s',
  async (name, colorScheme, options) => {
    const { page, faults } = await openPage(browser, urls.jane, { ...options, colorScheme, reducedMotion: 'reduce' });
    await tile(page, 'node-1').waitFor();
    const looks = async (what: string) => {
      await page.screenshot({ path: path.join(pictures, `${name}-${what}.png`) });
      expect({ what, ...(await barriers(page)) }).toEqual({ what, found: [], sideways: 0 });
    };
    await looks('fleet');
    await page.getByRole('radio', { name: 'table' }).check({ force: true });
    await looks('table');
    await page.getByRole('button', { name: 'node-4' }).click();
    await page.getByText('Its last updates').waitFor();
    await looks('node');
    await page.getByRole('button', { name: 'Close the node' }).click();
    await page.getByRole('button', { name: 'Pause: policy fleet' }).click();
    await page.getByText('What comes of it:').waitFor();
    await looks('question');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'History' }).click();
    await page
      .getByRole('row', { name: /node-1/ })
      .first()
      .waitFor();
    await looks('history');
    expect(faults).toEqual([]);
    await page.close();
  },
  60_000,
);

/** What axe finds serious or worse, and by how much the page is too wide. */
async function barriers(page: Page): Promise<{ found: readonly string[]; sideways: number }> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate<{ id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[]>(
    'axe.run().then(({ violations }) => violations)',
  );
  return {
    found: violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`)),
    sideways: await page.evaluate<number>('Math.max(0, document.documentElement.scrollWidth - innerWidth)'),
  };
}

test('keys alone lead to a node, to what can be asked of it, and back', async () => {
  const { page, faults } = await openPage(browser, urls.jane);
  await tile(page, 'node-1').waitFor();
  const inPage = (expression: string) => page.evaluate<unknown>(`(() => { const has = document.activeElement; return ${expression}; })()`);
  const focused = () => inPage("has?.getAttribute('aria-label') ?? has?.textContent");
  const active = () => inPage("document.getElementById(has?.getAttribute('aria-activedescendant'))?.textContent");
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  for (let tabs = 0; (await focused()) !== 'Nodes by zone'; tabs += 1) {
    expect(tabs).toBeLessThan(40);
    await press('Tab');
  }
  expect(await active()).toMatch(/^node-1,/);
  await press('ArrowRight');
  expect(await active()).toMatch(/^node-2,/);
  await press('PageDown');
  expect(await active()).toMatch(/^node-3,/);
  await press('Enter');
  await page.getByRole('complementary', { name: 'Node node-3' }).waitFor();
  expect(await focused()).toBe('node-3');
  await press('Tab', 'Tab');
  expect(await focused()).toBe('Pause: node node-3');
  await press('Enter');
  await page.getByRole('dialog').getByText('What comes of it:').waitFor();
  // What has the keys stays inside the question.
  for (let tabs = 0; tabs < 4; tabs += 1) {
    await press('Tab');
    expect(await inPage("has === document.body || has?.closest('dialog') !== null")).toBe(true);
  }
  await press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Pause: node node-3');
  await press('Escape');
  await page.getByRole('complementary').waitFor({ state: 'detached' });
  expect(await focused()).toBe('Nodes by zone');
  await press('/', 'n', 'o', 'd', 'e', '-', '4');
  await page.getByText('1 node of 4').waitFor();
  expect(await tiles(page).count()).toBe(1);
  expect(faults).toEqual([]);
  await page.close();
}, 60_000);
