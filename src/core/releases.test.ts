import { describe, expect, test } from '@jest/globals';
import { releasesOf, reports } from './releases.ts';
import { ago, aHost, aNode, aPolicy, HOUR, MINUTE, NEW, NOW, OLD } from './testing/builders.ts';
import type { NodeView, PolicyView } from './world.ts';

const NEWER = '1.27.0';
const DAY = 24 * HOUR;
const os = aNode('n1').os!;
const METAL = { ...os, variant: 'metal-k8s-1.31' };

const sees = (name: string, available: string[], change: Partial<NodeView> = {}) => aNode(name, { host: aHost({ available }), ...change });
const release = (version: string, age: number, of = os) => ({ variant: of.variant, arch: of.arch, version, firstSeen: ago(age) });
const runs = (version: string) => ({ os: { ...os, version } });

function look(nodes: readonly NodeView[], minAge = '24h', releases: ReturnType<typeof release>[] = [], range = '*') {
  return releasesOf(aPolicy({ spec: { version: { minAge, range } }, status: { releases } }), nodes, nodes, NOW);
}
const both = (...available: string[]) => [sees('n1', available), sees('n2', available)];

describe('a node reports releases, or will', () => {
  const { host: _, ...mute } = aNode('n1', { labels: { pool: 'odd' } });
  const mine = aPolicy();
  const theirs = aPolicy({ spec: { nodeSelector: { matchLabels: { pool: 'odd' } } } });
  const others = aPolicy({ spec: { nodeSelector: { matchLabels: { pool: 'even' } } } });

  test.each<[what: string, node: NodeView, policies: PolicyView[], expected: boolean]>([
    ['that has a letterbox', aNode('n1'), [], true],
    ['that has none yet, or has lost it, of this policy', mute, [mine], true],
    ['of another policy', mute, [others, theirs], true],
    ['of nobody', mute, [others], false],
    ['of another operator', { ...mute, otherOperator: true as const }, [mine], false],
  ])('%s', (_, node, policies, expected) => {
    expect(reports(policies, node)).toBe(expected);
  });
});

describe('what is remembered of releases', () => {
  test.each<[what: string, nodes: NodeView[], before: ReturnType<typeof release>[], expected: ReturnType<typeof release>[]]>([
    ['what two see, from now on', both(NEW, OLD), [], [release(NEW, 0)]],
    ['not what one of two announces', [sees('n1', [NEW]), sees('n2', ['99.0.0', NEW])], [], [release(NEW, 0)]],
    ['what the only one sees', [sees('n1', [NEW])], [], [release(NEW, 0)]],
    ['since when it was seen first, whatever is seen now', both(), [release(NEW, DAY)], [release(NEW, DAY)]],
    ['not what all nodes run, or have left behind', [sees('n1', [NEW, OLD], runs(NEW)), sees('n2', [NEW, OLD], runs(NEW))], [], []],
    ['what the oldest node does not run yet', [sees('n1', [NEW], runs(NEW)), sees('n2', [NEW])], [], [release(NEW, 0)]],
    [
      'each variant its own',
      [...both(NEW), sees('n3', [NEW, NEWER], { os: METAL })],
      [release(NEW, DAY, METAL)],
      [release(NEW, 0), release(NEWER, 0, METAL), release(NEW, DAY, METAL)],
    ],
    ['a variant without nodes, behind the others', both(NEW), [release(NEW, DAY, METAL)], [release(NEW, 0), release(NEW, DAY, METAL)]],
  ])('%s', (_, nodes, before, expected) => {
    expect(look(nodes, '24h', before).known).toEqual(expected);
  });

  test('is bounded, and the newest stay', () => {
    const many = Array.from({ length: 40 }, (_, index) => `1.27.${index}`);
    const { known, wanted } = look(both(...many));
    expect(known.map(({ version }) => version)).toEqual(many.slice(-16).reverse());
    // What is too old to be remembered has not become old enough by that.
    expect(wanted(os)).toBeUndefined();
    const variants = Array.from({ length: 300 }, (_, index) => release(NEW, DAY, { ...os, variant: `v${index}` }));
    expect(look(both(NEW), '24h', variants).known).toHaveLength(256);
    expect(look(both(NEW), '24h', variants).known[0]).toEqual(release(NEW, 0));
  });
});

describe('a release is wanted', () => {
  test.each<[what: string, minAge: string, before: ReturnType<typeof release>[], wanted: string | undefined, young: string | undefined]>([
    ['at once where no age is asked for', '0s', [], NEWER, undefined],
    ['not as long as it is too young', '24h', [], undefined, NEWER],
    ['not a millisecond too early', '24h', [release(NEWER, DAY - 1), release(NEW, DAY - 1)], undefined, NEWER],
    ['when it is old enough', '24h', [release(NEWER, DAY), release(NEW, DAY)], NEWER, undefined],
    ['while a newer one is still too young', '24h', [release(NEWER, HOUR), release(NEW, DAY)], NEW, NEWER],
    ['by a shorter age asked for since', '1h', [release(NEWER, HOUR), release(NEW, DAY)], NEWER, undefined],
  ])('%s', (_, minAge, before, wanted, young) => {
    const releases = look(both(NEWER, NEW, OLD), minAge, before);
    expect([releases.wanted(os) ?? OLD, releases.tooYoung(os)?.version]).toEqual([wanted ?? OLD, young]);
  });

  test('in its range alone, whatever is young outside', () => {
    const releases = look(both(NEWER, NEW), '24h', [release(NEW, DAY)], '<1.27.0');
    expect([releases.wanted(os), releases.tooYoung(os), releases.until]).toEqual([NEW, undefined, Number.POSITIVE_INFINITY]);
  });

  test('the first to come is named, and when', () => {
    const releases = look(both(NEWER, NEW), '24h', [release(NEWER, HOUR), release(NEW, 2 * HOUR)]);
    expect(releases.until).toBe(NOW + 22 * HOUR);
    expect(releases.tooYoung(os)).toEqual({ version: NEW, firstSeen: ago(2 * HOUR), until: NOW + 22 * HOUR });
    expect(releases.tooYoung({ ...os, version: NEW })?.version).toBe(NEWER);
    expect(releases.tooYoung({ ...os, version: NEWER })).toBeUndefined();
  });

  test('not for what one node announces, however long', () => {
    const nodes = [sees('n1', [NEW, '99.0.0']), sees('n2', [NEW])];
    expect(look(nodes, '1m', [release(NEW, MINUTE)]).wanted(os)).toBe(NEW);
    expect(look(nodes, '1m', [release(NEW, MINUTE)]).known).toEqual([release(NEW, MINUTE)]);
  });
});
