import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Budget } from '../../src/cluster/views.ts';
import { Drainer } from '../../src/controller/drainer.ts';
import { aPod } from '../../src/core/testing/builders.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/kube/clock.ts';
import type { Logger } from '../../src/kube/logger.ts';
import { eventually, FakeClock } from '../../src/kube/testing/fake-clock.ts';
import { atMost, type Family } from './figure.ts';

const minutes = 10;
const none = () => {};
const logger: Logger = { debug: none, info: none, warn: none, error: none };

const shut: Budget = {
  namespace: 'shop',
  name: 'web',
  selector: { matchLabels: { app: 'web' } },
  observed: true,
  disruptionsAllowed: 0,
  currentHealthy: 2,
  desiredHealthy: 2,
  expectedPods: 3,
};

/**
 * The real Drainer and client, by a clock that the benchmark moves, against a server that says what the API server says while a
 * budget is shut. The budget's other numbers change all the while, and every wait is as short as its jitter allows.
 */
export const blocked: Family = {
  name: 'blocked',
  figures: ['blocked_evictions'],
  async run({ say }) {
    say(`one pod's budget stays shut for ${minutes} minutes of virtual time`);
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume().once('end', () => {
        asked += 1;
        response.writeHead(429, { 'content-type': 'application/json' }).end(refusal);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const credentials = {
      server: new URL(`http://127.0.0.1:${port}`),
      tls: async () => ({}),
      authorization: async () => undefined,
      refresh: none,
    };
    const client = new KubeClient({ credentials, userAgent: 'bench', clock: systemClock, logger });
    const clock = new FakeClock();
    let refused = 0;
    const drainer = new Drainer({
      client,
      clock,
      random: () => 1,
      logger,
      budgets: () => [{ ...shut, currentHealthy: 2 + (Math.floor(clock.monotonic() / 10_000) % 2) }],
      webhooks: async () => [],
      assertLeading: none,
      changed: none,
      onEviction: () => {
        refused += 1;
      },
    });
    try {
      const evict = [aPod('web-1', { labels: { app: 'web' } })];
      const waitsAgain = () => eventually(() => asked > 0 && refused === asked && clock.timers === 1, 'the refusal');
      drainer.want([{ node: 'node-1', claim: 'claim', evict }]);
      await waitsAgain();
      for (let second = 1; second <= minutes * 60; second += 1) {
        clock.advance(1_000);
        // Each pass of the controller wants the drain anew.
        drainer.want([{ node: 'node-1', claim: 'claim', evict }]);
        if (second % 10 === 0) drainer.budgetChanged('shop');
        await new Promise((resolve) => setImmediate(resolve));
        await waitsAgain();
      }
    } finally {
      await drainer.stop();
      client.close();
      server.close();
      server.closeAllConnections();
    }
    return { figures: [atMost(40, 'blocked_evictions', 'requests', asked, 0)], notes: [] };
  },
};

const refusal = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: "Cannot evict pod as it would violate the pod's disruption budget.",
  reason: 'TooManyRequests',
  details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget web needs 2 healthy pods and has 2 currently' }] },
  code: 429,
});
