import type { Service, Task } from '@aws-sdk/client-ecs';
import type { DisruptionBudget, PodView } from '../core/world.ts';

const SERVICE_GROUP = 'service:';
/** Marks a task of a service that a budget of the same name covers. */
const SERVICE_LABEL = 'service';

/** The service that a task belongs to; undefined for one that somebody, or a schedule, has started by itself. */
export const serviceOf = ({ group }: Pick<Task, 'group'>): string | undefined =>
  group?.startsWith(SERVICE_GROUP) === true ? group.slice(SERVICE_GROUP.length) : undefined;

const lastOf = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** A task as a drain looks at it. Daemon services' tasks leave a draining instance like any others. */
export function podOfTask(task: Task): PodView {
  const service = serviceOf(task);
  const id = lastOf(task.taskArn ?? '');
  return {
    namespace: service ?? (task.group ?? 'task').replace(/^family:/, ''),
    name: id,
    uid: task.taskArn ?? id,
    labels: service === undefined ? {} : { [SERVICE_LABEL]: service },
    ...(service !== undefined && { controller: { apiVersion: 'ecs', kind: 'Service', name: service } }),
    phase: task.lastStatus === 'RUNNING' ? 'Running' : 'Pending',
    ready: task.lastStatus === 'RUNNING' && task.healthStatus !== 'UNHEALTHY',
    terminating: task.desiredStatus === 'STOPPED',
    mirror: false,
    emptyDir: false,
  };
}

/** Stands for a task that has left the instance and whose replacement does not run yet. */
export const podOfReplacement = (service: string, missing: number): PodView => ({
  namespace: service,
  name: `${missing === 1 ? 'the replacement' : `${missing} replacements`} elsewhere`,
  uid: `replacement-${service}`,
  labels: {},
  controller: { apiVersion: 'ecs', kind: 'Service', name: service },
  phase: 'Pending',
  ready: false,
  terminating: true,
  mirror: false,
  emptyDir: false,
});

/** How many tasks of a service must run before a drain is over: as many as ran before, or as many as it wants by now. */
export function missingOf(service: Service, before: number): number {
  if (service.status !== 'ACTIVE' || service.schedulingStrategy === 'DAEMON') return 0;
  return Math.max(0, Math.min(before, service.desiredCount ?? 0) - (service.runningCount ?? 0));
}

/**
 * What a service's deployment limits allow a drain to do: stop a task first (minimumHealthyPercent), or start its replacement first
 * (maximumPercent). Where they allow neither, ECS never drains an instance with such a task.
 */
export function budgetOfService(service: Service): DisruptionBudget {
  const name = service.serviceName ?? '';
  const desired = service.desiredCount ?? 0;
  const { minimumHealthyPercent = 100, maximumPercent = 200 } = service.deploymentConfiguration ?? {};
  const least = Math.ceil((desired * minimumHealthyPercent) / 100);
  const most = Math.floor((desired * maximumPercent) / 100);
  const free = service.schedulingStrategy === 'DAEMON' || desired === 0 || desired > least || most > desired;
  return {
    namespace: name,
    name,
    selector: { matchLabels: { [SERVICE_LABEL]: name } },
    observed: true,
    disruptionsAllowed: free ? 1 : 0,
    currentHealthy: service.runningCount ?? 0,
    desiredHealthy: least,
    expectedPods: desired,
  };
}
