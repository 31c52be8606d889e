import * as z from 'zod/mini';
import type { KubernetesVersion } from '../core/world.ts';

// Some providers write `36+`.
const digits = /^([0-9]{1,3})[+]?$/;
const part = z.pipe(
  z.string().check(z.regex(digits)),
  z.transform((text) => Number.parseInt(text, 10)),
);
const versionSchema = z.object({ major: part, minor: part });

/** The control plane's Kubernetes, by its answer to `GET /version`; not `success` where that cannot be read. */
export const parseServerVersion = (answer: unknown): z.core.util.SafeParseResult<KubernetesVersion> => versionSchema.safeParse(answer);
