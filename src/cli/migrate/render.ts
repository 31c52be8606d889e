import { stringify } from 'yaml';
import { assign } from '../../core/assign.ts';
import { visible } from '../../kube/visible.ts';
import { listed } from '../by-hand/targets.ts';
import type { Carried } from './carry.ts';
import { type Found, inFlight, theirNodes } from './found.ts';
import { managerOf, removalOf } from './manager.ts';
import type { Write } from './step.ts';

/** What was found, and what becomes of its settings. */
export function renderFound(found: Found, carried: Carried): string {
  const { controller, agents } = found;
  const workload = agents ?? controller;
  const version = workload?.image.split('@')[0]?.split(':')[1];
  const manager = [agents, controller].map((one) => one && managerOf(one)).find((one) => one !== undefined);
  const nodes = theirNodes(found);
  const flying = inFlight(found);
  return lines([
    `Found: the update operator of Bottlerocket${version === undefined ? '' : ` ${visible(version)}`} in namespace ${workload?.namespace ?? ''}${manager === undefined ? '' : `, by ${visible(manager.name)}`}`,
    `  ${nodes.length === 1 ? '1 node has' : `${nodes.length} nodes have`} its label, which stays; in flight: ${flying.length === 0 ? 'none' : listed(flying.map(({ node }) => node))}`,
    ...carried.lines.map((line) => `  ${line}`),
    ...carried.problems.map((problem) => `  cannot be carried over: ${problem}`),
  ]);
}

/** The policy as a file for Git. */
export const renderPolicy = ({ policy, problems }: Carried): string =>
  `${problems.map((problem) => `# Cannot be carried over: ${problem}\n`).join('')}${problems.length > 0 ? '# Paused until you have put in what should hold, and taken out this pause.\n' : ''}${stringify(policy)}`;

/** What is written, in its order. */
export const renderWrites = (writes: readonly Write[]): string =>
  lines(writes.flatMap(({ object, changes }, index) => [`${index + 1}. ${object}`, ...changes.map((change) => `     ${visible(change)}`)]));

/** What a person should know before they agree. */
export function warningsOf(found: Found): string[] {
  const { controller, agents } = found;
  const undoing = [controller, agents].flatMap((workload) => {
    const manager = workload && managerOf(workload);
    return workload === undefined || manager?.undoes === undefined
      ? []
      : [
          `${workload.kind} ${workload.name} is kept by ${visible(manager.name)}, which may undo what is written here: ${visible(manager.undoes)}, and take the old operator out of Git once you do not want to go back`,
        ];
  });
  const busy = new Set(inFlight(found).map(({ node }) => node));
  const nodes = theirNodes(found);
  const names = (list: readonly { name: string }[]) => listed(list.map(({ name }) => name));
  const cordoned = nodes.filter(({ name, unschedulable, record }) => unschedulable && record === undefined && !busy.has(name));
  const silent = nodes.filter(({ ready }) => !ready.status);
  return [
    ...undoing,
    ...(cordoned.length === 0
      ? []
      : [
          `cordoned, by whom cannot be told, and each takes a slot until somebody uncordons it: ${names(cordoned)}; where the old operator has left it so: kubectl uncordon NODE`,
        ]),
    ...(silent.length === 0 ? [] : [`not Ready, so nothing is waited for there: ${names(silent)}`]),
  ];
}

/** What a person should look after once the old operator is stopped. */
export function warningsAtEnd(found: Found): string[] {
  const flying = inFlight(found);
  if (flying.length === 0) return [];
  const named = flying.map(({ node, state = 'nothing reported yet' }) => `${node} (${state})`);
  return [
    `the old operator was at ${listed(named)}, and is stopped: nobody brings that to an end. See what each host runs, and whether it is cordoned; what to do: docs/migration.md. To have the old operator finish it: kubectl lockkeeper migrate --back`,
  ];
}

/** Where it has got to, and what comes next. */
export function renderDone(found: Found): string {
  const { agents, controller } = found;
  const workloads = [agents, controller].filter((one) => one !== undefined);
  const assigned = assign(found.policies, found.nodes);
  const byPolicy = Map.groupBy(theirNodes(found), ({ name }) => assigned.get(name));
  const has = [...byPolicy].map(([policy, nodes]) => {
    const count = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`;
    if (policy === undefined) return `No UpdatePolicy has ${listed(nodes.map(({ name }) => name))}: kubectl lockkeeper why NODE`;
    const approval = policy.spec.approval === 'Manual' ? `, and begins none before: kubectl lockkeeper approve ${policy.name}` : '';
    return `UpdatePolicy ${policy.name} has ${count}${approval}`;
  });
  return lines([
    ...(has.length === 0 ? ['No node has the old operator’s label.'] : has),
    'What it will do: kubectl lockkeeper plan',
    ...(workloads.length === 0
      ? []
      : [
          'Back to the old operator, as long as it is there: kubectl lockkeeper migrate --back',
          `Once you do not want to go back: ${removalOf(workloads)}`,
          'Then its kind, and what only it has used: kubectl delete crd bottlerocketshadows.brupop.bottlerocket.aws; cert-manager, if nothing else needs it',
        ]),
  ]);
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;
