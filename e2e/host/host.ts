import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { type Answer, done } from './answer.ts';
import { ApiServer, type RequestRecord } from './api-server.ts';
import { Faults } from './faults.ts';
import { type HostOptions, initialSettings, osInfo, type RunningOS, runningOS } from './host-options.ts';
import { Disk, type PartitionSet } from './partitions.ts';
import { RenderedConfig } from './rendered-config.ts';
import { routes } from './routes.ts';
import { SettingsStore, type SettingsTree } from './settings-store.ts';
import { defaultTimings, type HostTimings, Timers } from './timers.ts';
import { timestamps } from './timestamps.ts';
import { UpdateDispatcher, type UpdateStatus } from './update-dispatcher.ts';
import { Updater } from './updater.ts';

export type { RequestRecord } from './api-server.ts';
export type { HostOptions, RunningOS } from './host-options.ts';
export type { Release, Repository } from './repository.ts';
export type { HostTimings } from './timers.ts';
export type { UpdateStatus } from './update-dispatcher.ts';

interface HostEvents {
  /** The host is down: its socket is gone. */
  rebooting: [];
  /** The host is up again, and its socket answers. */
  booted: [{ bootID: string; version: string }];
  /** A request was answered; without a status where the connection was just ended. */
  request: [RequestRecord & { status: number | undefined }];
}

const requestsKept = 1_000;

/** A Bottlerocket host as its API shows it: see README.md for what it imitates. */
export class SimulatedHost extends EventEmitter<HostEvents> {
  /** May be changed at any time; each use reads it anew. */
  readonly timings: HostTimings;
  readonly faults = new Faults();
  /** What was asked, oldest first; the last 1,000. */
  readonly requests: RequestRecord[] = [];
  readonly #bootIDFile: string | undefined;
  readonly #disk: Disk;
  readonly #settings: SettingsStore;
  readonly #config: RenderedConfig;
  readonly #dispatcher: UpdateDispatcher;
  readonly #api: ApiServer;
  /** End with the power. */
  readonly #timers: Timers;
  readonly #bootTimers: Timers;
  #bootID: string = randomUUID();
  #rebootCount = 0;
  #power: 'off' | 'booting' | 'on' = 'off';
  #held: (() => void) | undefined;
  #closed = Promise.resolve();
  #settled = Promise.withResolvers<void>();

  constructor(options: HostOptions) {
    super();
    const random = options.random ?? Math.random;
    this.timings = { ...defaultTimings, ...options.timings };
    this.#bootIDFile = options.bootIDFile;
    this.#timers = new Timers(random);
    this.#bootTimers = new Timers(random);
    const { version, variant, arch } = options.os;
    this.#disk = new Disk({ arch, version, variant });
    this.#settings = new SettingsStore(initialSettings(options, random));
    this.#config = new RenderedConfig(this.#settings, random);
    const now = options.now ?? (() => new Date());
    const { faults, timings } = this;
    const updater = new Updater({ repository: options.repository, disk: this.#disk, config: this.#config, faults, now });
    this.#dispatcher = new UpdateDispatcher({
      updater,
      disk: this.#disk,
      config: this.#config,
      faults,
      timers: this.#timers,
      timings,
      timestamp: timestamps(now, random),
    });
    this.#api = new ApiServer({
      socketPath: options.socketPath,
      clientTimeoutMs: timings.clientTimeoutMs,
      faults,
      answer: routes({
        dispatcher: this.#dispatcher,
        settings: this.#settings,
        osInfo: () => osInfo(this.os),
        reboot: () => this.#rebootAsked(),
        applyConfig: () => this.#applyConfig(),
        random,
      }),
      now,
      onRequest: (record) => this.#remember(record),
      onAnswer: (record, status) => this.emit('request', { ...record, status }),
    });
  }

  get bootID(): string {
    return this.#bootID;
  }

  get os(): RunningOS {
    const { image } = this.#disk.active;
    if (image === undefined) throw new Error('the active partition set always holds an image');
    return runningOS(image);
  }

  /** How often the host has booted since start(). */
  get rebootCount(): number {
    return this.#rebootCount;
  }

  /** Whether the socket answers. */
  get running(): boolean {
    return this.#power === 'on';
  }

  /** The live settings. */
  get settings(): SettingsTree & { updates?: SettingsTree; kubernetes?: SettingsTree } {
    return this.#settings.live() ?? {};
  }

  /** The update status, also while the lock hides it; undefined after a boot. */
  get updateStatus(): Readonly<UpdateStatus> | undefined {
    return this.#dispatcher.peek;
  }

  /** What really lies on the disk. */
  get partitions(): { active: Readonly<PartitionSet>; inactive: Readonly<PartitionSet> } {
    return { active: this.#disk.active, inactive: this.#disk.inactive };
  }

  async start(): Promise<void> {
    if (this.#power !== 'off') return;
    this.#power = 'booting';
    this.#settled.resolve();
    await this.#listen();
  }

  /** Ends the host for good: no event, no socket, no timer left. */
  async stop(): Promise<void> {
    this.#goDown();
    this.#settled.resolve();
    await this.#closed;
  }

  /** Somebody else's hand reboots the host. Resolves once it is back, or is down to stay. */
  async reboot(): Promise<void> {
    this.#restart();
    return this.#settled.promise;
  }

  /** Cuts the power: everything under way is lost. */
  async powerOff(): Promise<void> {
    if (this.#power === 'off') return;
    const wasOn = this.running;
    this.#goDown();
    this.#settled.resolve();
    if (wasOn) this.emit('rebooting');
    await this.#closed;
  }

  /** Boots a host that is down. Resolves once it is back. */
  async powerOn(): Promise<void> {
    if (this.#power === 'off') {
      this.#settled = Promise.withResolvers();
      this.#boot();
    }
    return this.#settled.promise;
  }

  /** Ends what the faults hold: a hanging action or reboot command, and a host that never returns. */
  async release(): Promise<void> {
    this.#dispatcher.release();
    const held = this.#held;
    this.#held = undefined;
    held?.();
    if (this.#power === 'off') await this.powerOn();
  }

  /** The API server dies and its socket's inode stays: the path is there and refuses connections, until reviveSocket() or a boot. */
  async killSocket(): Promise<void> {
    await this.#api.die();
  }

  /** The API server ends properly: the path is gone, until reviveSocket() or a boot. */
  async removeSocket(): Promise<void> {
    await this.#api.close();
  }

  async reviveSocket(): Promise<void> {
    if (!this.running) return;
    await this.#api.close();
    await this.#api.listen();
  }

  #remember(record: RequestRecord): void {
    this.requests.push(record);
    if (this.requests.length > requestsKept) this.requests.shift();
  }

  #applyConfig(): string | undefined {
    if (this.faults.take('configApplierFails')) return 'Unable to start config applier: No such file or directory (os error 2) ';
    if (!this.faults.take('renderFails')) this.#config.renderAfter(this.timings.renderMs, this.#timers);
    return undefined;
  }

  async #rebootAsked(): Promise<Answer> {
    if (this.faults.take('shutdownMissing'))
      return { status: 500, text: 'Unable to start shutdown: No such file or directory (os error 2)' };
    const command = Promise.withResolvers<void>();
    if (this.faults.take('rebootHangs')) this.#held = command.resolve;
    else this.#timers.after(this.timings.rebootCommandMs, command.resolve);
    await this.#api.occupy(command.promise);
    const afterwards = () => this.#restart();
    const failed = {
      status: 500,
      text: 'Failed to reboot, exit code: 1, stderr: Failed to set wall message, ignoring: Connection timed out\n',
    };
    if (this.faults.take('rebootFails')) return failed;
    if (this.faults.take('rebootFailsButReboots')) return { ...failed, afterwards };
    if (this.faults.take('rebootIgnored')) return done;
    if (this.faults.take('rebootDropsConnection')) return { ...done, dropped: true, afterwards };
    return { ...done, afterwards };
  }

  #restart(): void {
    if (!this.running) return;
    this.#goDown();
    this.#settled = Promise.withResolvers();
    this.emit('rebooting');
    if (this.faults.take('neverReturns')) this.#settled.resolve();
    else this.#boot();
  }

  #goDown(): void {
    this.#power = 'off';
    this.#timers.clear();
    this.#bootTimers.clear();
    this.#held = undefined;
    this.#dispatcher.forget();
    this.#closed = this.#api.close();
  }

  #boot(): void {
    if (this.#power !== 'off') return;
    this.#power = 'booting';
    const settled = this.#settled;
    const duration = this.faults.take('slowBoot') ? this.timings.slowBootMs : this.timings.bootMs;
    this.#bootTimers.after(duration, () => {
      this.#disk.boot(() => this.faults.take('bootFails'));
      this.#bootID = randomUUID();
      this.#rebootCount += 1;
      this.#settings.dropTransactions();
      this.#config.renderAll();
      this.#listen().then(() => this.#bootedUp(settled), settled.reject);
    });
  }

  #bootedUp(settled: PromiseWithResolvers<void>): void {
    if (!this.running) return;
    settled.resolve();
    this.emit('booted', { bootID: this.#bootID, version: this.os.version });
    if (this.faults.take('secondReboot')) this.#restart();
  }

  async #listen(): Promise<void> {
    if (this.#bootIDFile !== undefined) {
      const written = `${this.#bootIDFile}.new`;
      writeFileSync(written, `${this.#bootID}\n`);
      renameSync(written, this.#bootIDFile);
    }
    await this.#api.listen();
    if (this.#power === 'booting') this.#power = 'on';
    else await this.#api.close();
  }
}
