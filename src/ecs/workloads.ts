import type { Service, Task } from '@aws-sdk/client-ecs';
import type { BlockedPod } from '../api/node-update.ts';
import { podKey } from '../core/drain-settings.ts';
import type { DisruptionBudget, PodView } from '../core/world.ts';
import type { EcsApi } from './ecs-api.ts';
import type { Instance } from './instances.ts';
import { budgetOfService, missingOf, podOfReplacement, podOfTask, serviceOf } from './tasks.ts';

/** The tasks of the instances that a decision wants to see, and their services, as they were looked at in this round. */
export class Workloads {
  readonly #ecs: EcsApi;
  readonly #pods = new Map<string, readonly PodView[]>();
  /** Instances that were drained by us when they were looked at. */
  readonly #drained = new Set<string>();
  readonly #services = new Map<string, Service>();

  constructor(ecs: EcsApi) {
    this.#ecs = ecs;
  }

  /** By instance. */
  get pods(): ReadonlyMap<string, readonly PodView[]> {
    return this.#pods;
  }

  budgets(): Map<string, DisruptionBudget[]> {
    return Map.groupBy([...this.#services.values()].map(budgetOfService), ({ namespace }) => namespace);
  }

  forget(): void {
    this.#pods.clear();
    this.#drained.clear();
    this.#services.clear();
  }

  /** Whether an instance was looked at since it is drained, or not drained. */
  hasSeen({ id, record }: Instance): boolean {
    return this.#pods.has(id) && (record.cordon === undefined || this.#drained.has(id));
  }

  /** Looks at the tasks of all of them together. */
  async look(instances: readonly Instance[]): Promise<void> {
    // Of an instance that nobody drains a task that stops anyway holds nothing.
    for (const [{ id, record }, pods] of await this.#podsOf(instances, ({ record }) => record.cordon !== undefined)) {
      this.#pods.set(id, pods);
      if (record.cordon !== undefined) this.#drained.add(id);
    }
  }

  /** The tasks of one instance as they are now. */
  async podsOf(instance: Instance): Promise<PodView[]> {
    const [[, pods] = [instance, []]] = await this.#podsOf([instance], () => true);
    return pods;
  }

  /** How many tasks of each service that has one on the instance run in the cluster now. */
  async runningOf({ arn }: Instance): Promise<Record<string, number>> {
    const tasks = (await this.#ecs.tasksOn([{ arn, ending: true }])).get(arn) ?? [];
    const names = servicesOf(tasks);
    await this.#read(names);
    return Object.fromEntries(names.map((name) => [name, this.#services.get(name)?.runningCount ?? 0]));
  }

  /** What holds the drains that are under way, by instance. */
  blocked(drained: (id: string) => boolean): Map<string, BlockedPod[]> {
    const blocked = new Map<string, BlockedPod[]>();
    for (const [name, pods] of this.#pods) {
      if (!drained(name)) continue;
      const waits = pods.map((pod) => ({ pod: podKey(pod), reason: pod.controller === undefined ? 'RunsByItself' : 'WaitsForService' }));
      if (waits.length > 0) blocked.set(name, waits);
    }
    return blocked;
  }

  /** Their tasks, and one for each service that lost some by a drain and has not replaced them yet. */
  async #podsOf(instances: readonly Instance[], ending: (instance: Instance) => boolean): Promise<[Instance, PodView[]][]> {
    const tasks = await this.#ecs.tasksOn(instances.map((one) => ({ arn: one.arn, ending: ending(one) })));
    const before = instances.flatMap(({ record }) => Object.keys(record.services ?? {}));
    const known = instances.flatMap(({ arn }) => servicesOf(tasks.get(arn) ?? [])).filter((name) => !this.#services.has(name));
    await this.#read([...new Set([...before, ...known])]);
    return instances.map((instance) => [
      instance,
      [...(tasks.get(instance.arn) ?? []).map(podOfTask), ...this.#replacements(instance.record.services ?? {})],
    ]);
  }

  #replacements(before: Readonly<Record<string, number>>): PodView[] {
    return Object.entries(before).flatMap(([name, running]) => {
      const service = this.#services.get(name);
      const missing = service === undefined ? 0 : missingOf(service, running);
      return missing === 0 ? [] : [podOfReplacement(name, missing)];
    });
  }

  async #read(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    for (const service of await this.#ecs.services(names)) this.#services.set(service.serviceName ?? '', service);
  }
}

const servicesOf = (tasks: readonly Task[]): string[] => [...new Set(tasks.flatMap((task) => serviceOf(task) ?? []))];
