import type { Phase } from '../wire.ts';

/** What a tile says at a glance: a phase, and of Idle whether there is anything to do. */
export type LookKey = Phase | 'UpToDate' | 'Unmanaged';

/** How a state is drawn: never by its colour alone. */
export interface Look {
  key: LookKey;
  /** What people read. */
  label: string;
  /** What it means, in one sentence. */
  means: string;
  /** Names the colour in page.css. */
  tone: 'done' | 'waiting' | 'moving' | 'back' | 'soaking' | 'held' | 'failed' | 'none';
  /** The tile is filled with its tone, or only framed. */
  filled: boolean;
  /** The sign on it, as a path in a box of 16 by 16. */
  sign: string;
}

const UNMANAGED = look('Unmanaged', 'Not managed', 'No policy has it.', 'none', false, 'M11.5 4.5L4.5 11.5');

/** In the order of how soon a person should look: what is wrong comes first. */
export const LOOKS: readonly Look[] = [
  look('Failed', 'Failed', 'Cordoned; a person must look at it.', 'failed', true, 'M4 4L12 12M12 4L4 12'),
  look(
    'RolledBack',
    'Rolled back',
    'Back on its old version; not tried again by itself.',
    'held',
    true,
    'M12.5 11.5V8.5A3 3 0 0 0 9.5 5.5H4M6.5 3L4 5.5L6.5 8',
  ),
  look('Blocked', 'Blocked', 'Its pods could not be evicted; given back, tried again later.', 'held', true, 'M3.5 8H12.5'),
  look('RollingBack', 'Rolling back', 'Is being taken back to its old version.', 'back', true, 'M12 8H4M7.5 4.5L4 8L7.5 11.5'),
  look('Draining', 'Draining', 'Cordoned; its pods are leaving.', 'moving', true, 'M8 3.5V12M4.5 8.5L8 12L11.5 8.5'),
  look('Rebooting', 'Rebooting', 'Its host boots into the new version.', 'moving', true, 'M12.2 8A4.2 4.2 0 1 1 10.6 4.7M12 2.5V5.2H9.3'),
  look(
    'Verifying',
    'Verifying',
    'Has rebooted and is being checked.',
    'moving',
    true,
    'M11 11L13.5 13.5M11.5 7.5A4 4 0 1 1 3.5 7.5A4 4 0 1 1 11.5 7.5',
  ),
  look('Uncordoning', 'Uncordoning', 'Is being given back to the scheduler.', 'moving', true, 'M8 12.5V4M4.5 7.5L8 4L11.5 7.5'),
  look('Soaking', 'Soaking', 'Updated and schedulable; keeps its slot for a while.', 'soaking', true, 'M4.5 3.5H11.5L4.5 12.5H11.5Z'),
  look('Staging', 'Staging', 'Its host downloads the new version.', 'waiting', false, 'M8 3V9M5.5 6.5L8 9L10.5 6.5M4 12.5H12'),
  look('Staged', 'Staged', 'Holds the new version and waits for its turn.', 'waiting', false, 'M5 11.5H11'),
  look('Idle', 'Idle', 'Has nothing to do yet; its reason says why.', 'waiting', false, 'M8 7.2A.8 .8 0 1 1 8 8.8A.8 .8 0 1 1 8 7.2'),
  look('UpToDate', 'Up to date', 'Runs what its policy wants.', 'done', true, 'M3.8 8.4L6.8 11.2L12.2 5'),
  UNMANAGED,
];

function look(key: LookKey, label: string, means: string, tone: Look['tone'], filled: boolean, sign: string): Look {
  return { key, label, means, tone, filled, sign };
}

const BY_KEY: ReadonlyMap<LookKey, Look> = new Map(LOOKS.map((one) => [one.key, one]));

/** What a node's state looks like. */
export function lookOf({ phase, reason }: { phase?: Phase | undefined; reason?: string | undefined }): Look {
  if (phase === undefined) return UNMANAGED;
  const upToDate = phase === 'Idle' && (reason === 'UpToDate' || reason === 'ReleaseTooYoung');
  return BY_KEY.get(upToDate ? 'UpToDate' : phase) ?? UNMANAGED;
}
