import * as z from 'zod/mini';
import { crdName, type Kind, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from './kinds.ts';
import { GROUP, PART_OF, VERSION } from './names.ts';
import { nodeHostSpecSchema, nodeHostStatusSchema } from './node-host.ts';
import { nodeUpdateStatusSchema } from './node-update.ts';
import { type FieldMetadata, fields } from './primitives.ts';
import { updatePolicySpecSchema, updatePolicyStatusSchema } from './update-policy.ts';

/** One column of `kubectl get`; columns of priority 1 show only with `-o wide`. */
export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  priority?: 1;
}

/** A kind with all that its CRD is made of. A kind without `spec` has only a status. */
export interface KindDefinition {
  kind: Kind;
  description: string;
  spec?: { schema: z.ZodMiniType; description: string };
  status: { schema: z.ZodMiniType; description: string };
  columns: readonly PrinterColumn[];
}

/** An OpenAPI v3 schema in the structural form that the API server asks of a CRD. */
export interface StructuralSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  required?: readonly string[];
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: 'map';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-validations'?: readonly { rule: string; message: string; fieldPath?: string }[];
}

/** A schema says something that no CRD can say; only a change of the schema helps. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since its creation.' };
const text = (name: string, jsonPath: string, description: string): PrinterColumn => ({ name, type: 'string', jsonPath, description });
const condition = (type: string, field: 'status' | 'reason' | 'message') => `.status.conditions[?(@.type=="${type}")].${field}`;

/** The three kinds, as their CRDs show them. */
export const kindDefinitions: readonly KindDefinition[] = [
  {
    kind: UPDATE_POLICY,
    description: 'An UpdatePolicy says how a set of nodes is kept up to date.',
    spec: { schema: updatePolicySpecSchema, description: 'What is wanted. All of it has defaults, and the defaults are safe.' },
    status: { schema: updatePolicyStatusSchema, description: 'Where its nodes are. Written by the controller alone.' },
    columns: [
      text('Summary', '.status.summary', 'Where its nodes are, in one line.'),
      text('Ready', condition('Ready', 'status'), 'Whether the spec is valid and observed.'),
      text('Progressing', condition('Progressing', 'reason'), 'Whether a rollout is under way, or why it is not.'),
      text('Paused', condition('Paused', 'status'), 'Whether no new node is begun.'),
      text('Open', condition('WindowOpen', 'status'), 'Whether nodes may be begun as far as the schedule goes.'),
      age,
      { ...text('Message', condition('Progressing', 'message'), 'What it waits for, for people.'), priority: 1 },
    ],
  },
  {
    kind: NODE_UPDATE,
    description: 'A NodeUpdate shows one node and its way to its next version. It has no spec: annotations are its only input.',
    status: { schema: nodeUpdateStatusSchema, description: 'Where the node is, and why. Written by the controller alone.' },
    columns: [
      text('Policy', '.status.policy', 'The policy that has this node.'),
      text('Phase', '.status.phase', 'Where the node is in its life.'),
      text('From', '.status.from', 'The version that it runs.'),
      text('Target', '.status.target', 'The version that it is to run.'),
      text('Reason', '.status.reason', 'The one reason why it is where it is.'),
      { name: 'Since', type: 'date', jsonPath: '.status.since', description: 'Time in this phase.' },
      { name: 'Message', type: 'string', jsonPath: '.status.message', description: 'The reason, for people.', priority: 1 },
    ],
  },
  {
    kind: NODE_HOST,
    description: "A NodeHost is the letterbox between the controller and the node's agent.",
    spec: { schema: nodeHostSpecSchema, description: 'What the agent is to do. Written by the controller alone.' },
    status: { schema: nodeHostStatusSchema, description: "What the host is. Written by the node's own agent alone." },
    columns: [
      text('Version', '.status.version', 'The version that the host runs.'),
      text('Variant', '.status.variant', "The host's variant."),
      text('Staged', '.status.staged.version', 'The version that is proven to be staged.'),
      text('Order', '.spec.order.action', 'The order that lies in the letterbox.'),
      text('Answer', '.status.answer.state', "The agent's last answer."),
      age,
    ],
  },
];

/**
 * The CustomResourceDefinition of a kind, as the API server takes it.
 *
 * @throws SchemaError where a schema cannot be written as a structural one.
 */
export function customResourceDefinition({ kind, description, spec, status, columns }: KindDefinition) {
  const properties: Record<string, StructuralSchema> = {
    apiVersion: { type: 'string', description: 'The version of the API that this object is written in.' },
    kind: { type: 'string', description: 'The kind of this object.' },
    metadata: { type: 'object' },
  };
  if (spec) properties['spec'] = { description: spec.description, default: {}, ...structural(spec.schema) };
  properties['status'] = { description: status.description, ...structural(status.schema) };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: crdName(kind), labels: { [PART_OF.key]: PART_OF.value } },
    spec: {
      group: GROUP,
      scope: 'Cluster',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: kind.shortNames,
        categories: [PART_OF.value],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: { type: 'object', description, properties } },
        },
      ],
    },
  };
}

/** What zod gives for the schemas that we write; anything else is refused below. */
interface JSONSchema extends Partial<FieldMetadata> {
  properties?: Record<string, JSONSchema>;
  items?: JSONSchema;
  additionalProperties?: JSONSchema | boolean;
  anyOf?: readonly JSONSchema[];
  [keyword: string]: unknown;
}

/** A zod schema as a structural one, defaults and CEL rules included. */
export function structural(schema: z.ZodMiniType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', metadata: fields }) as JSONSchema, '');
}

const COPIED = ['type', 'description', 'default', 'enum', 'pattern', 'minLength', 'maxLength', 'maxItems', 'required'] as const;
const COPIED_WITHIN_BOUNDS = ['minimum', 'maximum'] as const;
const CONVERTED = ['properties', 'items', 'additionalProperties', 'anyOf', 'rules', 'listMapKeys', 'intOrString'] as const;
const KNOWN = new Set<string>([...COPIED, ...COPIED_WITHIN_BOUNDS, ...CONVERTED]);

function convert(schema: JSONSchema, path: string): StructuralSchema {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword));
  if (unknown.length > 0) throw new SchemaError(`${path || '.'}: a CRD cannot say ${unknown.join(', ')}`);
  const result: Record<string, unknown> = {};
  for (const keyword of COPIED) if (schema[keyword] !== undefined) result[keyword] = schema[keyword];
  for (const keyword of COPIED_WITHIN_BOUNDS) if (isBound(schema[keyword])) result[keyword] = schema[keyword];
  if (schema.anyOf) {
    if (!schema.intOrString) throw new SchemaError(`${path}: a CRD knows no union but that of an integer and a string`);
    result['x-kubernetes-int-or-string'] = true;
    // Each speaks of its own type alone, and costs nothing, as a CEL rule within lists would.
    for (const { pattern, minimum } of schema.anyOf)
      Object.assign(result, pattern !== undefined && { pattern }, isBound(minimum) && { minimum });
  }
  if (schema.properties) {
    result['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([name, value]) => [name, convert(value, `${path}.${name}`)]),
    );
  }
  if (schema.items) result['items'] = convert(schema.items, `${path}[]`);
  if (typeof schema.additionalProperties === 'object') result['additionalProperties'] = convert(schema.additionalProperties, `${path}{}`);
  if (schema.listMapKeys) {
    result['x-kubernetes-list-type'] = 'map';
    result['x-kubernetes-list-map-keys'] = schema.listMapKeys;
  }
  if (schema.rules) result['x-kubernetes-validations'] = schema.rules;
  return result;
}

/** Zod writes the largest safe integers where a schema has no bound of its own. */
function isBound(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) !== Number.MAX_SAFE_INTEGER;
}
