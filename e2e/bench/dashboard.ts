import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { buildPage } from '../../scripts/build-page.ts';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import { BrowserMissingError, openPage, startBrowser } from '../browser.ts';
import { type PlayedFleet, playFleet } from './dashboard/played-fleet.ts';
import { atMost, CannotRunHere, type Family, forInformation } from './figure.ts';

const NODES = 5_000;
const CHANGES = 500;
/** One node after the other, as fast as a large rollout has news. */
const EVERY_MS = 40;
/** Each one looks different from the one before, so that its tile is painted. */
const PHASES = ['Draining', 'Rebooting', 'Verifying', 'Uncordoning', 'Soaking'] as const;

/**
 * From the moment at which the API server (in this process) writes a node's change to all who watch, through the dashboard's real
 * server with its 50 ms in which changes are put together, to the end of the frame in which the page in Chromium has painted that
 * node's tile. All of it by one machine's clock; 25 changes a second are streamed meanwhile.
 */
export const dashboard: Family = {
  name: 'dashboard',
  figures: ['dashboard_event_to_paint_p50', 'dashboard_event_to_paint_p99', 'dashboard_page_kb'],
  async run({ say, signal }) {
    const browser = await startBrowser().catch((error: unknown) => {
      throw error instanceof BrowserMissingError ? new CannotRunHere(error.message) : error;
    });
    let fleet: PlayedFleet | undefined;
    try {
      fleet = await playFleet(NODES);
      say(`${CHANGES} changes of ${NODES} nodes, in Chromium ${browser.version()}`);
      const times = await measure(fleet, browser, signal);
      const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
      const { html, js, css } = await buildPage();
      const all = html + js + css;
      return {
        figures: [
          atMost(100, 'dashboard_event_to_paint_p50', 'ms', at(0.5), 1),
          atMost(100, 'dashboard_event_to_paint_p99', 'ms', at(0.99), 1),
          forInformation('dashboard_page_kb', 'kB', Buffer.byteLength(all) / 1_000, 1),
        ],
        notes: [
          {
            title: `dashboard: ${NODES} nodes, ${times.length} of ${CHANGES} changes, one each ${EVERY_MS} ms`,
            lines: [
              `ms from the API server's event to the end of the frame: least ${at(0).toFixed(1)}, median ${at(0.5).toFixed(1)}, 90% ${at(0.9).toFixed(1)}, 99% ${at(0.99).toFixed(1)}, most ${at(1).toFixed(1)}`,
              'changes are put together for up to 50 ms before they are sent: that is part of it',
              `the page: script ${js.length} bytes, style ${css.length}; all of it ${gzipSync(all).length} compressed`,
            ],
          },
        ],
      };
    } finally {
      await browser.close();
      await fleet?.close();
    }
  },
};

/** Waiting times, the shortest first. */
async function measure(fleet: PlayedFleet, browser: Awaited<ReturnType<typeof startBrowser>>, signal: AbortSignal): Promise<number[]> {
  const { page, faults } = await openPage(browser, 'about:blank', { viewport: { width: 1280, height: 900 } });
  await page.addInitScript(PROBE);
  await page.goto(fleet.url);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.locator('canvas').waitFor();
  // What comes with the first connection (who the user is, what they may) has been told by now.
  await sleep(2_000, undefined, { signal });
  for (let change = 0; change < CHANGES; change += 1) {
    const node = fleet.nodes[(change * 101) % NODES] ?? '';
    const phase = PHASES[change % PHASES.length] ?? 'Draining';
    fleet.become(node, statusWith(phase));
    await sleep(EVERY_MS, undefined, { signal });
  }
  await page.waitForFunction(`painted.length >= ${CHANGES}`, undefined, { timeout: 10_000 });
  const waits = await page.evaluate<number[]>('painted');
  const bad = faults.filter((fault) => !fault.startsWith('request: '));
  if (bad.length > 0) throw new Error(`the page complains: ${bad.join('; ')}`);
  return waits.sort((a, b) => a - b);
}

const stamp = (): number => performance.timeOrigin + performance.now();

function statusWith(phase: NonNullable<NodeUpdateStatus['phase']>): NodeUpdateStatus {
  const since = new Date().toISOString();
  return { policy: 'fleet', from: '1.26.0', target: '1.26.1', phase, reason: phase, since, message: `stamp=${stamp()}` };
}

/**
 * Runs in the page before its own script, and touches nothing of it: it sees which changes have been read, that a tile was drawn on
 * the picture's canvas after that, and then waits for the frame, and for the first task after the frame's work is done.
 */
const PROBE = `
  globalThis.painted = [];
  const read = [];
  const parse = JSON.parse;
  JSON.parse = (text, ...more) => {
    const value = parse(text, ...more);
    if (value?.type === 'changes')
      for (const { message = '' } of value.nodes ?? []) if (message.startsWith('stamp=')) read.push(Number(message.slice(6)));
    return value;
  };
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    draw.apply(this, given);
    if (read.length === 0) return;
    const drawn = read.splice(0);
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => {
        const now = performance.timeOrigin + performance.now();
        for (const at of drawn) painted.push(now - at);
        after.port1.close();
      };
      after.port2.postMessage(undefined);
    });
  };
`;
