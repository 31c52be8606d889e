import * as z from 'zod/mini';
import type { BundledPackage } from './packages.ts';

const bomSchema = z.looseObject({
  metadata: z.looseObject({ component: z.looseObject({ 'bom-ref': z.string() }) }),
  components: z.array(z.looseObject({ 'bom-ref': z.string(), name: z.string(), version: z.string() })),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.optional(z.array(z.string())) })),
});

/**
 * The CycloneDX that npm writes, of the packages that are bundled alone, and without what is another each time: the same packages give
 * the same bytes. Throws where npm does not know one of them.
 */
export function sbomOf(text: string, packages: readonly BundledPackage[]): string {
  const { serialNumber: _, ...bom } = z.parse(bomSchema, JSON.parse(text)) as z.infer<typeof bomSchema> & { serialNumber?: unknown };
  const wanted = new Set(packages.map(({ name, version }) => `${name}@${version}`));
  const components = bom.components
    .filter(({ name, version }) => wanted.has(`${name}@${version}`))
    // Where a package was fetched from is the builder's business.
    .map(({ externalReferences, ...one }) => ({
      ...one,
      ...(Array.isArray(externalReferences) && { externalReferences: externalReferences.filter((link) => !isDistribution(link)) }),
    }));
  const known = new Set(components.map(({ name, version }) => `${name}@${version}`));
  const missing = [...wanted].filter((one) => !known.has(one));
  if (missing.length > 0) throw new Error(`npm does not know ${missing.join(', ')}`);
  const refs = new Set([...components.map((one) => one['bom-ref']), bom.metadata.component['bom-ref']]);
  const { timestamp: _at, ...metadata } = bom.metadata as typeof bom.metadata & { timestamp?: unknown };
  return `${JSON.stringify(
    {
      ...bom,
      metadata: { ...metadata, component: { ...metadata.component, name: 'lockkeeper' } },
      components,
      dependencies: bom.dependencies
        .filter(({ ref }) => refs.has(ref))
        .map(({ dependsOn = [], ...one }) => ({ ...one, dependsOn: dependsOn.filter((ref) => refs.has(ref)) })),
    },
    undefined,
    2,
  )}\n`;
}

const isDistribution = (link: unknown): boolean =>
  typeof link === 'object' && link !== null && 'type' in link && link.type === 'distribution';
