import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../bed/eventually.ts';
import { startClient } from './outside-client.ts';

describe('a client', () => {
  test('counts as failed what is answered with anything but 200, and what is not answered', async () => {
    const answers = [200, 503, 'reset', 200, 200];
    let asked = 0;
    const get = async () => {
      const answer = answers[asked % answers.length];
      asked += 1;
      if (typeof answer !== 'number') throw new Error(answer);
      return { status: answer, body: '' };
    };
    const client = startClient({ get }, 'http://there/');
    await eventually(() => asked >= answers.length);
    const { failures, requests } = await client.stop();
    expect(requests).toBe(asked);
    expect(failures.slice(0, 2)).toEqual([expect.stringMatching(/answered with 503$/), expect.stringMatching(/reset$/)]);
    expect(await client.stop()).toEqual({ failures, requests });
  });
});
