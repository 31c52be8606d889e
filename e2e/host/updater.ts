import type { Faults } from './faults.ts';
import { type Disk, notMarkedValid } from './partitions.ts';
import type { RenderedConfig, UpdaterConfig } from './rendered-config.ts';
import { brokenChain, chosen, type Image, maxSeed, offered, type Release, type Repository } from './repository.ts';

/** How a run of the updater ended. */
export interface Outcome {
  exitStatus: number;
  stderr: string;
}

/** A run of the updater that has begun: what it has said so far, and the rest of its work, to be done when its time is over. */
export interface Run<Result extends Outcome = Outcome> {
  said: string;
  finish: () => Result;
}

interface CompleteConfig {
  versionLock: string;
  ignoreWaves: boolean;
  seed: number;
}

const succeeded: Outcome = { exitStatus: 0, stderr: '' };
const failed = (stderr: string): Outcome => ({ exitStatus: 1, stderr: `${stderr}\n` });
const panicked: Outcome = { exitStatus: 101, stderr: "\nthread 'main' panicked at 'range start is greater than range end in BTreeMap'\n" };

/**
 * The program that does the work of the update actions. Each call begins a run, which reads the configuration at once.
 */
export class Updater {
  readonly #repository: Repository;
  readonly #disk: Disk;
  readonly #config: RenderedConfig;
  readonly #faults: Faults;
  readonly #now: () => Date;

  constructor(parts: { repository: Repository; disk: Disk; config: RenderedConfig; faults: Faults; now: () => Date }) {
    this.#repository = parts.repository;
    this.#disk = parts.disk;
    this.#config = parts.config;
    this.#faults = parts.faults;
    this.#now = parts.now;
  }

  /** Lists what is offered to this host. */
  list(): Run<Outcome & { releases: Release[] }> {
    const config = completeConfig(this.#config.updater);
    const finish = () => {
      if ('exitStatus' in config) return { ...config, releases: [] };
      if (this.#faults.take('refreshFails')) return { ...failed(unreachable('timestamp.json')), releases: [] };
      if (this.#seedPanics(config)) return { ...panicked, releases: [] };
      return { ...succeeded, releases: this.#offered(config) };
    };
    return { said: '', finish };
  }

  /** The release that the dispatcher's version lock picks among those listed. */
  choose(releases: readonly Release[], versionLock: string): Image | undefined {
    const release = chosen(this.#repository, releases, this.#running.version, versionLock);
    return release && imageOf(release);
  }

  /** Writes whatever the updater's own configuration picks, which need not be what the dispatcher chose. */
  writeImage(): Run {
    const config = completeConfig(this.#config.updater);
    if ('exitStatus' in config) return over(config);
    if (this.#seedPanics(config)) return over(panicked);
    const release = chosen(this.#repository, this.#offered(config), this.#running.version, config.versionLock);
    if (release === undefined) return over({ exitStatus: 0, stderr: 'No update required\n' });

    const said = `Starting update to ${release.version}\n`;
    const broken = this.#faults.take('noMigrations')
      ? { reached: this.#running.version, target: release.version }
      : brokenChain(this.#repository, this.#running.version, release);
    if (broken !== undefined) {
      return over(failed(`${said}Reached end of migration chain at ${broken.reached} but target is ${broken.target}`));
    }
    if (this.#faults.take('singleBank')) return over(failed(`${said}Could not find inactive partition set`));

    this.#disk.clearInactive();
    const fails = this.#faults.take('prepareFails');
    const finish = () => {
      if (fails) return failed(`${said}${unreachable(`bottlerocket-${release.variant}-${release.arch}-${release.version}-root.ext4.lz4`)}`);
      this.#disk.writeInactive(imageOf(release));
      return { exitStatus: 0, stderr: said };
    };
    return { said, finish };
  }

  markForBoot(): Run {
    return { said: '', finish: () => this.#markForBoot() };
  }

  unmarkForBoot(): Run {
    return { said: '', finish: () => this.#unmarkForBoot() };
  }

  #markForBoot(): Outcome {
    const refusal = this.#faults.take('activateFails') ? notMarkedValid : this.#disk.upgradeToInactive();
    return refusal === undefined ? succeeded : failed(refusal);
  }

  #unmarkForBoot(): Outcome {
    if (this.#faults.take('deactivateFails')) return failed('Failed to modify OS disk partition table: Input/output error (os error 5)');
    this.#disk.cancelUpgrade();
    return succeeded;
  }

  get #running(): Image {
    const { image } = this.#disk.active;
    if (image === undefined) throw new Error('the active partition set always holds an image');
    return image;
  }

  #offered({ ignoreWaves, seed }: CompleteConfig): Release[] {
    return offered(this.#repository, this.#running, { ignoreWaves, seed, now: this.#now() });
  }

  #seedPanics({ ignoreWaves, seed }: CompleteConfig): boolean {
    const { variant, arch } = this.#running;
    const looksAtWaves = this.#repository.releases.some(
      (release) => release.variant === variant && release.arch === arch && (release.waves ?? []).length > 0,
    );
    return seed > maxSeed && !ignoreWaves && looksAtWaves;
  }
}

const over = (outcome: Outcome): Run => ({ said: outcome.stderr, finish: () => outcome });

const imageOf = ({ arch, version, variant }: Release): Image => ({ arch, version, variant });

const unreachable = (file: string) =>
  `Metadata error: Failed to fetch https://updates.bottlerocket.aws/${file}: error trying to connect: Connection refused (os error 111)`;

function completeConfig({ versionLock, ignoreWaves, seed }: UpdaterConfig): CompleteConfig | Outcome {
  const missing = (name: string) => failed(`Failed to parse config file /etc/updog.toml: missing field \`${name}\``);
  if (seed === undefined) return missing('seed');
  if (versionLock === undefined) return missing('version_lock');
  if (ignoreWaves === undefined) return missing('ignore_waves');
  return { versionLock, ignoreWaves, seed };
}
