import { expect, test } from '@jest/globals';
import { demoEnvironment } from './config.ts';

test.each([
  [{}, { bed: 'processes', nodes: 5, keep: false }],
  [
    { BED: '', DEMO_NODES: '', DEMO_KEEP: '' },
    { bed: 'processes', nodes: 5, keep: false },
  ],
  [
    { BED: 'nodes', DEMO_KEEP: '1' },
    { bed: 'nodes', nodes: 3, keep: true },
  ],
  [
    { BED: 'nodes', DEMO_NODES: '8' },
    { bed: 'nodes', nodes: 8, keep: false },
  ],
])('%j', (env, expected) => {
  expect(demoEnvironment(env)).toEqual(expected);
});

test.each([
  [{ BED: 'kind' }, 'BED must be processes or nodes, not kind'],
  [{ DEMO_NODES: '0' }, 'DEMO_NODES must be a whole number from 1 to 50'],
  [{ DEMO_NODES: 'many' }, 'DEMO_NODES must be a whole number from 1 to 50'],
  [{ BED: 'nodes', DEMO_NODES: '9' }, 'DEMO_NODES must be a whole number from 1 to 8'],
])('%j is refused', (env, message) => {
  expect(() => demoEnvironment(env)).toThrow(new RangeError(message));
});
