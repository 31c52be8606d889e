import { isDeepStrictEqual } from 'node:util';
import type { Command } from '../core/command.ts';
import { planDrain } from '../core/drain-plan.ts';
import { podKey } from '../core/drain-settings.ts';
import type { EcsApi } from './ecs-api.ts';
import { Stale } from './errors.ts';
import { type Instance, isDraining } from './instances.ts';
import { INSTANCE_PREFIX, type InstanceRecord } from './records.ts';
import type { Table } from './table.ts';
import type { Workloads } from './workloads.ts';

/** What carrying out commands needs. */
export interface WriterDeps {
  ecs: EcsApi;
  table: Table;
  workloads: Workloads;
}

/**
 * Carries out the commands of one instance. What is only kept is written once, under the version that the decision saw, before anything
 * is done to the instance and at the end: whatever anybody else wrote since then refuses it.
 */
export class InstanceWriter {
  readonly #deps: WriterDeps;
  #instance: Instance;
  #written: InstanceRecord;

  constructor(deps: WriterDeps, instance: Instance) {
    this.#deps = deps;
    this.#instance = instance;
    this.#written = instance.record;
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** Carries out one command; what is only kept is not written before `flush`. Rejects with Stale or an AwsError. */
  async carryOut(command: Command): Promise<void> {
    switch (command.type) {
      case 'CreateObjects':
        return this.#note({ host: { ...this.#instance.record.host, spec: { ...this.#instance.record.host.spec, ...command.refresh } } });
      case 'WriteStatus':
        return this.#note({ update: command.status });
      case 'SetRefresh':
        return this.#note({ host: { ...this.#instance.record.host, spec: { ...this.#instance.record.host.spec, ...command.refresh } } });
      case 'Order':
        return this.#order(command.order);
      case 'OrderReboot': {
        const plan = planDrain(await this.#deps.workloads.podsOf(this.#instance), command.record.drain, command.context);
        const left = [...[...plan.evict, ...plan.later, ...plan.waitFor].map(podKey).slice(0, 5), ...plan.errors];
        if (left.length > 0) throw new Stale(`tasks have come to ${this.#instance.id} since it was drained: ${left.join('; ')}`);
        this.#note({ update: command.status });
        return this.#order(command.order);
      }
      case 'Cordon': {
        if (isDraining(await this.#fresh())) throw new Stale(`somebody else has set ${this.#instance.id} to DRAINING meanwhile`);
        this.#note({ cordon: command.record, services: await this.#deps.workloads.runningOf(this.#instance) });
        return this.#change('DRAINING');
      }
      case 'CordonAgain':
        return this.#change('DRAINING');
      case 'UpdateRecord':
        return this.#note({ cordon: command.record });
      case 'Uncordon': {
        // While the record stands whoever goes on does this again; without it nobody would.
        if (!command.record.prior.unschedulable && isDraining(await this.#fresh())) await this.#change('ACTIVE');
        const { cordon: _cordon, services: _services, ...record } = this.#instance.record;
        return this.#replace({ ...record, fence: command.record.claim });
      }
      case 'Fence':
        return this.#note({ fence: command.claim });
      case 'LabelManaged':
      case 'Untaint':
      case 'Sweep':
      case 'RunHook':
        throw new Stale(`${command.type} is nothing that can be done to a container instance`);
    }
  }

  /** Writes what is noted; false where nothing was. */
  async flush(): Promise<boolean> {
    const { record, arn, version } = this.#instance;
    if (isDeepStrictEqual(record, this.#written) && version > 0) return false;
    const next = await this.#deps.table.put(INSTANCE_PREFIX + arn, version, record);
    this.#instance = { ...this.#instance, version: next };
    this.#written = record;
    return true;
  }

  /** The write before it is the fence: after it nobody with an older view of the instance gets this far. */
  async #change(status: 'ACTIVE' | 'DRAINING'): Promise<void> {
    this.#note({ changes: this.#instance.record.changes + 1 });
    await this.flush();
    await this.#deps.ecs.setState(this.#instance.arn, status);
    this.#instance = { ...this.#instance, seen: { ...this.#instance.seen, status } };
  }

  async #fresh() {
    const [seen] = await this.#deps.ecs.describeInstances([this.#instance.arn]);
    if (seen === undefined) throw new Stale(`${this.#instance.id} is gone`);
    return seen;
  }

  #order(order: NonNullable<InstanceRecord['host']['spec']['order']>): void {
    const { host } = this.#instance.record;
    this.#note({ host: { ...host, spec: { ...host.spec, order } } });
  }

  #note(changes: Partial<InstanceRecord>): void {
    this.#replace({ ...this.#instance.record, ...changes });
  }

  #replace(record: InstanceRecord): void {
    this.#instance = { ...this.#instance, record };
  }
}
