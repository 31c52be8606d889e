import { describe, expect, test } from '@jest/globals';
import type { NodeUpdateStatus } from '../api/node-update.ts';
import { annotationProblem, unreadableAnnotations, withFindings } from './conditions.ts';
import { timestamp } from './world.ts';

const now = Date.parse('2026-11-01T00:00:00Z');
const other = { type: 'Other', status: 'True', reason: 'Because', message: '', lastTransitionTime: timestamp(now) } as const;

const withAnnotations = (status: NodeUpdateStatus, problems: readonly string[], at: number) =>
  withFindings(status, unreadableAnnotations(problems), at);

describe('a condition that is there while there is something to say', () => {
  test('names what cannot be read, and keeps the time since when', () => {
    const first = withAnnotations({ phase: 'Idle', conditions: [other] }, ['a is odd', 'b is odd'], now);
    expect(first.conditions).toEqual([
      other,
      {
        type: 'AnnotationsValid',
        status: 'False',
        reason: 'InvalidAnnotation',
        message: 'a is odd; b is odd',
        lastTransitionTime: timestamp(now),
      },
    ]);
    const later = withAnnotations(first, ['a is odd'], now + 1000);
    expect(later.conditions?.[1]).toMatchObject({ message: 'a is odd', lastTransitionTime: timestamp(now) });
    expect(annotationProblem(later)).toBe('a is odd');
  });

  test('goes when all can be read, and leaves nothing behind', () => {
    const odd = withAnnotations({ phase: 'Idle' }, ['a is odd'], now);
    expect(withAnnotations(odd, [], now)).toEqual({ phase: 'Idle' });
    expect(withAnnotations({ ...odd, conditions: [other, ...(odd.conditions ?? [])] }, [], now)).toEqual({
      phase: 'Idle',
      conditions: [other],
    });
    expect(annotationProblem({ phase: 'Idle' })).toBe('');
  });

  test('leaves a status alone that says nothing of annotations', () => {
    const status = { phase: 'Idle' } as const;
    expect(withAnnotations(status, [], now)).toBe(status);
  });
});

test('ours are there however many others somebody has put there', () => {
  const conditions = Array.from({ length: 16 }, (_, index) => ({ ...other, type: `Other${index}` }));
  const { conditions: told = [] } = withAnnotations({ conditions }, ['x'], now);
  expect(told).toHaveLength(16);
  expect(told.at(-1)?.type).toBe('AnnotationsValid');
});
