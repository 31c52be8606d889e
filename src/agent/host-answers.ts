import * as z from 'zod/mini';

/** An answer of another shape than the host's API has; the message says where. */
export class AnswerShapeError extends Error {
  override readonly name = 'AnswerShapeError';
}

function read<S extends z.ZodMiniType>(schema: S, raw: unknown): z.infer<S> {
  const result = schema.safeParse(raw);
  if (!result.success) throw new AnswerShapeError(z.prettifyError(result.error));
  return result.data;
}

/** A name or a version, no longer than what a NodeHost's status takes of it. */
const word = (longest: number) => z.string().check(z.regex(/^[!-~]+$/), z.maxLength(longest));
const mostVersions = 4_096;

const imageSchema = z.object({ version: word(64), variant: z.string(), arch: z.string() });
const partitionSchema = z.nullish(z.object({ image: imageSchema, next_to_boot: z.boolean() }));

const updateStatusSchema = z.object({
  update_state: z.enum(['Idle', 'Available', 'Staged', 'Ready']),
  // Counted before anything else: what is wrong in a million of them would take more memory than there is.
  available_updates: z.pipe(z.array(z.unknown()).check(z.maxLength(mostVersions)), z.array(z.string())),
  chosen_update: z.nullish(imageSchema),
  active_partition: partitionSchema,
  staging_partition: partitionSchema,
  most_recent_command: z.nullish(
    z.object({
      cmd_type: z.string(),
      cmd_status: z.enum(['Success', 'Failed', 'Unknown']),
      timestamp: word(64),
      exit_status: z.nullish(z.number()),
      stderr: z.nullish(z.string()),
    }),
  ),
});

/** What the update API last did, in its own words. */
export interface HostCommand {
  /** `refresh`, `prepare`, `activate`, `deactivate`. */
  readonly type: string;
  readonly succeeded: boolean;
  /** The host's time at the command's end, as it wrote it: names the command. */
  readonly timestamp: string;
  readonly exitStatus: number | undefined;
  readonly stderr: string;
}

/** `GET /updates/status`. */
export interface UpdateStatus {
  readonly state: 'Idle' | 'Available' | 'Staged' | 'Ready';
  /** Versions in the repository that are open to this host, newest first. */
  readonly available: readonly string[];
  /** The version that the last refresh chose. */
  readonly chosen: string | undefined;
  /** What was chosen when the other partition was written; no proof of what lies there. */
  readonly staging: { readonly version: string; readonly nextToBoot: boolean } | undefined;
  readonly command: HostCommand | undefined;
}

/** Parses `GET /updates/status`; throws an AnswerShapeError. */
export function parseUpdateStatus(raw: unknown): UpdateStatus {
  const status = read(updateStatusSchema, raw);
  const { staging_partition: staging, most_recent_command: command } = status;
  return {
    state: status.update_state,
    available: status.available_updates,
    chosen: status.chosen_update?.version,
    staging: staging ? { version: staging.image.version, nextToBoot: staging.next_to_boot } : undefined,
    command: command
      ? {
          type: command.cmd_type,
          succeeded: command.cmd_status === 'Success',
          timestamp: command.timestamp,
          exitStatus: command.exit_status ?? undefined,
          stderr: command.stderr ?? '',
        }
      : undefined,
  };
}

const osSchema = z.object({ version_id: word(64), variant_id: word(128), arch: word(32) });

/** What the host runs now. */
export interface HostOS {
  readonly version: string;
  readonly variant: string;
  readonly arch: string;
}

/** Parses `GET /os`; throws an AnswerShapeError. */
export function parseOS(raw: unknown): HostOS {
  const os = read(osSchema, raw);
  return { version: os.version_id, variant: os.variant_id, arch: os.arch };
}

const settingsSchema = z.object({
  updates: z.nullish(z.object({ 'version-lock': z.nullish(word(128)), 'ignore-waves': z.nullish(z.boolean()) })),
});

/** The update settings that choose a version; absent where the host has none. */
export interface UpdateSettings {
  readonly versionLock?: string | undefined;
  readonly ignoreWaves?: boolean | undefined;
}

/** Parses `GET /settings?prefix=updates` and `GET /tx`; throws an AnswerShapeError. */
export function parseUpdateSettings(raw: unknown): UpdateSettings {
  const updates = read(settingsSchema, raw).updates ?? {};
  const { 'version-lock': versionLock, 'ignore-waves': ignoreWaves } = updates;
  return { ...(versionLock == null ? {} : { versionLock }), ...(ignoreWaves == null ? {} : { ignoreWaves }) };
}

/** The body of `PATCH /settings`. */
export function updateSettingsBody({ versionLock, ignoreWaves }: UpdateSettings): object {
  return { updates: { 'version-lock': versionLock, 'ignore-waves': ignoreWaves } };
}

const kubernetesSchema = z.object({
  kubernetes: z.nullish(z.object({ 'api-server': z.nullish(z.string()), 'cluster-certificate': z.nullish(z.string()) })),
});

/** The API server that the host's own kubelet uses. */
export interface ApiServerSettings {
  readonly server: string;
  /** PEM, in base64. */
  readonly certificate: string;
}

/** Parses `GET /settings?prefix=kubernetes`; undefined where the host names none; throws an AnswerShapeError. */
export function parseApiServerSettings(raw: unknown): ApiServerSettings | undefined {
  const { 'api-server': server, 'cluster-certificate': certificate } = read(kubernetesSchema, raw).kubernetes ?? {};
  return server && certificate ? { server, certificate } : undefined;
}
