import { median, type Note } from '../figure.ts';
import { columns } from '../requests.ts';
import { type BareTimes, bareTotal } from './bare-update.ts';
import type { Rolled } from './nodes-bench.ts';
import { agentBack, type ProductTimes, productTotal } from './product-times.ts';
import { preStopSeconds, replicas } from './workload.ts';

export interface Found {
  readonly product: readonly Rolled<ProductTimes>[];
  readonly bare: readonly Rolled<BareTimes>[];
  /** Of the machine, at the beginning and at the end. */
  readonly load: readonly number[];
}

/** The median of a duration in ms, in seconds. */
export function medianSeconds<T>(times: readonly T[], of: (times: T) => number): number {
  return median(times.map(of)) / 1000;
}

/** What each of the figures of real nodes is made of. */
export function notesOf({ product, bare, load }: Found): Note[] {
  const ours = product.flatMap(({ times }) => times);
  const script = bare.flatMap(({ times }) => times);
  const us = (from: Exclude<keyof ProductTimes, 'node'>, to: Exclude<keyof ProductTimes, 'node'>) =>
    seconds(medianSeconds(ours, (times) => times[to] - times[from]));
  const they = (from: Exclude<keyof BareTimes, 'node'>, to: Exclude<keyof BareTimes, 'node'>) =>
    seconds(medianSeconds(script, (times) => times[to] - times[from]));
  return [
    {
      title: `One node on real kubelets, by us: from the claim to the uncordon, by the audit log (medians of ${ours.length})`,
      lines: [
        ...columns([
          [us('claimed', 'cordoned'), 'claim -> cordon (the pods are listed)'],
          [us('cordoned', 'ordered'), `cordon -> Reboot order (evictions; each pod takes ${preStopSeconds} s to leave)`],
          [us('ordered', 'asked'), "Reboot order -> the agent's fence"],
          [us('asked', 'booted'), 'fence -> another boot ID on the Node (activation, 1 s without power, the OS, kubelet)'],
          [us('booted', 'ready'), 'boot ID -> Ready'],
          [us('ready', 'uncordoned'), "Ready -> uncordon (the pods of DaemonSets, our agent's among them, run again)"],
        ]),
        each(ours, productTotal),
      ],
    },
    {
      title: `The same node by a script, without us (node_floor_seconds): from its cordon to its uncordon, by the audit log (medians of ${script.length})`,
      lines: [
        ...columns([
          [they('cordoned', 'drained'), 'kubectl cordon -> kubectl drain has ended'],
          [they('drained', 'asked'), "activate-update over the host's socket"],
          [they('asked', 'ready'), 'reboot over that socket -> Ready under another boot ID'],
          [they('ready', 'uncordoned'), 'kubectl uncordon'],
        ]),
        each(script, bareTotal),
        'Both find the version staged. The script runs while the chart is not installed, so its nodes start no agent after their boot.',
        'It waits for no DaemonSet. The same machines and pods; the script goes first and last, we twice in between.',
      ],
    },
    {
      title: 'From the boot ID on the Node to the agent (medians)',
      lines: columns([
        [us('booted', 'agentReady'), 'its pod is Ready'],
        [us('booted', 'agentReported'), 'it has reported the boot'],
        [seconds(medianSeconds(ours, agentBack)), 'both (agent_ready_after_boot_seconds)'],
      ]),
    },
    {
      title: `A client outside the nodes, through kube-proxy, to ${replicas} pods under a budget, each with ${preStopSeconds} s of preStop`,
      lines: [...product.map(served('while we updated')), ...bare.map(served('while the script did'))].flat(),
    },
    {
      title: 'Load while real nodes were measured',
      lines: [
        load
          .map((one) => one.toFixed(1))
          .join(' at its beginning, ')
          .concat(' at its end'),
      ],
    },
  ];
}

const seconds = (value: number): string => `${value.toFixed(2)} s`;

function each<T extends { readonly node: string }>(times: readonly T[], total: (times: T) => number): string {
  return `each: ${times.map((one) => `${one.node} ${seconds(total(one) / 1000)}`).join(', ')}`;
}

const served =
  (when: string) =>
  ({ served: { requests, failures } }: Rolled<unknown>): string[] => [
    `${requests} requests ${when}, ${failures.length} failed`,
    ...failures.slice(0, 10).map((failure) => `  ${failure}`),
  ];
