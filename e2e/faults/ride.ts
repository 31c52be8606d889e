import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import path from 'node:path';
import { expect } from '@jest/globals';
import type { NodeObject } from '../bed/node-object.ts';
import type { PodProcess } from '../bed/pod-process.ts';
import { isCordoned } from '../bed/watch-history.ts';
import type { FleetOptions } from '../scenarios/fleet.ts';
import { cordonAnnotation } from '../scenarios/judge.ts';
import type { TestFleet } from '../scenarios/started-fleet.ts';
import { faultsEnvironment } from './config.ts';
import { linesBetween } from './log-lines.ts';
import type { FaultResult } from './result.ts';
import { workload } from './workload.ts';

/** A rollout with harm done in its middle. */
export interface Ride {
  /** As the table of results has it. */
  readonly name: string;
  readonly nodes?: number;
  readonly maxUnavailable?: number;
  /** How many nodes are booted before the harm is done; a quarter of them unless told. With 0 it is done from the release on, while nodes stage. */
  readonly after?: number;
  readonly fleet?: Omit<FleetOptions, 'nodes'>;
  /** Does the harm, for as long as it lasts; what it leaves behind is undone. Gives what the table says of it, if anything. */
  readonly harm: (fleet: TestFleet) => Promise<string | undefined>;
  /** Each node is booted exactly once, by one order; with `boots`, an order may have come to nothing before. So it is unless told. */
  readonly onceEach?: boolean | 'boots';
  /** How long the rollout may take after the harm. */
  readonly patienceMs?: number;
}

/** Those of a policy that names none: no fault outlasts them. */
const deadlines = { drain: { timeout: '30m' }, reboot: { timeout: '15m' } };

/** A burst of warnings where everything breaks at once is over by then; what comes later is steady failure. */
const burstMs = 30_000;
const mostInBurst = 60;
const mostSteadyPerSecond = 1;

/**
 * Takes a fleet through a rollout, does the harm in its middle, waits until all nodes are updated, and judges the whole
 * run from audit log and watch: no more nodes unavailable than the policy allows, one boot each, the invariants of every scenario, no
 * node cordoned without our record, no flood of log lines. Leaves what was measured for the report.
 */
export async function ride(start: (options: FleetOptions) => Promise<TestFleet>, run: Ride): Promise<void> {
  const { name, nodes = 12, maxUnavailable = 2, after = nodes / 4, onceEach = true, patienceMs = 300_000 } = run;
  const fleet = await start({ nodes, ...run.fleet, policy: { rollout: { maxUnavailable }, ...deadlines, ...run.fleet?.policy } });
  const { bed, eventually, judge, machines, release, releaseInOrder, updated } = fleet;
  await workload(bed, nodes);
  if (after === 0) release('1.26.1');
  else await releaseInOrder('1.26.1');
  await eventually(() => judge.boots().length >= after, { timeoutMs: 240_000 });

  const programs = new Set<PodProcess>();
  const bootsBefore = judge.boots().length;
  const from = Date.now();
  const loadBefore = loadNow();
  const details = await run.harm(fleet);
  const to = Date.now();
  const loadAfter = loadNow();
  const bootsMeanwhile = judge.boots().length - bootsBefore;
  for (const one of bed.pods.processes()) programs.add(one);

  await updated('1.26.1', undefined, patienceMs);
  const done = Date.now();

  expect(judge.mostUnavailable()).toBeLessThanOrEqual(maxUnavailable);
  if (onceEach === true) await judge.onceEach(machines);
  if (onceEach !== false)
    for (const one of machines) expect({ one: one.name, boots: one.rebootCount() }).toEqual({ one: one.name, boots: 1 });
  await judge.invariants();
  for (const { object } of fleet.history.versions) {
    const recorded = object.metadata.annotations?.[cordonAnnotation] !== undefined;
    expect({ node: object.metadata.name, foreign: isCordoned(object) && !recorded }).toMatchObject({ foreign: false });
  }
  for (const node of await bed.client.list<NodeObject>('/api/v1/nodes')) {
    const { name: who } = node.metadata;
    expect({ who, cordoned: isCordoned(node) }).toEqual({ who, cordoned: false });
  }
  let mostLines = 0;
  let mostSteady = 0;
  for (const program of programs) {
    const { name: who } = program;
    const steadyFrom = Math.min(from + burstMs, to);
    const { all } = await linesBetween(program, from, to);
    const { warnings: burst } = await linesBetween(program, from, steadyFrom);
    const { warnings: later } = await linesBetween(program, steadyFrom, to);
    const steady = (later * 1000) / Math.max(to - steadyFrom, burstMs);
    mostLines = Math.max(mostLines, (all * 1000) / (to - from));
    mostSteady = Math.max(mostSteady, steady);
    expect({ who, burst, flood: burst > mostInBurst }).toMatchObject({ who, flood: false });
    expect({ who, steady, flood: steady > mostSteadyPerSecond }).toMatchObject({ who, flood: false });
  }

  const result: FaultResult = {
    name,
    nodes,
    harmSeconds: (to - from) / 1000,
    bootsMeanwhile,
    recoverySeconds: await recovery(fleet, to),
    rolloutSeconds: (done - to) / 1000,
    mostLinesPerSecond: mostLines,
    steadyWarningsPerSecond: mostSteady,
    load: [loadBefore, loadAfter],
    ...(details !== undefined && { details }),
  };
  const { hurry, results } = faultsEnvironment();
  await mkdir(results, { recursive: true });
  const file = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`;
  await writeFile(path.join(results, file), JSON.stringify({ ...result, hurry }, undefined, 2));
}

/** Of the whole machine, over the last minute. */
const loadNow = (): number => loadavg()[0] ?? 0;

/** How long after the harm's end a program of ours did the next thing to a node: an accepted write of the controller's or an agent's. */
async function recovery({ bed }: TestFleet, to: number): Promise<number> {
  const ours = await bed.audit.find({ verb: 'patch', user: ':lockkeeper-' });
  const next = ours.find(
    ({ objectRef, responseStatus, stageTimestamp }) =>
      ['nodes', 'nodehosts', 'updatepolicies', 'nodeupdates'].includes(objectRef?.resource ?? '') &&
      (responseStatus?.code ?? 500) < 300 &&
      Date.parse(stageTimestamp) >= to,
  );
  return next === undefined ? Number.NaN : (Date.parse(next.stageTimestamp) - to) / 1000;
}
