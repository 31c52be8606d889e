import { parse } from 'semver';
import { z } from 'zod';
import type { SettingsTree } from './settings-store.ts';

const versionLock = z.string().refine((text) => text === 'latest' || (/^v?\d\S*$/.test(text) && parse(text) !== null));

const updates = z.strictObject({
  'version-lock': versionLock.nullish(),
  'ignore-waves': z.boolean().nullish(),
  seed: z.int().min(0).max(0xffff_ffff).nullish(),
  'metadata-base-url': z.url().nullish(),
  'targets-base-url': z.url().nullish(),
});

const group = z.record(z.string(), z.unknown()).nullish();

const groups = [
  'autoscaling',
  'aws',
  'boot',
  'bootstrap-commands',
  'bootstrap-containers',
  'cloudformation',
  'container-registry',
  'container-runtime',
  'dns',
  'host-containers',
  'kernel',
  'kubernetes',
  'metrics',
  'network',
  'ntp',
  'oci-defaults',
  'oci-hooks',
  'pki',
];

/** The update settings are checked as the host checks them; of the other groups only the names. */
const settings = z.strictObject({
  motd: z.string().nullish(),
  updates: updates.nullish(),
  ...Object.fromEntries(groups.map((name) => [name, group])),
});

/** What a body of PATCH /settings says, or why it is refused (what follows `Json deserialize error: `). */
export function parseSettings(body: string): { settings: SettingsTree } | { refusal: string } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { refusal: body.trim() === '' ? 'EOF while parsing a value at line 1 column 0' : 'expected value at line 1 column 1' };
  }
  const parsed = settings.safeParse(json);
  if (parsed.success) return { settings: parsed.data as SettingsTree };
  return { refusal: `${parsed.error.issues.map(describe).join('; ')} at line 1 column ${body.length}` };
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown field \`${issue.keys.join('`, `')}\``;
  return `invalid value for \`${issue.path.join('.')}\``;
}
