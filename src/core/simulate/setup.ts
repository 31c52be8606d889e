import type { Calendar } from './calendar.ts';

/** How a simulated world begins. */
export interface Setup {
  nodes: number;
  maxUnavailable: number | string;
  failureBudget: number | string;
  /** What a used up failure budget brings about. */
  onExceeded?: 'Halt' | 'RollBack';
  /** The machine that gets Ready on no version but its first. */
  fragile?: number | undefined;
  /** A second policy, of higher priority, that has the odd nodes. */
  second: boolean;
  /** The nodes are of two variants, one after the other. */
  mixed: boolean;
  manual: boolean;
  /** When the policies begin nodes, and what becomes of those in flight then. */
  calendar: Calendar;
  onClose: 'Finish' | 'Release';
  /** The first node is a canary, which soaks, and the others are in two zones. */
  grouped: boolean;
  drainMode?: 'Evict' | 'None';
  onTimeout?: 'Skip' | 'Hold' | 'Force';
  /** Each node has a pod that tolerates its cordon, and comes straight back. */
  tolerant?: boolean;
  /** The policies have hooks of all positions. */
  hooks?: boolean;
  /** The policies have a check. */
  checked?: boolean;
  /** The policies' minAge, in minutes. */
  minAge?: number;
  /** The node that the controllers run on, if any. */
  selfNode?: number | undefined;
}

/** Nodes that go one at a time, by one policy without anything special. */
export const aPlainSetup = (nodes: number): Setup => ({
  nodes,
  maxUnavailable: 1,
  failureBudget: 1,
  second: false,
  mixed: false,
  manual: false,
  calendar: 'always',
  onClose: 'Finish',
  grouped: false,
  minAge: 0,
});
