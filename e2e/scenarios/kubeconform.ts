import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binaries } from '../bed/binaries.ts';
import type { ControlPlane } from '../bed/control-plane.ts';

interface Schema {
  [key: string]: unknown;
  $ref?: string;
  type?: string;
  format?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
  'x-kubernetes-preserve-unknown-fields'?: boolean;
}

interface Findings {
  /** One of each manifest that does not conform or has no schema. */
  resources: { kind: string; name: string; status: string; msg: string }[];
  summary: { valid: number; invalid: number; errors: number; skipped: number };
}

/** The schemas that this API server publishes, of its own kinds and of the CRDs that it has, a file each as kubeconform wants them. */
export async function writeSchemas(plane: ControlPlane, folder: string): Promise<string> {
  const { definitions } = await plane.client.get<{ definitions: Record<string, Schema> }>('/openapi/v2');
  const strict = Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, strictly(schema)]));
  await mkdir(folder, { recursive: true });
  for (const [name, schema] of Object.entries(strict)) {
    const kinds = schema['x-kubernetes-group-version-kind'] ?? [];
    // Options of requests are every group's; nobody writes one into a manifest.
    if (kinds.length !== 1) continue;
    for (const { group, version, kind } of kinds) {
      const reached = Object.fromEntries([...reachable(name, strict)].map((each) => [each, strict[each]]));
      const text = JSON.stringify({ $ref: `#/definitions/${name}`, definitions: reached });
      // kubeconform takes the version of a kind without a group for its group.
      await writeFile(join(folder, `${group || version}_${version}_${kind.toLowerCase()}.json`), text);
    }
  }
  return join(folder, '{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json');
}

/** What kubeconform finds in a file of manifests. */
export async function kubeconform(schemas: string, file: string): Promise<Findings> {
  const { kubeconform: program } = await binaries({ only: ['kubeconform'] });
  const { stdout } = spawnSync(program, ['-strict', '-summary', '-output', 'json', '-schema-location', schemas, file], {
    encoding: 'utf8',
  });
  return JSON.parse(stdout) as Findings;
}

/** The same schema in the words of JSON Schema, and without room for fields that it does not name. */
function strictly(schema: Schema): Schema {
  if (schema.format === 'int-or-string') return { type: ['string', 'integer'] as unknown as string };
  const { properties, items, additionalProperties } = schema;
  const open = additionalProperties !== undefined || schema['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    ...schema,
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, strictly(each)])),
      additionalProperties: open ? (additionalProperties ?? true) : false,
    }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: strictly(additionalProperties) }),
    ...(items !== undefined && { items: strictly(items) }),
  };
}

function reachable(name: string, definitions: Record<string, Schema>): Set<string> {
  const found = new Set([name]);
  for (const each of found)
    for (const [, next = ''] of JSON.stringify(definitions[each] ?? {}).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) found.add(next);
  return found;
}
