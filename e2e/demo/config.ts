/** What the demo takes from its environment. */
export interface DemoEnvironment {
  /** `processes`: kubelets, pods and hosts are played. `nodes`: real kubelets that reboot. */
  readonly bed: 'processes' | 'nodes';
  readonly nodes: number;
  /** The cluster stays up when all is done, until Ctrl-C. */
  readonly keep: boolean;
}

const most = { processes: 50, nodes: 8 } as const;
const few = { processes: 5, nodes: 3 } as const;

/** @throws RangeError whose message is one clear line */
export function demoEnvironment(env: NodeJS.ProcessEnv = process.env): DemoEnvironment {
  const bed = env['BED'] || 'processes';
  if (bed !== 'processes' && bed !== 'nodes') throw new RangeError(`BED must be processes or nodes, not ${bed}`);
  const nodes = Number(env['DEMO_NODES'] || few[bed]);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > most[bed]) {
    throw new RangeError(`DEMO_NODES must be a whole number from 1 to ${most[bed]}`);
  }
  return { bed, nodes, keep: env['DEMO_KEEP'] === '1' };
}
