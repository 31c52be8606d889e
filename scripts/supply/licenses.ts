import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BundledPackage } from './packages.ts';

/** Licences that ask for no more than to be passed on with the program. */
export const ALLOWED: readonly string[] = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense'];

/** The licences of all that is bundled, to be passed on with it; the same text for the same packages. */
export async function licenseTexts(packages: readonly BundledPackage[]): Promise<string> {
  const parts = await Promise.all(packages.map(licenseOf));
  return `The packages that are bundled with Lockkeeper, and their licences.\n\n${parts.join('\n')}`;
}

async function licenseOf({ name, version, license, folder }: BundledPackage): Promise<string> {
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  const whole = texts.map((text) => `${text.replaceAll('\r\n', '\n').trim()}\n`);
  const line = '-'.repeat(80);
  // What comes without is under Apache-2.0, whose text is in our own LICENSE, or in the public domain.
  const text = whole.length > 0 ? whole.join('\n') : `The package has no file of it${license === 'Apache-2.0' ? ': see LICENSE' : ''}.\n`;
  return `${line}\n${name} ${version}: ${license}\n${line}\n\n${text}`;
}
