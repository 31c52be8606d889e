import { type Answer, done } from './answer.ts';
import type { Faults } from './faults.ts';
import type { Disk } from './partitions.ts';
import type { RenderedConfig } from './rendered-config.ts';
import { compareVersions, type Image } from './repository.ts';
import type { Delay, HostTimings, Timers } from './timers.ts';
import type { Outcome, Run, Updater } from './updater.ts';

export type UpdateCommand = 'refresh' | 'prepare' | 'activate' | 'deactivate';
type UpdateState = 'Idle' | 'Available' | 'Staged' | 'Ready';

/** GET /updates/status, as it goes over the wire. */
export interface UpdateStatus {
  update_state: UpdateState;
  available_updates: string[];
  chosen_update: Image | null;
  active_partition: { image: Image; next_to_boot: boolean } | null;
  staging_partition: { image: Image; next_to_boot: boolean } | null;
  most_recent_command: {
    cmd_type: UpdateCommand;
    cmd_status: 'Success' | 'Failed' | 'Unknown';
    timestamp: string;
    exit_status: number | null;
    stderr: string | null;
  } | null;
}

const allowed: Record<UpdateState, readonly UpdateCommand[]> = {
  Idle: ['refresh'],
  Available: ['refresh', 'prepare'],
  Staged: ['refresh', 'prepare', 'activate'],
  Ready: ['refresh', 'deactivate'],
};

const refused = {
  lockHeld: { status: 423, text: 'Update lock held' },
  notAllowed: { status: 409, text: 'Update action not allowed according to update state' },
  nothingChosen: { status: 404, text: 'Previously chosen Update no longer exists' },
  nothingStaged: { status: 404, text: 'No update image applied to staging partition' },
  failed: { status: 500, text: 'Update dispatcher failed' },
  missing: { status: 500, text: 'Unable to start the update dispatcher: No such file or directory (os error 2) ' },
  uninitialized: { status: 404, text: 'Update status is uninitialized, refresh-updates to initialize it' },
  statusLocked: {
    status: 423,
    text: 'Unable to obtain shared lock for reading update status: Resource temporarily unavailable (os error 11)',
  },
} satisfies Record<string, Answer>;

interface Parts {
  updater: Updater;
  disk: Disk;
  config: RenderedConfig;
  faults: Faults;
  timers: Timers;
  timings: HostTimings;
  timestamp: () => string;
}

/** The state machine of the update actions: one command at a time under a lock, its result in a status that a reboot forgets. */
export class UpdateDispatcher {
  readonly #parts: Parts;
  #status: UpdateStatus | undefined;
  #corrupt = false;
  #locked = false;
  #held: (() => void)[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The status, also where the API would not give it. */
  get peek(): Readonly<UpdateStatus> | undefined {
    return this.#status;
  }

  /** Answers GET /updates/status. */
  status(): Answer {
    if (this.#locked) return refused.statusLocked;
    if (this.#fileIsCorrupt()) return refused.failed;
    return this.#status === undefined ? refused.uninitialized : { status: 200, json: this.#status };
  }

  /** Answers an action. The lock is held when this returns, unless the command is already over. */
  dispatch(command: UpdateCommand): Answer {
    if (this.#parts.faults.take('dispatcherMissing')) return refused.missing;
    if (this.#locked) return refused.lockHeld;
    if (this.#fileIsCorrupt() || this.#findsNoPartitions() || this.#parts.faults.take('dispatcherFails')) return refused.failed;
    this.#status ??= this.#initial();
    const status = this.#status;
    if (!allowed[status.update_state].includes(command)) return refused.notAllowed;
    switch (command) {
      case 'refresh':
        this.#refresh(status);
        break;
      case 'prepare':
        if (status.chosen_update === null) return refused.nothingChosen;
        this.#prepare(status, status.chosen_update);
        break;
      case 'activate':
        if (status.staging_partition === null) return refused.nothingStaged;
        this.#switchBoot(status, command);
        break;
      case 'deactivate':
        if (status.staging_partition === null) return refused.nothingStaged;
        this.#switchBoot(status, command);
        break;
    }
    return done;
  }

  /** Lets commands that hang go on. */
  release(): void {
    const held = this.#held;
    this.#held = [];
    for (const finish of held) finish();
  }

  /** The lock and the status are on a tmpfs. */
  forget(): void {
    this.#status = undefined;
    this.#corrupt = false;
    this.#locked = false;
    this.#held = [];
  }

  #fileIsCorrupt(): boolean {
    this.#corrupt ||= this.#parts.faults.take('statusCorrupt');
    return this.#corrupt;
  }

  /** Old versions gave up on a single-bank image as soon as they looked at the disk. */
  #findsNoPartitions(): boolean {
    const { disk, faults } = this.#parts;
    return faults.remaining('singleBank') > 0 && compareVersions(disk.active.image?.version ?? '', '1.21.0') < 0;
  }

  #initial(): UpdateStatus {
    const { active, activeIsNext } = this.#parts.disk;
    return {
      update_state: 'Idle',
      available_updates: [],
      chosen_update: null,
      active_partition: active.image ? { image: { ...active.image }, next_to_boot: activeIsNext } : null,
      staging_partition: null,
      most_recent_command: null,
    };
  }

  #refresh(status: UpdateStatus): void {
    const list = this.#parts.updater.list();
    this.#run(
      status,
      'refresh',
      { delay: this.#parts.timings.refreshMs, hangs: this.#parts.faults.take('refreshHangs') },
      list,
      (listed) => {
        const searching = status.update_state === 'Idle' || status.update_state === 'Available';
        if (listed.exitStatus !== 0) {
          if (searching) status.update_state = 'Idle';
          return;
        }
        if (this.#parts.faults.take('refreshUnreadable')) return;
        status.available_updates = listed.releases.map(({ version }) => version);
        const versionLock = this.#parts.config.dispatcherLock;
        if (versionLock === undefined) return;
        const image = this.#parts.updater.choose(listed.releases, versionLock);
        status.chosen_update = image ?? null;
        if (searching) status.update_state = image ? 'Available' : 'Idle';
      },
    );
  }

  #prepare(status: UpdateStatus, chosen: Image): void {
    const write = this.#parts.updater.writeImage();
    this.#run(
      status,
      'prepare',
      { delay: this.#parts.timings.prepareMs, hangs: this.#parts.faults.take('prepareHangs') },
      write,
      (outcome) => {
        if (outcome.exitStatus !== 0) return;
        status.staging_partition = { image: { ...chosen }, next_to_boot: false };
        status.update_state = 'Staged';
      },
    );
  }

  #switchBoot(status: UpdateStatus, command: 'activate' | 'deactivate'): void {
    const activating = command === 'activate';
    const run = activating ? this.#parts.updater.markForBoot() : this.#parts.updater.unmarkForBoot();
    this.#run(status, command, { delay: this.#parts.timings.activateMs, hangs: false }, run, (outcome) => {
      if (outcome.exitStatus !== 0) return;
      if (status.staging_partition) status.staging_partition.next_to_boot = activating;
      if (status.active_partition) status.active_partition.next_to_boot = !activating;
      status.update_state = activating ? 'Ready' : 'Staged';
    });
  }

  #run<Result extends Outcome>(
    status: UpdateStatus,
    command: UpdateCommand,
    { delay, hangs }: { delay: Delay; hangs: boolean },
    run: Run<Result>,
    settle: (result: Result) => void,
  ): void {
    const { faults, timers, timestamp } = this.#parts;
    this.#locked = true;
    if (faults.take('dispatcherKilled')) {
      timers.after(delay, () => {
        this.#locked = false;
        timers.after(delay, run.finish);
      });
      return;
    }
    const killed = faults.take('commandKilled');
    const finish = () => {
      const result = killed ? undefined : run.finish();
      const outcome = result ?? { exitStatus: 9, stderr: run.said };
      status.most_recent_command = {
        cmd_type: command,
        cmd_status: outcome.exitStatus === 0 ? 'Success' : 'Failed',
        timestamp: timestamp(),
        exit_status: outcome.exitStatus,
        stderr: outcome.stderr,
      };
      if (result !== undefined) settle(result);
      else if (command === 'refresh' && status.update_state === 'Available') status.update_state = 'Idle';
      this.#locked = false;
    };
    timers.after(delay, () => {
      if (hangs) this.#held.push(finish);
      else finish();
    });
  }
}
