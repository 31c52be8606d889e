import * as z from 'zod/mini';
import { labelSelectorSchema, SELECTOR_RULE } from './label-selector.ts';
import { field, namespaceSchema } from './primitives.ts';

const podsCheckSchema = field(
  z.object({
    namespace: field(namespaceSchema(), 'Their namespace.'),
    selector: z._default(
      field(labelSelectorSchema({ expressions: 4, values: 8 }), 'Labels of the pods; an empty selector means all of the namespace.', {
        rules: [SELECTOR_RULE],
      }),
      {},
    ),
    minReady: field(z.int().check(z.minimum(1), z.maximum(10_000)), 'How many of them must be Ready, and not on their way out.'),
  }),
  'Pods that must be Ready.',
);

const objectCheckSchema = field(
  z.object({
    apiVersion: field(
      z.string().check(z.regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[a-z][a-z0-9]*$/), z.maxLength(128)),
      'Its API version, such as apps/v1.',
    ),
    kind: field(z.string().check(z.regex(/^[A-Z][A-Za-z0-9]*$/), z.maxLength(63)), 'Its kind, such as Deployment.'),
    namespace: z.optional(field(namespaceSchema(), 'Its namespace; absent for a cluster-scoped kind.')),
    name: field(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9.:_-]*$/), z.maxLength(253)), 'Its name.'),
    condition: z.optional(
      field(
        z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9./_-]*(=[A-Za-z]+)?$/), z.maxLength(128)),
        'A condition that must be True, such as Available, or have another status, such as Degraded=False; read as kubectl wait --for=condition does.',
      ),
    ),
    jsonPath: z.optional(
      field(
        z.string().check(z.minLength(1), z.maxLength(256)),
        'Path to one value of the object, as kubectl wait --for=jsonpath reads it: fields, [index] and [?(@.field=="text")]; other JSONPath makes the policy not Ready.',
      ),
    ),
    value: z.optional(field(z.string().check(z.maxLength(256)), 'What jsonPath must lead to.')),
  }),
  "Any object's condition or value. The controller may read what the chart's value checks.rules allows.",
  {
    rules: [
      { rule: 'has(self.condition) != has(self.jsonPath)', message: 'name a condition, or a jsonPath with its value' },
      { rule: 'has(self.jsonPath) == has(self.value)', message: 'jsonPath and value go together' },
    ],
  },
);

const prometheusCheckSchema = field(
  z.object({
    url: field(
      z.string().check(z.regex(/^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/), z.maxLength(512)),
      "Where it serves its API, such as http://prometheus.monitoring:9090; its host must be one of the chart's checks.prometheusHosts.",
    ),
    query: field(
      z.string().check(z.minLength(1), z.maxLength(2048)),
      'An instant query that gives a result while all is well, such as a comparison; a scalar must not be 0.',
    ),
  }),
  'A Prometheus query.',
);

const checkSchema = field(
  z.object({ pods: z.optional(podsCheckSchema), object: z.optional(objectCheckSchema), prometheus: z.optional(prometheusCheckSchema) }),
  'One check.',
  {
    rules: [
      {
        rule: '(has(self.pods) ? 1 : 0) + (has(self.object) ? 1 : 0) + (has(self.prometheus) ? 1 : 0) == 1',
        message: 'name exactly one of pods, object and prometheus',
      },
    ],
  },
);
export type Check = z.infer<typeof checkSchema>;
export type PodsCheck = z.infer<typeof podsCheckSchema>;
export type ObjectCheck = z.infer<typeof objectCheckSchema>;
export type PrometheusCheck = z.infer<typeof prometheusCheckSchema>;

/** Checks of an UpdatePolicy. */
export const checkSpecsSchema = field(
  z.array(checkSchema).check(z.maxLength(8)),
  'What must hold whenever a node is begun, and for a group to finish its soak. One that fails or cannot be read holds; it takes nothing back.',
);
