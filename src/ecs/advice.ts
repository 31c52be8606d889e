import type { Decision } from '../core/command.ts';

const ANNOTATE =
  /kubectl annotate (updatepolicy|nodeupdate|node) (\S+) (?:--overwrite )?(lockkeeper\.dev\/[a-z-]+?)(?:(-)(?![a-z])|=(\$\(date \+%s\)|[\w.+-]*\w))/g;
const UNCORDON = /kubectl uncordon (\S*[\w])/g;
const NEW_TOKEN = '$(date +%s)';

/** What a person's commands need to know of the cluster. */
export interface Place {
  cluster: string;
  /** The ID of the container instance with a node's name; undefined where there is none. */
  containerInstance: (node: string) => string | undefined;
}

/** A message of a decision for who runs ECS: what it says to do is done by the AWS CLI, or in the file of the policies. */
export const adviceFor = (text: string, { cluster, containerInstance }: Place): string =>
  text
    .replaceAll(ANNOTATE, (_, kind: string, name: string, annotation: string, gone?: string, value = '') => {
      if (kind === 'updatepolicy') {
        if (gone !== undefined)
          return `remove the annotation ${annotation} from the policy ${name} in its file, and start Lockkeeper anew with it`;
        const to = value === NEW_TOKEN ? 'a value that it has not had' : value;
        return `set the annotation ${annotation} of the policy ${name} in its file to ${to}, and start Lockkeeper anew with it`;
      }
      const target = `targetType=container-instance,targetId=${containerInstance(name) ?? name}`;
      const attributes = `aws ecs ${gone === undefined ? 'put' : 'delete'}-attributes --cluster ${cluster} --attributes`;
      return `${attributes} "name=${annotation},${gone === undefined ? `value=${value},` : ''}${target}"`;
    })
    .replaceAll(
      UNCORDON,
      (_, name: string) =>
        `aws ecs update-container-instances-state --cluster ${cluster} --status ACTIVE --container-instances ${containerInstance(name) ?? name}`,
    );

/** A decision with all of its messages for who runs ECS; the one of an unreadable record names what that is here. */
export function withAdvice(decision: Decision, place: Place): Decision {
  const nodes = decision.nodes.map((one) => {
    if (one.status.reason !== 'RecordUnreadable') return one;
    return { ...one, status: { ...one.status, message: unreadable(one.node, place) }, commands: [] };
  });
  return told({ ...decision, nodes }, place);
}

const unreadable = (node: string, { cluster, containerInstance }: Place): string =>
  `what the table keeps of it cannot be read: nothing is done to it, and its slot counts as taken. A newer version of Lockkeeper may have written it: run that one; else see what the instance runs, set it to ACTIVE yourself, and delete the item of cluster ${cluster} whose id ends in ${containerInstance(node) ?? node}`;

/** A value with all of its texts for who runs ECS; the same where they hold no command. */
export function told<T>(value: T, place: Place): T {
  if (typeof value === 'string') return (value.includes('kubectl ') ? adviceFor(value, place) : value) as T;
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => told(item, place));
    return (items.every((item, index) => item === value[index]) ? value : items) as T;
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  let changed: Record<string, unknown> | undefined;
  for (const [key, item] of Object.entries(value)) {
    const next: unknown = told(item, place);
    if (next !== item) changed = { ...(changed ?? (value as Record<string, unknown>)), [key]: next };
  }
  return (changed ?? value) as T;
}
