import { createHash } from 'node:crypto';
import type { Image, Repository } from './repository.ts';
import type { SettingsTree } from './settings-store.ts';
import type { HostTimings } from './timers.ts';

export interface HostOptions {
  socketPath: string;
  os: { version: string; variant: string; arch: string };
  /** Shared and mutable: a release added to it is seen at the next refresh. */
  repository: Repository;
  /** 0–2047 on a real host; drawn at random where absent. */
  seed?: number;
  timings?: Partial<HostTimings>;
  /** What `GET /settings?prefix=kubernetes` shows. */
  kubernetesSettings?: Record<string, unknown>;
  /** Replaces every setting that the host starts with, `updates` and `kubernetes` too; `{}` is an empty datastore. */
  initialSettings?: SettingsTree;
  random?: () => number;
  now?: () => Date;
  /** A file kept equal to the boot ID, as /proc/sys/kernel/random/boot_id is. */
  bootIDFile?: string;
}

/** What the host runs now. */
export interface RunningOS {
  version: string;
  variant: string;
  arch: string;
  buildID: string;
  prettyName: string;
}

/** The settings that a host starts with. */
export function initialSettings(options: HostOptions, random: () => number): SettingsTree {
  if (options.initialSettings !== undefined) return options.initialSettings;
  return {
    motd: 'Welcome to Bottlerocket!',
    updates: {
      'ignore-waves': false,
      'metadata-base-url': `https://updates.bottlerocket.aws/2020-07-07/${options.os.variant}/${options.os.arch}/`,
      seed: options.seed ?? Math.floor(random() * 2_048),
      'targets-base-url': 'https://updates.bottlerocket.aws/targets/',
      'version-lock': 'latest',
    },
    kubernetes: options.kubernetesSettings ?? {
      'api-server': 'https://127.0.0.1:6443',
      'cluster-certificate': Buffer.from('-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n').toString('base64'),
      'cluster-dns-ip': '10.96.0.10',
      'cluster-name': 'simulated',
    },
  };
}

/** `GET /os`, as it goes over the wire. */
export function osInfo({ arch, buildID, prettyName, variant, version }: RunningOS) {
  return { arch, build_id: buildID, pretty_name: prettyName, variant_id: variant, version_id: version };
}

/** Names an image as the OS names itself. */
export function runningOS({ version, variant, arch }: Image): RunningOS {
  const buildID = createHash('sha256').update(version).digest('hex').slice(0, 8);
  return { version, variant, arch, buildID, prettyName: `Bottlerocket OS ${version} (${variant})` };
}
