import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../kube/clock.ts';
import { FakeApiServer } from '../kube/testing/fake-api-server.ts';
import { eventually } from '../kube/testing/fake-clock.ts';
import { recordingLogger, testClient } from '../kube/testing/fixtures.ts';
import { Letterbox } from './letterbox.ts';

const path = '/apis/lockkeeper.dev/v1alpha1/nodehosts/node-a/status';
const server = new FakeApiServer();
const stop = new AbortController();
let client: ReturnType<typeof testClient>;
let letterbox: Letterbox;
let running: Promise<void>;

beforeEach(async () => {
  await server.start();
  client = testClient(server);
  server.put('node-a', { spec: { refreshInterval: '1h' }, status: {} });
  letterbox = new Letterbox({
    client,
    name: 'node-a',
    clock: systemClock,
    logger: recordingLogger(),
    random: () => 0,
    onChange: () => undefined,
  });
  running = letterbox.run(stop.signal);
  await eventually(() => letterbox.letter !== undefined);
});

afterEach(async () => {
  stop.abort();
  await running;
  client.close();
  await server.stop();
});

test('a write that arrives long after it was sent does not undo what was written since; one that meets another is tried at once', async () => {
  const sent: unknown[] = [];
  server.fault = ({ method, body }) => {
    if (method !== 'PATCH') return undefined;
    sent.push(body);
    return sent.length === 1 ? 'cut' : undefined;
  };
  await letterbox.write({ agentVersion: '1.0.0' }, stop.signal);
  await letterbox.write({ agentVersion: '2.0.0' }, stop.signal);
  await expect(client.mergePatch(path, sent[0])).rejects.toMatchObject({ status: 409 });
  expect(server.objects.get('node-a')?.['status']).toMatchObject({ agentVersion: '2.0.0' });

  // The order changes while the answer is on its way.
  let changed = false;
  server.fault = ({ method }) => {
    if (method === 'PATCH' && !changed) {
      changed = true;
      const status = server.objects.get('node-a')?.['status'];
      server.put('node-a', { spec: { refreshInterval: '2h' }, status });
    }
    return undefined;
  };
  await letterbox.write({ agentVersion: '3.0.0' }, stop.signal);
  expect(server.objects.get('node-a')).toMatchObject({ spec: { refreshInterval: '2h' }, status: { agentVersion: '3.0.0' } });
});
