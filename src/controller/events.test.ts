import { describe, expect, test } from '@jest/globals';
import { eventually, settle } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { type EventNote, EventRecorder } from './events.ts';

const NOW = Date.parse('2026-03-01T12:00:00.500Z');
const note: EventNote = { about: { kind: 'Node', name: 'a', uid: 'uid-a' }, type: 'Warning', reason: 'Failed', message: 'look at it' };

interface Created {
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was posted
  event: any;
}

function bed(answer: () => Promise<unknown> = async () => ({})) {
  const created: Created[] = [];
  const logger = recordingLogger();
  const client = {
    create<T>(path: string, event: unknown): Promise<T> {
      created.push({ path, event });
      return answer() as Promise<T>;
    },
  };
  return { recorder: new EventRecorder(client, 'lockkeeper-0', () => NOW, logger), created, logger };
}

describe('an Event', () => {
  test('has nothing in its message that moves a terminal', () => {
    const { recorder, created } = bed();
    recorder.record({ ...note, message: 'a\u001b[2Jb\u009b1mc\u202ed\ne' });
    expect(created[0]!.event.message).toBe('a\\u001b[2Jb\\u009b1mc\\u202ed\\u000ae');
  });

  test('is about the object, in the namespace where cluster-scoped ones have theirs', () => {
    const { recorder, created } = bed();
    recorder.record(note);
    recorder.record({ ...note, about: { kind: 'UpdatePolicy', name: 'default', uid: 'uid-p' }, type: 'Normal' });
    expect(created.map(({ path }) => path)).toEqual(Array(2).fill('/api/v1/namespaces/default/events'));
    expect(created[0]!.event).toEqual({
      metadata: { name: expect.stringMatching(/^a\.[0-9a-f]+$/), namespace: 'default' },
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'uid-a' },
      type: 'Warning',
      reason: 'Failed',
      message: 'look at it',
      source: { component: 'lockkeeper' },
      reportingComponent: 'lockkeeper.dev/controller',
      reportingInstance: 'lockkeeper-0',
      firstTimestamp: '2026-03-01T12:00:00Z',
      lastTimestamp: '2026-03-01T12:00:00Z',
      count: 1,
    });
    expect(created[1]!.event.involvedObject).toEqual({
      apiVersion: 'lockkeeper.dev/v1alpha1',
      kind: 'UpdatePolicy',
      name: 'default',
      uid: 'uid-p',
    });
  });

  test('about a pod is in its namespace, where its owner looks', () => {
    const { recorder, created } = bed();
    recorder.record({ ...note, about: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'uid-1' } });
    expect(created[0]).toMatchObject({
      path: '/api/v1/namespaces/shop/events',
      event: {
        metadata: { namespace: 'shop' },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'uid-1' },
      },
    });
  });

  test('has a name of its own, and fits, however long the words are', async () => {
    const { recorder, created } = bed();
    for (let index = 0; index < 50; index += 1)
      recorder.record({ ...note, about: { ...note.about, name: 'n'.repeat(253) }, message: 'm'.repeat(5_000) });
    await eventually(() => created.length === 50);
    expect(new Set(created.map(({ event }) => event.metadata.name)).size).toBe(50);
    for (const { event } of created) {
      expect(event.metadata.name.length).toBeLessThanOrEqual(253);
      expect(event.message.length).toBeLessThanOrEqual(1_024);
    }
  });

  test('that cannot be written harms nobody', async () => {
    const { recorder, created, logger } = bed(async () => Promise.reject(new Error('no')));
    recorder.record(note);
    await settle();
    recorder.record(note);
    await settle();
    expect(created).toHaveLength(2);
    expect(logger.lines.map(({ level }) => level)).toEqual(['debug', 'debug']);
  });

  test('waits behind a few others, and is dropped while too many wait', async () => {
    const held = Promise.withResolvers<unknown>();
    const { recorder, created } = bed(() => held.promise);
    const sent = Array.from({ length: 1_000 }, () => recorder.record(note));
    expect(sent.filter(Boolean)).toHaveLength(256);
    expect(created).toHaveLength(8);
    held.resolve({});
    await eventually(() => created.length === 256);
    recorder.record(note);
    expect(created).toHaveLength(257);
  });
});
