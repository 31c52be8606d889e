import { z } from 'zod';

const version = z.object({ version: z.string(), variant: z.string(), arch: z.string() });
const delay = z.union([z.number(), z.tuple([z.number(), z.number()]).readonly()]).exactOptional();

/** How long the parts of the simulated host take, all or some; see `HostTimings`. */
export const timingsSchema = z.object({
  refreshMs: delay,
  prepareMs: delay,
  activateMs: delay,
  rebootCommandMs: delay,
  bootMs: delay,
  slowBootMs: delay,
  renderMs: delay,
  clientTimeoutMs: z.number().exactOptional(),
});

/** What a machine's process is told at its start, as JSON in the file that its argument names. */
export const machineSettingsSchema = z.object({
  name: z.string(),
  index: z.number(),
  /** The machine's own files; the process runs in it. */
  folder: z.string(),
  /** What the logs of its programs begin with. */
  logs: z.string(),
  /** The socket by which the bed controls it. */
  control: z.string(),
  /** The update repository, a file that the bed rewrites. */
  repository: z.string(),
  /** Its kubelet's cgroups, one folder a tree. */
  cgroups: z.array(z.string()),
  os: version,
  /** What the OS calls itself, where that is not what its version says. */
  osImage: z.optional(z.string()),
  /** Versions of the OS under which its pods have no network: what network plugins go by is not there. */
  noPodNetworkOn: z.array(z.string()),
  timings: timingsSchema,
  seed: z.optional(z.number()),
  kubernetesSettings: z.record(z.string(), z.unknown()),
  labels: z.record(z.string(), z.string()),
  programs: z.object({ kubelet: z.string(), kubeProxy: z.string() }),
});

export type MachineSettings = z.infer<typeof machineSettingsSchema>;

/** The update repository as it lies in its file. */
export const releasesSchema = z.array(
  version.extend({
    maxVersion: z.optional(z.string()),
    waves: z.optional(z.array(z.object({ bound: z.number(), at: z.coerce.date() }))),
    migrationsFrom: z.optional(z.array(z.string())),
  }),
);
