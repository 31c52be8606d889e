import { type Document, parseAllDocuments } from 'yaml';
import * as z from 'zod/mini';
import { UPDATE_POLICY } from '../api/kinds.ts';
import { API_VERSION } from '../api/names.ts';
import type { UpdatePolicySpec } from '../api/update-policy.ts';
import { readSpec } from './policy-rules.ts';

/** An UpdatePolicy as a file has it, with the defaults that the API server would set. */
export interface PolicyFile {
  name: string;
  annotations: Readonly<Record<string, string>>;
  spec: UpdatePolicySpec;
}

/** A file holds no policy that the API server would take; the message names each field. */
export class PolicyFileError extends Error {
  readonly retryable = false;

  constructor(message: string) {
    super(message);
    this.name = 'PolicyFileError';
  }
}

const headSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(UPDATE_POLICY.kind),
  metadata: z.object({
    name: z.string().check(z.regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/)),
    annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
  }),
  spec: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
});
const listSchema = z.object({ kind: z.literal('List'), items: z.array(z.unknown()) });
const kindSchema = z.object({ kind: z.optional(z.string()), metadata: z.optional(z.object({ name: z.optional(z.string()) })) });

/** Reads the UpdatePolicies of a YAML or JSON text of one or more documents. Throws a PolicyFileError that names what is wrong where. */
export function readPolicies(text: string, source: string): PolicyFile[] {
  const documents = parseAllDocuments(text, { prettyErrors: true });
  const problems: string[] = [];
  const policies: PolicyFile[] = [];
  for (const [index, document] of [...documents].entries()) {
    const where = documents.length > 1 ? `${source}, document ${index + 1}` : source;
    const [broken] = document.errors;
    if (broken !== undefined) {
      problems.push(`${where}: ${broken.message.split('\n')[0]}`);
      continue;
    }
    const value = contentOf(document);
    if (value instanceof PolicyFileError) {
      problems.push(`${where}: ${value.message}`);
      continue;
    }
    if (value === null || value === undefined) continue;
    const list = z.safeParse(listSchema, value);
    for (const object of list.success ? list.data.items : [value]) {
      const read = readPolicy(object);
      if ('problems' in read)
        problems.push(...read.problems.map((problem) => `${where}${read.name === '' ? '' : ` (${read.name})`}: ${problem}`));
      else policies.push(read);
    }
  }
  const twice = policies.find(({ name }, index) => policies.some((other, at) => at < index && other.name === name));
  if (twice !== undefined) problems.push(`${source}: there are two UpdatePolicies named ${twice.name}`);
  if (problems.length > 0) throw new PolicyFileError(problems.join('\n'));
  if (policies.length === 0)
    throw new PolicyFileError(`${source}: holds no UpdatePolicy (apiVersion ${API_VERSION}, kind ${UPDATE_POLICY.kind})`);
  return policies;
}

/** What a document says; an error where its aliases lead nowhere, or to more than anybody would write. */
function contentOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return new PolicyFileError(error.message);
  }
}

function readPolicy(value: unknown): PolicyFile | { name: string; problems: string[] } {
  const named = z.safeParse(kindSchema, value);
  const name = (named.success ? named.data.metadata?.name : undefined) ?? '';
  const head = z.safeParse(headSchema, value);
  if (!head.success) {
    const problems = head.error.issues.map((issue) => {
      const field = issue.path.join('.') || 'the document';
      return `${field}: ${wanted[field] ?? issue.message}`;
    });
    return { name, problems };
  }
  const { metadata, spec } = head.data;
  const read = readSpec(spec ?? {});
  if ('problems' in read) return { name, problems: read.problems.map(({ field, message }) => `${field}: ${message}`) };
  return { name: metadata.name, annotations: metadata.annotations ?? {}, spec: read.spec };
}

const wanted: Readonly<Record<string, string>> = {
  apiVersion: `must be ${API_VERSION}`,
  kind: `must be ${UPDATE_POLICY.kind}: a plan takes nothing else`,
  metadata: 'must be there, with a name',
  'metadata.name': 'must be a name of lower-case letters, digits, - and .',
};
