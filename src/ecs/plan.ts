import picocolors from 'picocolors';
import { renderPlan } from '../cli/render-plan.ts';
import { planOf } from '../core/plan/plan.ts';
import type { Clock } from '../kube/clock.ts';
import { visibleIn } from '../kube/visible.ts';
import { told } from './advice.ts';
import { connect } from './aws.ts';
import { EcsCluster } from './cluster.ts';
import type { EcsConfig } from './config.ts';
import { NotLeading } from './errors.ts';
import { readEcsPolicies } from './policies.ts';
import { Table } from './table.ts';

/** Prints what would be done with the instances of a cluster, as they were known last, and changes nothing: it takes no lease. */
export async function planEcs(config: EcsConfig, { clock, print }: { clock: Clock; print: (text: string) => void }): Promise<void> {
  const files = readEcsPolicies(await config.policy.text(), config.policy.source);
  const { region, endpoint } = config;
  const aws = connect({
    cluster: config.cluster,
    table: config.table,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    // All that is called here reads.
    assertLeading: () => {},
  });
  try {
    const refuse = (): never => {
      throw new NotLeading();
    };
    const retry = { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs };
    const cluster = new EcsCluster({ ecs: aws.ecs, table: new Table(aws.table, refuse), name: config.cluster, files, retry });
    await cluster.observe(clock.now());
    await cluster.lookAtAll();
    const plan = planOf(cluster.world(), { now: clock.now() });
    print(renderPlan(visibleIn(told(plan, cluster.place)), picocolors.createColors(false)));
    for (const { message } of cluster.unreadable.values()) print(`${message}\n`);
  } finally {
    aws.close();
  }
}
