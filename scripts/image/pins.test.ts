import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { repository } from './config.ts';
import { mirrorOf } from './mirror.ts';
import { architectures, debianPackages, projectVersions, readPins } from './pins.ts';
import { settings } from './recipe.ts';

describe('the pins', () => {
  test('have the Node that the tests run on (otherwise: node scripts/pin-image.ts)', async () => {
    expect((await readPins()).node.version).toBe((await projectVersions()).node);
  });

  test.each(architectures)('have every package for %s', async (architecture) => {
    const { debian } = await readPins();
    expect(debian[architecture].map(({ name }) => name)).toEqual([...debianPackages]);
    for (const { path: file } of debian[architecture]) expect(file).toMatch(new RegExp(`_(${architecture}|all)\\.deb$`));
  });
});

test('a mirror that was named is used, with or without a slash at its end', async () => {
  for (const mirror of ['https://mirror.example', 'https://mirror.example/']) {
    expect(await mirrorOf('debian-security', { cache: '', mirror })).toBe('https://mirror.example/debian-security/');
  }
});

test('the Dockerfile gives the settings of the recipe', async () => {
  const text = (await readFile(path.join(repository, 'Dockerfile'), 'utf8')).replace(/\\\n\s*/g, '');
  const last = text.slice(text.lastIndexOf('\nFROM scratch\n'));
  const instruction = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(last)?.[1];
  const pairs = (line = '') =>
    Object.fromEntries([...line.matchAll(/(\S+?)=("[^"]*"|\S+)/g)].map(([, key, value]) => [key, value?.replaceAll('"', '')]));
  expect(pairs(instruction('ENV'))).toEqual(settings.environment);
  expect(pairs(instruction('LABEL'))).toEqual(settings.labels);
  expect(instruction('USER')).toBe(settings.user);
  expect(instruction('WORKDIR')).toBe(settings.workingDirectory);
  expect(JSON.parse(instruction('ENTRYPOINT') ?? '')).toEqual(settings.entrypoint);
});
