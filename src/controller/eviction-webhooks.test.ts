import { describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../kube/client.ts';
import { FakeClock } from '../kube/testing/fake-clock.ts';
import { recordingLogger } from '../kube/testing/fixtures.ts';
import { askedAboutEvictions, EvictionWebhooks } from './eviction-webhooks.ts';

const rule = (change: object = {}) => ({
  apiGroups: [''],
  apiVersions: ['v1'],
  operations: ['CREATE'],
  resources: ['pods/eviction'],
  ...change,
});
const configuration = (rules: object[], change: object = {}) => ({ metadata: { name: 'no' }, webhooks: [{ name: 'w', rules, ...change }] });

describe('a webhook', () => {
  test.each<[string, object[], boolean]>([
    ['of evictions', [rule()], true],
    ['of any operation', [rule({ operations: ['*'] })], true],
    ['of all below pods', [rule({ resources: ['pods/*'] })], true],
    ['of all evictions', [rule({ resources: ['*/eviction'] })], true],
    ['of everything', [rule({ apiGroups: ['*'], operations: ['*'], resources: ['*/*'] })], true],
    ['of one thing and another', [rule({ resources: ['nodes'] }), rule()], true],
    ['of pods alone', [rule({ resources: ['pods'] })], false],
    ['of all objects, without what is below them', [rule({ resources: ['*'] })], false],
    ['of deletions', [rule({ operations: ['DELETE'] })], false],
    ['of another group', [rule({ apiGroups: ['policy'] })], false],
    ['of nothing', [], false],
  ])('%s: %#', (_name, rules, wanted) => {
    expect(askedAboutEvictions('K', configuration(rules)).map(({ name }) => name)).toEqual(wanted ? ['w'] : []);
  });

  test('fails closed unless it says otherwise', () => {
    const failsClosed = (change: object) => askedAboutEvictions('K', configuration([rule()], change))[0]?.failsClosed;
    expect([failsClosed({}), failsClosed({ failurePolicy: 'Fail' }), failsClosed({ failurePolicy: 'Ignore' })]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('a configuration without any, or with null, is none', () => {
    expect(askedAboutEvictions('K', { metadata: { name: 'no' } })).toEqual([]);
    expect(askedAboutEvictions('K', { metadata: { name: 'no' }, webhooks: null })).toEqual([]);
    expect(askedAboutEvictions('K', { metadata: { name: 'no' }, webhooks: [{ name: 'w', rules: null }] })).toEqual([]);
  });
});

describe('the webhooks that are asked about evictions', () => {
  function bed(answer: (path: string) => { items: unknown[]; page: number }[]) {
    const asked: string[] = [];
    const clock = new FakeClock();
    const logger = recordingLogger();
    const client: Pick<KubeClient, 'listPages'> = {
      async *listPages(path) {
        asked.push(path.split('/').at(-1) ?? '');
        for (const page of answer(path)) yield { ...page, resourceVersion: '1' };
      },
    };
    return { webhooks: new EvictionWebhooks(client, clock, logger), asked, clock, logger };
  }
  const both = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'];

  test('are read of both kinds, once in half a minute', async () => {
    const { webhooks, asked, clock } = bed(() => [{ items: [configuration([rule()])], page: 0 }]);
    expect((await Promise.all([webhooks.list(), webhooks.list()]))[1]).toEqual([
      { name: 'w', configuration: 'ValidatingWebhookConfiguration/no', failsClosed: true },
      { name: 'w', configuration: 'MutatingWebhookConfiguration/no', failsClosed: true },
    ]);
    clock.advance(29_999);
    await webhooks.list();
    expect(asked).toEqual(both);
    clock.advance(1);
    await webhooks.list();
    expect(asked).toEqual([...both, ...both]);
  });

  test('are those of a list that began anew, once', async () => {
    const page = { items: [configuration([rule()])], page: 0 };
    expect(await bed(() => [page, page, { ...page, page: 1 }]).webhooks.list()).toHaveLength(4);
  });

  test('are none where they cannot be read', async () => {
    const { webhooks, logger } = bed(() => {
      throw new Error('forbidden');
    });
    expect(await webhooks.list()).toEqual([]);
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
  });
});
