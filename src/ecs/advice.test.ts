import { describe, expect, test } from '@jest/globals';
import { BY_HAND } from '../api/names.ts';
import { tokenCommand } from '../core/by-hand.ts';
import type { Decision } from '../core/command.ts';
import { adviceFor, withAdvice } from './advice.ts';

const place = { cluster: 'shop', containerInstance: (node: string) => (node === 'i-1' ? 'c0ffee' : undefined) };

describe('adviceFor', () => {
  test.each([
    [
      'halted; to go on: kubectl annotate updatepolicy all --overwrite lockkeeper.dev/resume=$(date +%s)',
      'halted; to go on: set the annotation lockkeeper.dev/resume of the policy all in its file to a value that it has not had, and start Lockkeeper anew with it',
    ],
    [
      'waits for approval: kubectl annotate updatepolicy all --overwrite lockkeeper.dev/approved-version=1.26.1',
      'waits for approval: set the annotation lockkeeper.dev/approved-version of the policy all in its file to 1.26.1, and start Lockkeeper anew with it',
    ],
    [
      'kubectl annotate updatepolicy all lockkeeper.dev/urgent-',
      'remove the annotation lockkeeper.dev/urgent from the policy all in its file, and start Lockkeeper anew with it',
    ],
    [
      'to try it again: kubectl annotate nodeupdate i-1 --overwrite lockkeeper.dev/retry=$(date +%s)',
      'to try it again: aws ecs put-attributes --cluster shop --attributes "name=lockkeeper.dev/retry,value=$(date +%s),targetType=container-instance,targetId=c0ffee"',
    ],
    [
      'look at it first, or uncordon it (kubectl uncordon i-1)',
      'look at it first, or uncordon it (aws ecs update-container-instances-state --cluster shop --status ACTIVE --container-instances c0ffee)',
    ],
    ['waits for a slot', 'waits for a slot'],
  ])('%s', (text, expected) => {
    expect(adviceFor(text, place)).toBe(expected);
  });

  test.each(Object.values(BY_HAND).flatMap((name) => (['updatepolicy', 'nodeupdate'] as const).map((kind) => [kind, name] as const)))(
    'no command to annotate %s with %s is left',
    (kind, name) => {
      expect(adviceFor(tokenCommand(kind, 'i-1', name), place)).not.toContain('kubectl');
    },
  );
});

describe('withAdvice', () => {
  const status = { phase: 'Failed', reason: 'RecordUnreadable', message: 'the annotation lockkeeper.dev/cordon cannot be read' } as const;
  const decision: Decision = {
    policies: [{ policy: 'all', status: { conditions: [] } }],
    nodes: [{ node: 'i-1', status, commands: [{ type: 'WriteStatus', status }] }],
    drains: [],
    lookAt: [],
    jobs: [],
    checks: [],
    handOver: false,
  };

  test('an instance whose record cannot be read is told about as such, and nothing is done to it', () => {
    const [one] = withAdvice(decision, place).nodes;
    expect(one?.commands).toEqual([]);
    expect(one?.status.message).toContain('whose id ends in c0ffee');
  });

  test('commands are replaced wherever a message may stand; what holds none stays the same object', () => {
    const policies = [
      { policy: 'all', status: { conditions: [], freeze: { message: tokenCommand('updatepolicy', 'all', BY_HAND.resume) } } },
    ];
    const told = withAdvice({ ...decision, policies } as unknown as Decision, place);
    expect(JSON.stringify(told)).not.toContain('kubectl');
    expect(told.drains).toBe(decision.drains);
  });
});
