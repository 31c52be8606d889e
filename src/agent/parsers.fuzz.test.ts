import { describe, expect } from '@jest/globals';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { nodeHostStatusSchema } from '../api/node-host.ts';
import { fuzz } from '../testing/fuzz.ts';
import { hostileStrings, type Json, spoilt } from '../testing/hostile-values.ts';
import { AnswerShapeError, parseApiServerSettings, parseOS, parseUpdateSettings, parseUpdateStatus } from './host-answers.ts';
import { parseLetter } from './letter.ts';
import { activationNeverHappened, proofAfter, proofOf } from './proof.ts';
import { plainWords } from './words.ts';

/** The value, or undefined where it was refused as it should be. */
function parsed<T>(parse: (raw: unknown) => T, raw: Json, refusal: new (...args: never[]) => Error): T | undefined {
  try {
    return parse(raw);
  } catch (error) {
    if (!(error instanceof refusal)) throw error;
    return undefined;
  }
}

const image = { version: '1.26.1', variant: 'aws-k8s-1.31', arch: 'x86_64' };
const STATUS: Json = {
  update_state: 'Staged',
  available_updates: ['1.26.1', '1.26.0'],
  chosen_update: image,
  active_partition: { image, next_to_boot: true },
  staging_partition: { image, next_to_boot: false },
  most_recent_command: {
    cmd_type: 'prepare',
    cmd_status: 'Success',
    timestamp: '2026-03-01T12:00:00.123456789Z',
    exit_status: 0,
    stderr: 'Starting update to 1.26.1\n',
  },
};
const LETTER: Json = {
  metadata: { name: 'a', uid: 'u', resourceVersion: '1' },
  spec: { refreshInterval: '1h', ignoreWaves: false, order: { id: 'o', action: 'Reboot', version: '1.26.1', bootID: 'b' } },
  status: {
    version: '1.26.0',
    bootID: 'b',
    available: ['1.26.1'],
    staged: { version: '1.26.1', provenAt: '2026-03-01T12:00:00Z', lastCommandAt: '2026-03-01T12:00:00Z' },
    savedSettings: { versionLock: 'latest' },
    answer: { id: 'o', state: 'Running', startedAt: '2026-03-01T12:00:00Z' },
  },
};

describe('what a host answers', () => {
  const answers = fc.tuple(
    spoilt({ version_id: '1.26.0', variant_id: 'aws-k8s-1.31', arch: 'x86_64' }),
    spoilt(STATUS),
    spoilt(STATUS, 1),
    spoilt({ updates: { 'version-lock': 'latest', 'ignore-waves': false } }),
    spoilt({ kubernetes: { 'api-server': 'https://a', 'cluster-certificate': 'YQ==' } }),
  );
  fuzz('is refused, or fits into the status', answers, ([os, one, other, settings, kubernetes]) => {
    const facts = parsed(parseOS, os, AnswerShapeError);
    const [before, after] = [parsed(parseUpdateStatus, one, AnswerShapeError), parsed(parseUpdateStatus, other, AnswerShapeError)];
    const savedSettings = parsed(parseUpdateSettings, settings, AnswerShapeError);
    parsed(parseApiServerSettings, kubernetes, AnswerShapeError);
    const staged = proofOf(before);
    const status = { ...facts, ...(staged && { staged }), ...(savedSettings && { savedSettings }) };
    // A time that is none is the host's to answer for; nobody computes with it here.
    const { provenAt, lastCommandAt } = staged ?? {};
    expect([provenAt, lastCommandAt].every((time) => time === undefined || time.length <= 64)).toBe(true);
    const known = z.safeParse(z.omit(nodeHostStatusSchema, { staged: true }), status);
    expect(known.error?.issues ?? []).toEqual([]);
    if (after !== undefined) proofAfter(staged, before, after);
    expect(typeof activationNeverHappened(staged, after)).toBe('boolean');
  });

  fuzz('is plain words in a log', hostileStrings, (text) => {
    const words = plainWords(text);
    expect(words.length).toBeLessThanOrEqual(1_000);
    expect(words).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});

describe('a NodeHost', () => {
  fuzz('is refused, or read with an interval that can be waited for', spoilt(LETTER), (raw) => {
    const letter = parsed(parseLetter, raw, z.core.$ZodError);
    if (letter === undefined) return;
    expect(letter.refreshIntervalMs).toBeGreaterThanOrEqual(1_000);
    expect(Number.isFinite(letter.refreshIntervalMs)).toBe(true);
    expect(z.safeParse(nodeHostStatusSchema, letter.status).success).toBe(true);
  });
});
