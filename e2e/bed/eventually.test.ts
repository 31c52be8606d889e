import { expect, test } from '@jest/globals';
import { eventually, NotEventually } from './eventually.ts';

test('gives what the condition gives, as soon as it is something', async () => {
  const answers = [undefined, 0, '', new Error('not yet'), 'there'];
  const value = await eventually(
    () => {
      const next = answers.shift();
      if (next instanceof Error) throw next;
      return next;
    },
    { intervalMs: 0 },
  );
  expect(value).toBe('there');
});

test('gives up with the last error and the last state', async () => {
  const never = eventually(
    () => {
      throw new Error('still wrong');
    },
    { timeoutMs: 1, intervalMs: 0, describe: () => ({ nodes: 3 }) },
  );
  await expect(never).rejects.toThrow(NotEventually);
  await expect(never).rejects.toThrow(/still wrong[\s\S]*"nodes": 3/);
});
