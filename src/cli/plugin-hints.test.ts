import { expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { tokenCommand } from '../core/by-hand.ts';
import { withVerbs } from './plugin-hints.ts';

test.each([
  [tokenCommand('updatepolicy', 'fleet', BY_HAND.resume), 'kubectl lockkeeper resume fleet'],
  [tokenCommand('updatepolicy', 'fleet', BY_HAND.skip), 'kubectl lockkeeper skip fleet'],
  [tokenCommand('updatepolicy', 'fleet', BY_HAND.clearBadRelease), 'kubectl lockkeeper clear-bad-release fleet'],
  [
    tokenCommand('nodeupdate', 'ip-10-0-1-7.eu-west-1.compute.internal', BY_HAND.retry),
    'kubectl lockkeeper retry node/ip-10-0-1-7.eu-west-1.compute.internal',
  ],
  [
    'waits for approval: kubectl annotate updatepolicy fleet --overwrite lockkeeper.dev/approved-version=1.26.1',
    'waits for approval: kubectl lockkeeper approve 1.26.1 fleet',
  ],
  ['kubectl annotate updatepolicy fleet lockkeeper.dev/paused-', 'kubectl lockkeeper resume fleet'],
  ['1.27.0: kubectl annotate updatepolicy fleet lockkeeper.dev/urgent-; more', '1.27.0: kubectl lockkeeper unapprove fleet; more'],
  ['kubectl annotate updatepolicy fleet lockkeeper.dev/pin-version-', 'kubectl lockkeeper unpin fleet'],
  ['kubectl annotate updatepolicy fleet lockkeeper.dev/pin-version=1.26.1-rc.1+b', 'kubectl lockkeeper pin 1.26.1-rc.1+b fleet'],
  ['kubectl annotate node a lockkeeper.dev/cordon-', 'kubectl annotate node a lockkeeper.dev/cordon-'],
  ['kubectl annotate node a lockkeeper.dev/paused-', 'kubectl annotate node a lockkeeper.dev/paused-'],
  ['waits for its turn', 'waits for its turn'],
])('%s', (text, expected) => {
  expect(withVerbs(text)).toBe(expected);
});
