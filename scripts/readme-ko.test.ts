import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

/** What of a README must be the same in every language; in the order of the page. */
interface Skeleton {
  /** How deep each heading is. */
  headings: number[];
  /** Each fenced block's language and lines; comments are people's words. */
  blocks: string[];
  /** Where links and images lead to. */
  links: string[];
  tableRows: number;
  /** What stands in code quotes in running text, whatever the order that a language puts it in. */
  code: string[];
}

async function skeletonOf(page: string): Promise<Skeleton> {
  const text = await readFile(join(import.meta.dirname, '..', page), 'utf8');
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', body = '']) =>
    [language, ...body.split('\n').map(withoutComment)].join('\n'),
  );
  const prose = text.replaceAll(/^```.*?^```$/gms, '');
  return {
    headings: [...prose.matchAll(/^(#+) /gm)].map(([, marks = '']) => marks.length),
    blocks,
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => !/^README(\.ko)?\.md$/.test(target)),
    tableRows: [...prose.matchAll(/^\|/gm)].length,
    code: [...prose.matchAll(/`[^`\n]+`/g)].map(([code]) => code).sort(),
  };
}

/** A comment begins with the line, or after two spaces at least. */
const withoutComment = (line: string): string => line.replace(/(^|\s{2,})#\s.*$/, '').trimEnd();

test('the Korean README has the commands, headings, links and names of the English one (otherwise: translate what has changed)', async () => {
  const [english, korean] = await Promise.all(['README.md', 'README.ko.md'].map(skeletonOf));
  expect(english?.blocks.length).toBeGreaterThan(8);
  expect(korean).toEqual(english);
});

test('each leads to the other at its top', async () => {
  const [english, korean] = await Promise.all(
    ['README.md', 'README.ko.md'].map((page) => readFile(join(import.meta.dirname, '..', page), 'utf8')),
  );
  expect(english?.split('\n').slice(0, 4).join('\n')).toContain('[한국어](README.ko.md)');
  expect(korean?.split('\n').slice(0, 4).join('\n')).toContain('[English](README.md)');
});
