import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openBrowser } from './open-browser.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockkeeper-open-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  ['linux', 'xdg-open', ''],
  ['darwin', 'open', ''],
  ['win32', 'rundll32', 'url.dll,FileProtocolHandler '],
] as const)('on %s it is %s that opens the page', async (platform, opener, first) => {
  const said = join(folder, 'said');
  const program = join(folder, opener);
  // Written in place at once, or the reader below could see half of it.
  await writeFile(program, `#!/bin/sh\nprintf '%s' "$*" > ${said}.new && /bin/mv ${said}.new ${said}\n`);
  await chmod(program, 0o755);
  await openBrowser('http://127.0.0.1:1/#token=t', { platform, env: { PATH: folder } });
  let text: string | undefined;
  for (let tries = 0; text === undefined && tries < 10_000; tries += 1) text = await readFile(said, 'utf8').catch(() => undefined);
  expect(text).toBe(`${first}http://127.0.0.1:1/#token=t`);
});

test('rejects where there is none', async () => {
  await expect(openBrowser('http://127.0.0.1:1/', { platform: 'linux', env: { PATH: folder } })).rejects.toMatchObject({ code: 'ENOENT' });
});
