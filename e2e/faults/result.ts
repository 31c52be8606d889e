/** What was measured of one fault. */
export interface FaultResult {
  readonly name: string;
  readonly nodes: number;
  /** How long the fault lasted. */
  readonly harmSeconds: number;
  /** Nodes that were booted while it lasted. */
  readonly bootsMeanwhile: number;
  /** From its end to the next accepted write that moved a node; NaN where there was nothing left to do. */
  readonly recoverySeconds: number;
  /** From its end to the last node updated. */
  readonly rolloutSeconds: number;
  /** Of any program of ours, while it lasted. */
  readonly mostLinesPerSecond: number;
  /** Warnings and errors of the loudest program, once the first 30 s were over. */
  readonly steadyWarningsPerSecond: number;
  /** The machine's load average (one minute) when it began and when it was over. */
  readonly load: readonly [number, number];
  readonly details?: string;
}
