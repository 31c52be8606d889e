import { expect, test } from '@jest/globals';
import { eventually } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { ServerVersion } from './server-version.ts';

function bed() {
  const answers: (() => Promise<unknown>)[] = [];
  const logger = recordingLogger();
  let changes = 0;
  let asked = 0;
  const get = async <T>(): Promise<T> => {
    asked += 1;
    return (await answers.shift()?.()) as T;
  };
  const version = new ServerVersion({ get }, logger, () => {
    changes += 1;
  });
  const ask = async (answer: () => Promise<unknown>) => {
    answers.push(answer);
    const lines = logger.lines.length;
    version.ask(new AbortController().signal);
    await eventually(() => answers.length === 0, 'asked', 1_000);
    return () => logger.lines.length > lines;
  };
  return { version, logger, ask, changes: () => changes, asked: () => asked };
}

test.each([
  [
    { major: '1', minor: '36', gitVersion: 'v1.36.3' },
    { major: 1, minor: 36 },
  ],
  [
    { major: '1', minor: '31+' },
    { major: 1, minor: 31 },
  ],
])('%j is read', async (answer, expected) => {
  const { version, ask, changes } = bed();
  const told = await ask(async () => answer);
  await eventually(told, 'said', 1_000);
  expect(version.current).toEqual(expected);
  expect(changes()).toBe(1);
});

test('only another version is news, and what was known stays where there is no answer', async () => {
  const { version, logger, ask, changes } = bed();
  await eventually(await ask(async () => ({ major: '1', minor: '35' })), 'said', 1_000);
  await ask(async () => ({ major: '1', minor: '35' }));
  await eventually(await ask(async () => Promise.reject(new Error('away'))), 'warned', 1_000);
  await eventually(await ask(async () => ({ major: 'one', minor: '' })), 'warned', 1_000);
  expect([version.current, changes()]).toEqual([{ major: 1, minor: 35 }, 1]);
  await eventually(await ask(async () => ({ major: '1', minor: '36' })), 'said', 1_000);
  expect([version.current, changes()]).toEqual([{ major: 1, minor: 36 }, 2]);
  expect(logger.lines.map(({ level }) => level)).toEqual(['info', 'warn', 'warn', 'info']);
});
