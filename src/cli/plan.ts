import { Command, Option } from 'commander';
import type { Colors } from 'picocolors/types.js';
import * as z from 'zod/mini';
import { type Plan, planSchema } from '../api/plan.ts';
import { planOf } from '../core/plan/plan.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { visibleIn } from '../kube/visible.ts';
import { type ConnectOptions, withConnectOptions } from './options.ts';
import { type PolicyFile, readPolicies } from './policy-file.ts';
import { readWorld } from './read-world.ts';
import { renderPlan } from './render-plan.ts';
import { withPolicies } from './with-policies.ts';

/** So many nodes are planned in a second or two, one after the other. */
const MANY = 100;

/** What a plan can be told. */
export interface PlanOptions extends ConnectOptions {
  filename?: string[];
  output?: 'json';
  namespace?: string;
}

/** What the command needs of the machine that it runs on. */
export interface PlanDeps {
  client: (options: PlanOptions) => Promise<KubeClient>;
  /** The text of a file, or of stdin for `-`. */
  readFile: (name: string) => Promise<string>;
  print: (text: string) => void;
  /** Tells a person at a terminal why it takes a while. */
  tell: (text: string) => void;
  colors: Colors;
  clock: Clock;
}

/** The `plan` command with its flags; `run` gets what was asked for. */
export function planCommand(run: (options: PlanOptions) => Promise<void>): Command {
  return withConnectOptions(new Command('plan'))
    .description(
      'Says what Lockkeeper will do with the nodes, and changes nothing: which nodes in which order, when, what blocks each, how long the whole takes, and what keeps it from ever ending.',
    )
    .addOption(
      new Option(
        '-f, --filename <file>',
        'plan as if the UpdatePolicies of this file were applied (- is stdin); may be given several times',
      ).argParser((file: string, before: string[] = []) => [...before, file]),
    )
    .addOption(
      new Option('-o, --output <format>', 'json: a Plan of plan.lockkeeper.dev/v1alpha1, described in docs/plan.md').choices(['json']),
    )
    .option('-n, --namespace <name>', "Lockkeeper's namespace (default: where its controllers run)")
    .addHelpText(
      'after',
      `
It reads the cluster with your own rights (the chart's ClusterRole lockkeeper-plan has all that it needs), and runs the controller's own
decision on it in virtual time. How long a node takes is the median of its kind's updates so far; where there are none, what is assumed
is printed. Times are in the time zone of the policy's first window, and in UTC. Under approval: Manual it plans as if what waits for an
approval got it now.

Exit codes: 0 the plan was made, whatever it says; 1 it could not be made; 2 the command line, a file or the kubeconfig makes no sense;
3 you lack a right: each is named.

Examples:
  kubectl lockkeeper plan
  kubectl lockkeeper plan -f policy.yaml
  kubectl lockkeeper plan -o json | jq '.policies[].steps[] | [.order, .node, .startsAt]'`,
    )
    .action(async (options: PlanOptions) => run(options));
}

/** Reads the cluster, plans, and prints. */
export async function runPlan(options: PlanOptions, { client: connect, readFile, print, tell, colors, clock }: PlanDeps): Promise<void> {
  const files: PolicyFile[] = [];
  for (const name of options.filename ?? []) files.push(...readPolicies(await readFile(name), name === '-' ? 'stdin' : name));
  const client = await connect(options);
  try {
    const { world, warnings } = await readWorld(client, options.namespace);
    const { policies, sources } = withPolicies(world.policies, files);
    if (world.nodes.length > MANY) tell(`planning ${world.nodes.length} nodes: this may take a minute\n`);
    const plan = planOf({ ...world, policies }, { now: clock.now() + client.clockOffsetMs, sources, warnings });
    print(options.output === 'json' ? asJson(plan) : renderPlan(visibleIn(plan), colors));
  } finally {
    client.close();
  }
}

/** What is printed is what its schema says. */
const asJson = (plan: Plan): string => `${JSON.stringify(z.parse(planSchema, plan), undefined, 2)}\n`;
