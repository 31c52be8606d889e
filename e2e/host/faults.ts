/** Every way in which a host fails on demand. Each use takes one off the count that was armed. */
export const faultDescriptions = {
  refreshFails: 'refresh ends Failed: the repository could not be downloaded',
  refreshUnreadable: "refresh ends Success and changes nothing: the updater's output could not be read",
  refreshHangs: 'refresh holds the lock until release()',
  prepareFails: 'prepare ends Failed in the middle of the image; the inactive partitions are cleared',
  prepareHangs: 'prepare holds the lock until release()',
  noMigrations: 'prepare ends Failed: no migration chain; the inactive partitions are left alone',
  singleBank: 'prepare ends Failed: the image has one partition set only',
  activateFails: 'activate answers 204 and ends Failed: not marked valid',
  deactivateFails: 'deactivate answers 204 and ends Failed',
  commandKilled: 'the next command ends Failed with exit status 9: killed by a signal',
  dispatcherKilled: 'the next command dies: the lock opens, the status stays as it was, its updater goes on writing',
  dispatcherFails: '500 Update dispatcher failed',
  dispatcherMissing: '500 Unable to start the update dispatcher',
  statusCorrupt: 'the status file is corrupt: 500 for every update call until a reboot',
  configApplierFails: 'commit_and_apply answers 500 after the commit; nothing is rendered',
  renderFails: 'the rendering after a commit fails silently',
  rebootFails: '500 Failed to reboot; the host stays up',
  rebootFailsButReboots: '500 Failed to reboot; the host reboots all the same',
  rebootDropsConnection: 'the host reboots without an answer',
  rebootIgnored: '204, and no reboot follows',
  shutdownMissing: '500 Unable to start shutdown; the host stays up',
  rebootHangs: 'the reboot command hangs, and with it the only worker thread, until release()',
  bootFails: 'the new image does not boot: the host comes back with the old version',
  neverReturns: 'the host goes down and stays down until release() or powerOn()',
  slowBoot: 'the boot takes timings.slowBootMs',
  secondReboot: 'after the boot the host reboots once more by itself',
  garbage: 'the next answer is 200 with an HTML page',
  wrongShape: 'the next answer is 200 with JSON of an unknown shape',
  hugeAnswer: 'the next answer is 200 with 16 MiB of blanks',
  cutOff: 'the next answer ends in the middle of its body',
} as const;

export type FaultName = keyof typeof faultDescriptions;

export const faultNames = Object.keys(faultDescriptions) as FaultName[];

/** The faults armed on one host. */
export class Faults {
  readonly #armed = new Map<FaultName, number>();

  /** Lets the fault happen the next `times` times (Infinity: until disarmed). Replaces an earlier count. */
  arm(name: FaultName, times = 1): void {
    if (times > 0) this.#armed.set(name, times);
    else this.#armed.delete(name);
  }

  /** Without a name: all of them. */
  disarm(name?: FaultName): void {
    if (name === undefined) this.#armed.clear();
    else this.#armed.delete(name);
  }

  /** How often the fault will still happen. */
  remaining(name: FaultName): number {
    return this.#armed.get(name) ?? 0;
  }

  /** True where the fault is to happen now; uses up one of its count. */
  take(name: FaultName): boolean {
    const left = this.remaining(name);
    if (left === 0) return false;
    this.arm(name, left - 1);
    return true;
  }
}
