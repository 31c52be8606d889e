import { describe, expect, test } from '@jest/globals';
import type { HostCommand, UpdateStatus } from './host-answers.ts';
import { activationNeverHappened, proofAfter, proofHolds, proofOf, provenVersion } from './proof.ts';

const command = (type: string, more: Partial<HostCommand> = {}): HostCommand => ({
  type,
  succeeded: true,
  timestamp: 't1',
  exitStatus: 0,
  stderr: type === 'prepare' ? 'Starting update to 1.26.1\n' : '',
  ...more,
});
const status = (state: UpdateStatus['state'], last?: HostCommand): UpdateStatus => ({
  state,
  available: [],
  chosen: undefined,
  staging: { version: '1.26.1', nextToBoot: false },
  command: last,
});
const staged = { version: '1.26.1', provenAt: 't1', lastCommandAt: 't1' };

describe('provenVersion', () => {
  test.each([
    ['its own line', command('prepare'), '1.26.1'],
    ['a line among others', command('prepare', { stderr: 'a\nStarting update to 1.26.1\nb\n' }), '1.26.1'],
    ['the same line twice', command('prepare', { stderr: 'Starting update to 1.26.1\nStarting update to 1.26.1' }), '1.26.1'],
    ['a failure', command('prepare', { succeeded: false }), undefined],
    ['another command', command('refresh', { stderr: 'Starting update to 1.26.1\n' }), undefined],
    ['no update required', command('prepare', { stderr: 'No update required\n' }), undefined],
    ['no whole line', command('prepare', { stderr: 'not Starting update to 1.26.1\n' }), undefined],
    ['two versions', command('prepare', { stderr: 'Starting update to 1.26.1\nStarting update to 1.26.2\n' }), undefined],
    ['no version', command('prepare', { stderr: 'Starting update to latest\n' }), undefined],
    ['no command', undefined, undefined],
  ])('%s', (_what, last, version) => {
    expect(provenVersion(last)).toBe(version);
  });
});

test.each([
  ['Staged, and nobody since', status('Staged', command('prepare')), true],
  ['Ready by a command that was recorded', status('Ready', command('activate')), true],
  ['another command since', status('Staged', command('refresh', { timestamp: 't2' })), false],
  ['nothing staged', status('Available', command('prepare')), false],
  ['a new boot', undefined, false],
])('the proof holds: %s', (_what, now, holds) => {
  expect(proofHolds(staged, now)).toBe(holds);
  expect(proofHolds(undefined, now)).toBe(false);
});

describe('proofAfter', () => {
  const before = status('Staged', command('prepare'));
  test('a refresh of ours moves the last command', () => {
    expect(proofAfter(staged, before, status('Staged', command('refresh', { timestamp: 't2' })))).toEqual({
      ...staged,
      lastCommandAt: 't2',
    });
  });
  test('a lost proof does not come back by a refresh', () => {
    const lost = status('Staged', command('refresh', { timestamp: 't2' }));
    expect(proofAfter(staged, lost, status('Staged', command('refresh', { timestamp: 't3' })))).toBeUndefined();
  });
  test('a prepare is a new proof, or none', () => {
    const next = command('prepare', { timestamp: 't2', stderr: 'Starting update to 1.27.0\n' });
    expect(proofAfter(staged, before, status('Staged', next))).toEqual({ version: '1.27.0', provenAt: 't2', lastCommandAt: 't2' });
    expect(proofAfter(staged, before, status('Staged', { ...next, succeeded: false }))).toBeUndefined();
    expect(proofOf(status('Idle', next))).toBeUndefined();
  });
});

test.each([
  ['nothing since the proof', staged, status('Staged', command('prepare')), true],
  ['a failed activation', staged, status('Staged', command('activate', { timestamp: 't2', succeeded: false })), true],
  ['activated', staged, status('Ready', command('activate', { timestamp: 't2' })), false],
  ['activated, and taken back by somebody', staged, status('Staged', command('deactivate', { timestamp: 't3' })), false],
  ['a reboot alone, which keeps no proof', undefined, status('Staged', command('prepare')), false],
  ['no status', staged, undefined, false],
])('the host shows that no reboot was started: %s', (_what, proof, now, shown) => {
  expect(activationNeverHappened(proof, now)).toBe(shown);
});
