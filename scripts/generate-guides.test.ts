import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { readPolicies } from '../src/cli/policy-file.ts';
import { run } from '../src/cli/run.ts';
import { ADVICE, REASONS } from '../src/core/reasons.ts';
import { guideFiles, staleGuides } from './generate-guides.ts';
import { registeredMetrics } from './monitoring/known-metrics.ts';

const root = join(import.meta.dirname, '..');

test('the guides of reasons and metrics are what the code says (otherwise: node scripts/generate-guides.ts)', async () => {
  expect(await staleGuides(root)).toEqual([]);
});

test('every reason and every metric has its line, and every reason its advice', () => {
  const [reasons = '', metrics = ''] = [...guideFiles().values()];
  for (const reason of Object.keys(REASONS)) expect(reasons).toContain(`| <a id="${reason}"></a>\`${reason}\` |`);
  for (const { name } of registeredMetrics()) expect(metrics).toContain(`\`${name}\``);
  for (const text of [...Object.values(REASONS), ...Object.values(ADVICE)]) expect(text).toMatch(/^[`A-Z].*\.$/);
});

describe('the guides', () => {
  let texts: ReadonlyMap<string, string>;

  beforeAll(async () => {
    const docs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
    const pages = ['README.md', 'charts/lockkeeper/README.md', ...docs];
    texts = new Map(await Promise.all(pages.map(async (page) => [page, await readFile(join(root, page), 'utf8')] as const)));
  });

  test('link to what is there, the place on the page too', async () => {
    const broken: string[] = [];
    for (const [page, text] of texts)
      for (const [, link = ''] of text.replaceAll(/```.*?```/gs, '').matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link)) continue;
        const [path = '', place] = link.split('#');
        const target = path === '' ? page : relative(root, join(root, dirname(page), path));
        const there = texts.get(target) ?? (await readFile(join(root, target), 'utf8').catch((error: NodeJS.ErrnoException) => error.code));
        if (there === 'ENOENT' || (place !== undefined && !placesOf(there ?? '').has(place))) broken.push(`${page}: ${link}`);
      }
    expect(broken).toEqual([]);
  });

  test('name commands that there are', async () => {
    let help = '';
    const write = (text: string) => {
      help += text;
    };
    await run(['--help'], { stdin: Readable.from([]), stdout: { write }, stderr: { write } });
    const commands = new Set([...help.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map(([, name]) => name));
    expect(commands).toContain('clear-bad-release');
    const named = [...texts.values()].flatMap((text) => [...text.matchAll(/kubectl lockkeeper ([a-z][a-z-]*)/g)].map(([, name]) => name));
    expect([...new Set(named)].filter((name) => !commands.has(name))).toEqual([]);
  });

  test('show policies that the API server takes, and values that the chart has', async () => {
    const policies = [...texts].flatMap(([page, text]) =>
      [...text.matchAll(/^```yaml\n(.*?)^```/gms)]
        .map(([, example = '']) => example)
        .filter((example) => example.includes('\nkind: UpdatePolicy\n'))
        .flatMap((example) => readPolicies(example, page)),
    );
    expect(policies.map(({ name }) => name)).toEqual(expect.arrayContaining(['fleet', 'workers']));
    const values: unknown = parse(await readFile(join(root, 'charts/lockkeeper/values.yaml'), 'utf8'));
    const set = [...texts.values()].flatMap((text) =>
      [...text.matchAll(/--set ([a-z]\S*=[^\s`]*)/g)].flatMap(([, pairs = '']) => pairs.split(',').map((pair) => pair.split('=')[0] ?? '')),
    );
    expect(set).toContain('image.repository');
    expect(set.filter((key) => !isValue(values, key.split('.')))).toEqual([]);
  });

  test('name every action of the audit lines', async () => {
    const source = await readFile(join(root, 'src/core/command.ts'), 'utf8');
    const actions = [...source.matchAll(/^ {2}\| \{ type: '(\w+)'/gm)]
      .map(([, action]) => action)
      .filter((action) => action !== 'WriteStatus');
    expect(actions).toContain('Cordon');
    expect(actions.filter((action) => texts.get('docs/audit-logs.md')?.includes(`\`${action}\``) !== true)).toEqual([]);
  });
});

/** Whether a chart's values have a path; what lies below an empty object is free. */
function isValue(values: unknown, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) return true;
  if (typeof values !== 'object' || values === null) return false;
  if (first in values) return isValue(Object.entries(values).find(([key]) => key === first)?.[1], rest);
  return Object.keys(values).length === 0;
}

/** The places of a page that a link can name: its headings, as GitHub names them, and its anchors. */
function placesOf(page: string): ReadonlySet<string> {
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set([...headings, ...[...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)]);
}
