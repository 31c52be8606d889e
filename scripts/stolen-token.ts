/** One row of what a token reaches. */
export interface Reached {
  /** `pods/eviction`, `nodehosts.lockkeeper.dev`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** The one object that it is good for, where that is so. */
  readonly named?: string;
  /** What it is good for, or what else limits it. */
  readonly note: string;
}

const EVERY_ACCOUNT: readonly Reached[] = [
  { resource: 'selfsubjectaccessreviews.authorization.k8s.io', verbs: ['create'], note: 'asks what it may, as every account may ask' },
  { resource: 'selfsubjectreviews.authentication.k8s.io', verbs: ['create'], note: 'asks who it is, as every account may ask' },
  { resource: 'selfsubjectrulesreviews.authorization.k8s.io', verbs: ['create'], note: 'asks what it may, as every account may ask' },
];

const READ = ['get', 'list', 'watch'] as const;
const GUARD = 'the limit of the agents: orders are given only while it is there';

/**
 * All that a token of each part reaches with the chart's defaults: e2e/scenarios/agent-rights.test.ts tries everything else that the API
 * server serves, and asks it for its rules.
 */
export const STOLEN_TOKENS = {
  agent: [
    { resource: 'nodehosts.lockkeeper.dev', verbs: READ, note: 'versions, boot IDs and orders of all nodes' },
    {
      resource: 'nodehosts.lockkeeper.dev/status',
      verbs: ['patch'],
      note: "of its own node's alone, and only while that node has not registered anew: the admission policy refuses all others",
    },
    ...EVERY_ACCOUNT,
  ],
  controller: [
    { resource: 'daemonsets.apps', verbs: READ, note: 'specs of all, with what they hold in plain text' },
    { resource: 'events', verbs: ['create', 'patch'], note: 'tells anything of anybody' },
    { resource: 'events.events.k8s.io', verbs: ['create', 'patch'], note: 'the same by its other name' },
    { resource: 'leases.coordination.k8s.io', verbs: ['create'], note: "in the release's namespace" },
    {
      resource: 'leases.coordination.k8s.io',
      named: 'lockkeeper',
      verbs: [...READ, 'update', 'patch'],
      note: "in the release's namespace: takes the lead",
    },
    {
      resource: 'mutatingwebhookconfigurations.admissionregistration.k8s.io',
      verbs: ['list'],
      note: 'which webhooks there are, and where',
    },
    { resource: 'nodehosts.lockkeeper.dev', verbs: [...READ, 'create', 'patch', 'delete'], note: 'orders: a version to stage, a reboot' },
    { resource: 'nodes', verbs: [...READ, 'patch'], note: 'cordon, labels, annotations and taints of all' },
    {
      resource: 'nodeupdates.lockkeeper.dev',
      verbs: [...READ, 'create', 'patch', 'delete'],
      note: 'what the controller remembers of nodes',
    },
    { resource: 'nodeupdates.lockkeeper.dev/status', verbs: ['patch'], note: 'the same' },
    { resource: 'poddisruptionbudgets.policy', verbs: READ, note: 'how many pods each has to spare' },
    { resource: 'pods', verbs: READ, note: 'specs of all, with what they hold in plain text' },
    { resource: 'pods/eviction', verbs: ['create'], note: 'of all, as fast as their budgets let it' },
    ...EVERY_ACCOUNT,
    { resource: 'updatepolicies.lockkeeper.dev', verbs: READ, note: 'what people have written' },
    { resource: 'updatepolicies.lockkeeper.dev/status', verbs: ['patch'], note: 'claims, and what is remembered of rollouts' },
    { resource: 'validatingadmissionpolicies.admissionregistration.k8s.io', named: 'lockkeeper-agent', verbs: READ, note: GUARD },
    { resource: 'validatingadmissionpolicybindings.admissionregistration.k8s.io', named: 'lockkeeper-agent', verbs: READ, note: GUARD },
    {
      resource: 'validatingwebhookconfigurations.admissionregistration.k8s.io',
      verbs: ['list'],
      note: 'which webhooks there are, and where',
    },
  ],
} as const satisfies Readonly<Record<string, readonly Reached[]>>;

/** Paths that are no objects': Kubernetes opens them to every account. */
export const OPEN_PATHS = [
  '/.well-known/openid-configuration',
  '/api',
  '/apis',
  '/healthz',
  '/livez',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/readyz',
  '/version',
] as const;

const rows = (reached: readonly Reached[]): string =>
  reached
    .map(
      ({ resource, named, verbs, note }) =>
        `| \`${resource}\`${named === undefined ? '' : ` (\`${named}\`)`} | ${verbs.join(', ')} | ${note} |`,
    )
    .join('\n');

/** docs/stolen-token.md, but for its first line. */
export const stolenTokenGuide = (): string => `
# What a stolen token reaches

All of it. [agent-rights](../e2e/scenarios/agent-rights.test.ts) takes a token of each part, with the chart's defaults, and tries by real requests
everything that the API server serves: each group, version, resource and subresource of its discovery, by each verb that it has, cluster-wide, in the
release's namespace and in kube-system, and each path that is no object's; more than a thousand requests a token, of which all but these are answered
403. It also asks the API server for its own list (what \`kubectl auth can-i --list\` prints), and fails where one of the two says more or less than this page. What
somebody can make of it, and what else the chart's values allow: [security.md](security.md).

## Of an agent

| resource | verbs | what for |
|---|---|---|
${rows(STOLEN_TOKENS.agent)}

## Of the controller

A name in brackets: of that one object alone.

| resource | verbs | what for |
|---|---|---|
${rows(STOLEN_TOKENS.controller)}

Values that allow more, none of them set by default: \`controller.allowPodDeletion\` (delete pods), \`controller.nodeConditions\` (patch nodes/status),
\`hooks.namespaces\` (Jobs in these), \`checks.rules\` (read what they name).

## Of either

These paths, which Kubernetes opens to every account: ${OPEN_PATHS.map((path) => `\`${path}\``).join(', ')}.
`;
