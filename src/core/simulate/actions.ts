import type { Calendar } from './calendar.ts';
import type { Lags } from './controller-model.ts';
import type { Lie } from './lies.ts';
import type { Flaw } from './objects.ts';
import type { Setup } from './setup.ts';
import type { Lag } from './store.ts';

/** Who may rest while all others work. */
export type Worker = 'evictions' | 'agents' | 'hosts';

/** One thing that happens. `node` and `leader` count from 0 and wrap around. */
export type Action =
  /** Everything works as it should for a while: whole passes of one controller, evictions, agents, hosts; or all but one of these. */
  | { do: 'work'; leader: number; rounds: number; without?: Worker | undefined }
  /** A controller begins a pass from caches that lag. */
  | { do: 'pass'; leader: number; lags: Lags }
  /** A controller makes some more API calls of its pass, and freezes again. */
  | { do: 'step'; leader: number; calls: number }
  | { do: 'crash'; leader: number }
  /** A controller's clock is off by so many seconds from now on. */
  | { do: 'clock'; leader: number; seconds: number }
  | { do: 'evict'; leader: number }
  | { do: 'agent'; node: number; steps: number; lag: Lag }
  | { do: 'killAgent'; node: number }
  | { do: 'agentUp'; node: number; up: boolean }
  /** The machine boots if it was asked to, or `anyway`: by somebody else's hand. */
  | { do: 'boot'; node: number; anyway: boolean }
  | { do: 'kubelet'; node: number }
  | { do: 'notReady'; node: number }
  /** An agent writes what is not true into its own NodeHost. */
  | { do: 'lie'; node: number; lie: Lie }
  /** The wave of a host opens, or is not open yet: the newest release is then not offered to it. */
  | { do: 'wave'; node: number; open: boolean }
  /** Somebody else used the host's update API. */
  | { do: 'loseProof'; node: number }
  | { do: 'flaw'; node: number; flaw: Flaw | null }
  | { do: 'pods' }
  | { do: 'jobs' }
  | { do: 'guardPod'; node: number; guarded: boolean | 'never' }
  | { do: 'nakedPod'; node: number }
  | { do: 'time'; minutes: number }
  | { do: 'release' }
  | { do: 'guard'; on: boolean }
  | { do: 'standby'; on: boolean }
  /** The policies' checks hold, or fail. */
  | { do: 'checks'; hold: boolean }
  | { do: 'cordon'; node: number }
  | { do: 'uncordon'; node: number }
  | { do: 'disrupt'; node: number; on: boolean }
  /** Somebody changes an annotation or a label that our cordon sets. */
  | { do: 'meddle'; node: number; with: 'annotations' | 'labels'; value: string | null }
  | { do: 'deleteNode'; node: number }
  /** The node registers again, where it was deleted; `outdated`: with the taint, so as to be updated before it takes work. */
  | { do: 'register'; node: number; outdated?: boolean }
  | { do: 'collect' }
  | { do: 'deleteUpdate'; node: number }
  | { do: 'deleteHost'; node: number }
  | { do: 'annotateNode'; node: number; key: 'paused' | 'retry' | 'reboot' | 'skip' | 'pinVersion' | 'urgent'; value: string | null }
  | {
      do: 'annotatePolicy';
      policy: 'a' | 'b';
      key: 'paused' | 'retry' | 'reboot' | 'urgent' | 'resume' | 'skip' | 'clearBadRelease' | 'pinVersion' | 'approvedVersion';
      value: string | null;
    }
  | { do: 'pausePolicy'; policy: 'a' | 'b'; paused: boolean }
  | { do: 'maxUnavailable'; policy: 'a' | 'b'; to: number | string }
  | { do: 'schedule'; policy: 'a' | 'b'; to: Calendar; onClose: 'Finish' | 'Release' }
  | { do: 'onTimeout'; policy: 'a' | 'b'; to: 'Skip' | 'Hold' | 'Force' }
  | { do: 'deletePolicy'; policy: 'a' | 'b' }
  | { do: 'createPolicy'; policy: 'a' | 'b' };

/** A world and what happens in it: plain data, so that a failure can be replayed. */
export interface Scenario {
  setup: Setup;
  actions: readonly Action[];
}
