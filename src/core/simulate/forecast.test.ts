import { expect, test } from '@jest/globals';
import { aHost, aNode, aPolicy, aWorld, NEW, NOW } from '../testing/builders.ts';
import { forecast } from './forecast.ts';

const MINUTE = 60_000;
const durations = { stagingMs: 2 * MINUTE, drainMs: 3 * MINUTE, rebootMs: MINUTE, readyMs: 30_000, hookMs: 10_000 };
const assumptions = { durationsOf: () => durations, until: NOW + 365 * 24 * 60 * MINUTE };

test('a cluster that is up to date is done at once', () => {
  const os = { version: NEW, variant: 'aws-k8s-1.31', arch: 'amd64' };
  const nodes = ['a', 'b'].map((name) => aNode(name, { os, host: aHost({ version: NEW }) }));
  const { endsAt, left, nodes: forecasts } = forecast(aWorld({ policies: [aPolicy()], nodes }), NOW, assumptions);
  expect([endsAt, left]).toEqual([NOW, []]);
  expect(forecasts.map(({ node, stays }) => [node, stays.map(({ reason }) => reason)])).toEqual([
    ['a', ['UpToDate']],
    ['b', ['UpToDate']],
  ]);
});
