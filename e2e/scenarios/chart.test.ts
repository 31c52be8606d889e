import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { AGENT_ADMISSION_POLICY, COMPONENT_LABEL, MANAGED_LABEL, PART_OF } from '../../src/api/names.ts';
import { ApiError, type KubeObject } from '../bed/api.ts';
import { binaries } from '../bed/binaries.ts';
import { repository } from '../bed/config.ts';
import { type ControlPlane, startControlPlane } from '../bed/control-plane.ts';
import { eventually } from '../bed/eventually.ts';
import { chart, helm } from './helm.ts';
import { kubeconform, writeSchemas } from './kubeconform.ts';
import { monitoringKinds } from './monitoring-kinds.ts';

const namespace = 'lockkeeper';
const inNamespace = ['--namespace', namespace];

interface PodSpec {
  serviceAccountName: string;
  securityContext: object;
  tolerations?: object[];
  nodeSelector: Record<string, string>;
  containers: { image: string; command: string[]; args: string[]; securityContext: object }[];
}
type Manifest = KubeObject & { spec: { replicas?: number; template: { metadata: KubeObject['metadata']; spec: PodSpec } } };

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ name: 'chart' });
}, 120_000);

afterAll(async () => {
  await plane?.stop();
});

/** What the chart renders with these values, such as `logLevel=debug`. */
async function rendered(...values: string[]): Promise<Manifest[]> {
  const text = await helm(plane, ['template', 'lockkeeper', ...inNamespace, ...values.flatMap((value) => ['--set', value])]);
  return parseAllDocuments(text).flatMap((document) => (document.contents ? [document.toJS() as Manifest] : []));
}

function the(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

const everythingOn = {
  image: { repository: 'example.com/lockkeeper', digest: `sha256:${'1'.repeat(64)}`, pullPolicy: 'Always', pullSecrets: ['registry'] },
  commonLabels: { team: 'nodes' },
  logLevel: 'debug',
  controller: {
    replicas: 3,
    allowPodDeletion: true,
    nodeConditions: true,
    extraArgs: ['--retry-max=1h'],
    podLabels: { 'sidecar.istio.io/inject': 'false' },
    podAnnotations: { 'example.com/team': 'nodes' },
    nodeSelector: { pool: 'infra' },
    tolerations: [{ key: 'pool', operator: 'Exists', effect: 'NoSchedule' }],
  },
  agent: { extraArgs: ['--log-level=trace'], podLabels: { team: 'nodes' }, podAnnotations: { 'example.com/team': 'nodes' } },
  hooks: { namespaces: ['db'] },
  checks: {
    rules: [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] }],
    prometheusHosts: ['prometheus.monitoring:9090', 'prometheus.example.com'],
  },
  notifications: {
    webhooks: [
      { name: 'ops', format: 'slack', secretName: 'webhooks' },
      {
        name: 'pager',
        format: 'generic',
        types: ['RolloutHalted', 'NodeFailed'],
        secretName: 'webhooks',
        urlKey: 'pager',
        tokenKey: 'token',
        signatureKey: 'key',
        caKey: 'ca.crt',
      },
    ],
    clusterName: 'prod',
    windowNotice: '30m',
    proxy: { url: 'http://proxy:3128', noProxy: '.local' },
  },
  networkPolicy: {
    enabled: true,
    apiServerCIDRs: ['10.0.0.0/16', 'fd00::/8'],
    apiServerPorts: [443],
    webhookPorts: [443, 8443],
    metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
  },
  monitoring: {
    brupopMetrics: true,
    serviceMonitor: { enabled: true, interval: '1m', labels: { release: 'prometheus' } },
    rules: { enabled: true, labels: { release: 'prometheus' } },
    dashboard: { enabled: true, annotations: { grafana_folder: 'Nodes' } },
  },
  defaultPolicy: { spec: { approval: 'Automatic', hooks: [{ at: 'BeforeDrain', cronJob: { namespace: 'db', name: 'flush' } }] } },
};
const everythingOff = {
  image: { tag: 'v9' },
  crds: { upgrade: false },
  controller: { replicas: 0, priorityClassName: '', resources: {} },
  agent: { priorityClassName: '', resources: {} },
  networkPolicy: { enabled: true },
  monitoring: { dashboard: { enabled: true, labels: null } },
  uninstall: { release: false },
  defaultPolicy: { create: false },
};

type Crd = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };

async function valuesFile(values: object): Promise<string> {
  const file = join(plane.home.scratch, 'values.json');
  await writeFile(file, JSON.stringify(values));
  return file;
}

const isHook = ({ metadata }: Manifest): boolean => metadata.annotations?.['helm.sh/hook'] !== undefined;
const podOf = (manifest: Manifest) => manifest.spec.template.spec;

describe('the chart', () => {
  test('passes helm lint --strict', async () => {
    expect(await helm(plane, ['lint', '--strict'])).toContain('0 chart(s) failed');
  });

  test('is installed and upgraded; its objects are taken as they are written', async () => {
    const printed = await helm(plane, ['install', 'lockkeeper', ...inNamespace, '--create-namespace']);
    expect(printed).toContain('kubectl get updatepolicies,nodeupdates');
    expect(printed).toContain('kubectl annotate updatepolicy default --overwrite lockkeeper.dev/approved-version=');
    expect(printed).toContain('defaultPolicy.spec.approval=Automatic');
    const policy = await plane.client.get<KubeObject & { spec: { approval: string } }>(
      '/apis/lockkeeper.dev/v1alpha1/updatepolicies/default',
    );
    expect(policy.spec.approval).toBe('Manual');

    for (const manifest of await rendered()) {
      if (isHook(manifest)) continue;
      const [applied] = await plane.client.apply(manifest);
      expect(applied).toMatchObject(manifest);
    }
    // No pod runs here: upgrade.test.ts has the hook.
    const change = ['--set', 'defaultPolicy.spec.approval=Automatic', '--force-conflicts', '--no-hooks'];
    await helm(plane, ['upgrade', 'lockkeeper', ...inNamespace, ...change]);
    expect(await plane.client.get('/apis/lockkeeper.dev/v1alpha1/updatepolicies/default')).toMatchObject({
      spec: { approval: 'Automatic' },
    });
  }, 120_000);

  // Of every value, another one than the default at least once.
  test.each([
    ['the defaults', {}],
    ['everything that can be switched on', everythingOn],
    ['everything that can be switched off', everythingOff],
  ])(
    "is taken by the API server's own strict dry run, and conforms to its schemas: %s",
    async (_, values) => {
      for (const name of ['db', namespace]) await plane.client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      const kinds = (await readdir(join(chart, 'crds'))).map(
        async (file) => parse(await readFile(join(chart, 'crds', file), 'utf8')) as KubeObject,
      );
      const wanted = [...(await Promise.all(kinds)), ...(await monitoringKinds())];
      await plane.client.apply(...wanted);
      for (const { metadata } of wanted)
        await eventually(async () => {
          const { status } = await plane.client.get<Crd>(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`);
          return status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True');
        });
      const file = join(plane.home.scratch, 'rendered.yaml');
      await writeFile(file, await helm(plane, ['template', 'lockkeeper', ...inNamespace, '--values', await valuesFile(values)]));
      const { kubectl } = await binaries({ only: ['kubectl'] });
      const flags = ['--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '--kubeconfig', plane.kubeconfig];
      const { stdout, stderr } = await promisify(execFile)(kubectl, ['apply', '--filename', file, ...flags], {
        env: { HOME: join(plane.home.scratch, 'dry-run') },
      });
      const manifests = parseAllDocuments(await readFile(file, 'utf8')).filter(({ contents }) => contents !== null);
      expect([stdout.trim().split('\n').length, stderr]).toEqual([manifests.length, '']);

      const schemas = await writeSchemas(plane, join(plane.home.scratch, 'schemas'));
      const conforming = { valid: manifests.length, invalid: 0, errors: 0, skipped: 0 };
      expect(await kubeconform(schemas, file)).toEqual({ resources: [], summary: conforming });
    },
    60_000,
  );

  test('names the admission policy as the controller looks for it', async () => {
    const manifests = await rendered();
    the(manifests, 'ValidatingAdmissionPolicyBinding', AGENT_ADMISSION_POLICY);
    const { metadata, spec } = the(manifests, 'ValidatingAdmissionPolicy', AGENT_ADMISSION_POLICY);
    expect({ name: metadata.name, spec }).toMatchObject({ name: 'lockkeeper-agent', spec: { failurePolicy: 'Fail' } });
  });

  test('labels its pods, and selects nodes, by the names that the programs know', async () => {
    const manifests = await rendered();
    for (const [kind, component] of [
      ['Deployment', 'controller'],
      ['DaemonSet', 'agent'],
      ['Job', 'release'],
      ['Job', 'crds'],
      ['Job', 'verify'],
    ] as const) {
      const { metadata } = the(manifests, kind, `lockkeeper-${component}`).spec.template;
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/name': 'lockkeeper',
        [PART_OF.key]: PART_OF.value,
        [COMPONENT_LABEL]: component,
      });
    }
    expect(podOf(the(manifests, 'DaemonSet', 'lockkeeper-agent')).nodeSelector).toEqual({ [MANAGED_LABEL]: 'true' });
  });

  test('puts everything that has a namespace into the release', async () => {
    for (const { kind, metadata } of await rendered()) {
      const namespaced = ['ServiceAccount', 'Role', 'RoleBinding', 'Deployment', 'DaemonSet', 'Service', 'PodDisruptionBudget', 'Job'];
      expect({ kind, namespace: metadata.namespace }).toEqual({ kind, namespace: namespaced.includes(kind ?? '') ? namespace : undefined });
    }
  });
});

describe('its pods', () => {
  test.each([
    ['restricted', 'controller'],
    ['restricted', 'release'],
    ['restricted', 'crds'],
    ['restricted', 'verify'],
    ['privileged', 'agent'],
  ])('are allowed by the Pod Security level %s: the %s', async (level, component) => {
    expect(await violations(level, component)).toBe('');
  });

  test('the agent needs no more of the level baseline than its network, its socket and its SELinux type', async () => {
    expect(await violations('baseline', 'agent')).toBe(
      'host namespaces (hostNetwork=true), hostPath volumes (volume "api-socket"), seLinuxOptions (container "agent" set forbidden securityContext.seLinuxOptions: type "control_t"; user may not be set; role may not be set)',
    );
  });

  test('the agent runs without privileges: no root, no capability, no writing', async () => {
    const { containers, securityContext } = podOf(the(await rendered(), 'DaemonSet', 'lockkeeper-agent'));
    expect(securityContext).toMatchObject({ runAsNonRoot: true, supplementalGroups: [274], seccompProfile: { type: 'RuntimeDefault' } });
    expect(containers.map((container) => container.securityContext)).toEqual([
      {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seLinuxOptions: { user: 'system_u', role: 'system_r', type: 'control_t', level: 's0' },
      },
    ]);
  });

  /** What a Pod Security level has against a component's pod. */
  async function violations(level: string, component: string): Promise<string> {
    const name = `${level}-${component}`;
    const labels = { 'pod-security.kubernetes.io/enforce': level };
    await plane.client.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    await plane.client.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: `lockkeeper-${component}`, namespace: name } });
    const kind = { agent: 'DaemonSet', release: 'Job', crds: 'Job', verify: 'Job' }[component] ?? 'Deployment';
    const spec = podOf(the(await rendered(), kind, `lockkeeper-${component}`));
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod' }, spec };
    try {
      await plane.client.request('POST', `/api/v1/namespaces/${name}/pods`, { body: pod, query: { dryRun: 'All' } });
      return '';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return /violates PodSecurity "[^"]+": (.*)/.exec(error.message)?.[1] ?? error.message;
    }
  }
});

describe('its values', () => {
  test('each changes what it names', async () => {
    const manifests = await rendered(
      ...['image.repository=example.com/a', 'image.tag=v9', 'logLevel=debug', 'controller.replicas=1', 'controller.lease.duration=4s'],
      ...['controller.lease.renewInterval=1s', 'controller.lease.giveUpAfter=3s', 'controller.extraArgs={--a=b}', 'agent.extraArgs={--c}'],
    );
    const controller = the(manifests, 'Deployment', 'lockkeeper-controller');
    expect(controller.spec.replicas).toBe(1);
    expect(podOf(controller).containers[0]).toMatchObject({
      image: 'example.com/a:v9',
      command: ['node', '--max-semi-space-size=4', '--heap-growing-percent=40', '--no-node-snapshot', '/app/lockkeeper.js'],
      args: [
        'controller',
        '--lease-name=lockkeeper',
        '--lease-duration=4s',
        '--renew-interval=1s',
        '--give-up-after=3s',
        '--listen=:8080',
        '--log-level=debug',
        '--a=b',
      ],
    });
    expect(podOf(the(manifests, 'DaemonSet', 'lockkeeper-agent')).containers[0]).toMatchObject({
      image: 'example.com/a:v9',
      args: ['--socket=/run/api.sock', '--log-level=debug', '--c'],
    });
    expect(manifests.filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
    for (const { kind, metadata } of await rendered('commonLabels.team=nodes', 'networkPolicy.enabled=true'))
      expect({ kind, name: metadata.name, labels: metadata.labels }).toMatchObject({ labels: { team: 'nodes' } });
    const digest = `sha256:${'0'.repeat(64)}`;
    const pinned = the(await rendered(`image.digest=${digest}`), 'Deployment', 'lockkeeper-controller');
    expect(podOf(pinned).containers[0]?.image).toBe(`lockkeeper@${digest}`);
  });

  test('checks: what they may read is a ClusterRole of the controller, and where they may ask a flag', async () => {
    const rules = ['apiGroups={apps}', 'resources={deployments}', 'verbs={get}'].map((field) => `checks.rules[0].${field}`);
    const manifests = await rendered(...rules, 'checks.prometheusHosts={prometheus:9090,other}');
    expect(the(manifests, 'ClusterRole', 'lockkeeper-checks')).toMatchObject({
      rules: [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] }],
    });
    expect(the(manifests, 'ClusterRoleBinding', 'lockkeeper-checks')).toMatchObject({
      roleRef: { name: 'lockkeeper-checks' },
      subjects: [{ kind: 'ServiceAccount', name: 'lockkeeper-controller' }],
    });
    const [container] = podOf(the(manifests, 'Deployment', 'lockkeeper-controller')).containers;
    expect(container?.args).toContain('--prometheus-hosts=prometheus:9090,other');
    expect((await rendered()).filter(({ metadata }) => metadata.name === 'lockkeeper-checks')).toEqual([]);
    for (const refused of ['resources={secrets}', 'resources={*}', 'verbs={list}'])
      await expect(rendered(...rules, `checks.rules[0].${refused}`)).rejects.toThrow('checks');
  });

  test('notifications: what the Secrets hold is mounted under the names that the controller reads, and it is told who wants what', async () => {
    const webhooks = [
      'notifications.webhooks[0].name=ops',
      'notifications.webhooks[0].format=slack',
      'notifications.webhooks[0].secretName=s',
      'notifications.webhooks[0].types={NodeFailed,RolloutDone}',
      'notifications.webhooks[0].tokenKey=bearer',
      'notifications.webhooks[0].signatureKey=hmac',
      'notifications.webhooks[0].caKey=ca',
    ];
    const manifests = await rendered(...webhooks, 'notifications.proxy.url=http://proxy:3128', 'networkPolicy.enabled=true');
    const pod = podOf(the(manifests, 'Deployment', 'lockkeeper-controller'));
    const items = [
      { key: 'url', path: 'ops/url' },
      { key: 'bearer', path: 'ops/token' },
      { key: 'hmac', path: 'ops/signing-key' },
      { key: 'ca', path: 'ops/ca.crt' },
    ];
    expect(pod).toMatchObject({
      volumes: [{ name: 'webhooks', projected: { sources: [{ secret: { name: 's', optional: true, items } }] } }],
      containers: [
        {
          env: expect.arrayContaining([
            { name: 'LOCKKEEPER_WEBHOOKS', value: 'ops:slack:NodeFailed+RolloutDone' },
            { name: 'HTTPS_PROXY', value: 'http://proxy:3128' },
          ]),
          volumeMounts: [{ name: 'webhooks', mountPath: '/etc/lockkeeper/webhooks', readOnly: true }],
        },
      ],
    });
    expect(the(manifests, 'NetworkPolicy', 'lockkeeper-controller')).toMatchObject({
      spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ port: 443 }] }] },
    });
    const none = podOf(the(await rendered(), 'Deployment', 'lockkeeper-controller'));
    expect(none).not.toHaveProperty('volumes');
    expect(JSON.stringify(none)).not.toContain('WEBHOOKS');
    const twice = webhooks.slice(0, 3).map((value) => value.replace('[0]', '[1]'));
    await expect(rendered(...webhooks, ...twice)).rejects.toMatchObject({ stderr: expect.stringContaining('two are named ops') });
  });

  test('uninstall: everything that releases the nodes is a hook, which ends before Helm gives up; or there is none', async () => {
    const manifests = await rendered('uninstall.timeoutSeconds=100', 'controller.nodeSelector.pool=infra');
    const hooks = manifests.filter(({ metadata }) => metadata.name === 'lockkeeper-release');
    expect(hooks.map(({ kind }) => kind).sort()).toEqual(['ClusterRole', 'ClusterRoleBinding', 'Job', 'RoleBinding', 'ServiceAccount']);
    for (const { metadata } of hooks) expect(metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-delete' });
    const weight = (kind: string) => Number(the(manifests, kind, 'lockkeeper-release').metadata.annotations?.['helm.sh/hook-weight']);
    expect([weight('ServiceAccount') < weight('RoleBinding'), weight('RoleBinding') < weight('Job')]).toEqual([true, true]);
    const job = the(manifests, 'Job', 'lockkeeper-release');
    expect(job.spec).toMatchObject({ activeDeadlineSeconds: 130 });
    expect(podOf(job)).toMatchObject({
      nodeSelector: { pool: 'infra' },
      tolerations: [{ key: 'node.kubernetes.io/unschedulable' }, { key: 'lockkeeper.dev/outdated' }],
      containers: [{ args: ['release', '--all', '--lease-name=lockkeeper', '--timeout=100s'] }],
    });
    expect((await rendered('uninstall.release=false')).filter(isHook).map(({ metadata }) => metadata.name)).not.toContain(
      'lockkeeper-release',
    );
  });

  test('crds: what an upgrade applies them with is a hook before it; or there is none', async () => {
    const hooks = (await rendered()).filter(({ metadata }) => metadata.name === 'lockkeeper-crds');
    expect(hooks.map(({ kind }) => kind).sort()).toEqual(['ClusterRole', 'ClusterRoleBinding', 'Job', 'ServiceAccount']);
    for (const { metadata } of hooks) expect(metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-upgrade' });
    expect(podOf(the(hooks, 'Job', 'lockkeeper-crds')).containers[0]?.args).toEqual(['crds', 'apply', '--timeout=60s']);
    expect((await rendered('crds.upgrade=false')).filter(({ metadata }) => metadata.name === 'lockkeeper-crds')).toEqual([]);
  });

  test('people: a viewer reads, an operator patches policies and NodeUpdates besides; neither reads Secrets, and nobody is bound to them', async () => {
    type Role = Manifest & { rules: { resources: string[]; verbs: string[] }[] };
    const manifests = await rendered();
    const writes = (name: string) =>
      (the(manifests, 'ClusterRole', name) as Role).rules
        .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)))
        .flatMap(({ resources, verbs }) => resources.map((resource) => [resource, ...verbs]));
    expect(writes('lockkeeper-viewer')).toEqual([]);
    expect(writes('lockkeeper-plan')).toEqual([]);
    expect(writes('lockkeeper-operator')).toEqual([
      ['updatepolicies', 'patch'],
      ['nodeupdates', 'patch'],
    ]);
    const names = ['lockkeeper-viewer', 'lockkeeper-plan', 'lockkeeper-operator'];
    const roles = manifests.filter(({ kind, metadata }) => kind === 'ClusterRole' && names.includes(metadata.name)) as Role[];
    expect(roles.flatMap(({ rules }) => rules.flatMap(({ resources }) => resources))).not.toContainEqual(
      expect.stringMatching(/^secrets|^\*|\/(token|exec)$/),
    );
    const bound = manifests.flatMap((manifest) => ('roleRef' in manifest ? [(manifest['roleRef'] as { name: string }).name] : []));
    expect(bound).toContain('lockkeeper-controller');
    expect(names.filter((name) => bound.includes(name))).toEqual([]);
  });

  test('networkPolicy: the ports of what checks ask are open, and nothing else but API server and name service', async () => {
    type Policy = Manifest & { spec: { ingress?: object[]; egress?: { ports: { port: number }[]; to?: object[] }[] } };
    const off = await rendered();
    expect(off.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
    const manifests = await rendered('networkPolicy.enabled=true', 'checks.prometheusHosts={prometheus:9090,other,[::1]:9091}');
    const ports = (name: string) =>
      (the(manifests, 'NetworkPolicy', name) as Policy).spec.egress?.map((rule) => rule.ports.map(({ port }) => port));
    expect([ports('lockkeeper'), ports('lockkeeper-controller')]).toEqual([
      [
        [53, 53],
        [443, 6443],
      ],
      [[9090, 80, 443, 9091]],
    ]);
    expect((the(manifests, 'NetworkPolicy', 'lockkeeper') as Policy).spec.ingress).toBeUndefined();
    const plain = the(await rendered('networkPolicy.enabled=true'), 'NetworkPolicy', 'lockkeeper-controller') as Policy;
    expect(plain.spec).toMatchObject({ policyTypes: ['Ingress'], ingress: [{ ports: [{ port: 'metrics' }] }] });
  });

  test('monitoring: alerts and dashboard are those of the files, untouched by templates', async () => {
    const manifests = await rendered(...['serviceMonitor', 'rules', 'dashboard'].map((one) => `monitoring.${one}.enabled=true`));
    const [alerts, dashboard] = await Promise.all(
      ['alerts.yaml', 'dashboard.json'].map((file) => readFile(join(chart, 'files', file), 'utf8')),
    );
    expect(the(manifests, 'PrometheusRule', 'lockkeeper').spec).toEqual(parse(alerts ?? ''));
    const { data, metadata } = the(manifests, 'ConfigMap', 'lockkeeper-dashboard') as Manifest & { data: Record<string, string> };
    expect(JSON.parse(data['lockkeeper.json'] ?? '')).toEqual(JSON.parse(dashboard ?? ''));
    expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    const service = the(manifests, 'Service', 'lockkeeper-controller');
    const monitor = the(manifests, 'ServiceMonitor', 'lockkeeper-controller').spec as unknown as { selector: { matchLabels: object } };
    expect(service.metadata.labels).toMatchObject(monitor.selector.matchLabels);
  });

  test('without a default policy there is none', async () => {
    expect((await rendered('defaultPolicy.create=false')).filter(({ kind }) => kind === 'UpdatePolicy')).toEqual([]);
  });

  test.each([
    ['controler.replicas=1', 'controler'],
    ['controller.replica=1', 'replica'],
    ['controller.replicas=two', 'replicas'],
    ['controller.lease.duration=13', 'duration'],
    ['controller.extraArgs={lease}', 'extraArgs'],
    ['controller.tolerations[0].operator=Exists', 'tolerations'],
    ['controller.tolerations[0].key=node.kubernetes.io/unschedulable', 'tolerations'],
    ['controller.podLabels.app\\.kubernetes\\.io/name=other', 'controller/podLabels'],
    ['agent.podAnnotations.number=1', 'agent/podAnnotations/number'],
    ['image.digest=sha256:1', 'digest'],
    ['logLevel=loud', 'logLevel'],
    ['crds.upgrade=yes', 'crds/upgrade'],
    ['notifications.webhooks[0].name=ops', 'notifications/webhooks/0'],
    ['notifications.windowNotice=soon', 'notifications/windowNotice'],
    ['networkPolicy.webhookPorts={https}', 'networkPolicy/webhookPorts/0'],
    ['networkPolicy.apiServerCIDRs={10.0.0.1}', 'networkPolicy/apiServerCIDRs/0'],
    ['networkPolicy.metricsFrom[0].pods=a', 'networkPolicy/metricsFrom/0'],
    ['monitoring.rules.enable=true', 'monitoring/rules'],
    ['monitoring.serviceMonitor.interval=30', 'monitoring/serviceMonitor/interval'],
    ['uninstall.timeoutSeconds=0', 'timeoutSeconds'],
    ['defaultPolicy.enabled=true', 'enabled'],
  ])('%s is refused', async (value, named) => {
    await expect(rendered(value)).rejects.toMatchObject({ stderr: expect.stringContaining(named) });
  });
});

describe("the controller's rights", () => {
  const can = async (verb: string, group: string, resource: string, { subresource = '', name = '', where = '' } = {}) => {
    const spec = {
      user: `system:serviceaccount:${namespace}:lockkeeper-controller`,
      groups: ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      resourceAttributes: { verb, group, resource, subresource, name, namespace: where },
    };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
    const { status } = await plane.client.create<{ status: { allowed: boolean } }>(
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body,
    );
    return status.allowed;
  };

  test('are enough to cordon, to evict, to order and to lead', async () => {
    expect(await can('patch', '', 'nodes')).toBe(true);
    expect(await can('create', '', 'pods', { subresource: 'eviction', where: 'any' })).toBe(true);
    expect(await can('patch', 'lockkeeper.dev', 'nodehosts')).toBe(true);
    expect(await can('patch', 'coordination.k8s.io', 'leases', { name: 'lockkeeper', where: namespace })).toBe(true);
    expect(await can('get', 'admissionregistration.k8s.io', 'validatingadmissionpolicies', { name: AGENT_ADMISSION_POLICY })).toBe(true);
  });

  test.each<[verb: string, group: string, resource: string, more?: object]>([
    ['delete', '', 'pods', { where: 'any' }],
    ['create', '', 'pods', { where: namespace }],
    ['get', '', 'secrets', { where: namespace }],
    ['delete', '', 'nodes'],
    ['patch', '', 'nodes', { subresource: 'status' }],
    ['create', '', 'serviceaccounts', { subresource: 'token', name: 'lockkeeper-agent', where: namespace }],
    ['patch', 'lockkeeper.dev', 'nodehosts', { subresource: 'status' }],
    ['patch', 'lockkeeper.dev', 'updatepolicies'],
    ['patch', 'coordination.k8s.io', 'leases', { name: 'other', where: namespace }],
    ['patch', 'coordination.k8s.io', 'leases', { name: 'lockkeeper', where: 'kube-system' }],
    ['patch', 'admissionregistration.k8s.io', 'validatingadmissionpolicies', { name: AGENT_ADMISSION_POLICY }],
  ])('do not include to %s %s %s', async (...[verb, group, resource, more]) => {
    expect(await can(verb, group, resource, more)).toBe(false);
  });
});

test('helm uninstall leaves the CRDs, and with them what people and nodes wrote, and nothing else', async () => {
  // No pod runs here: uninstall.test.ts has the hook.
  await helm(plane, ['uninstall', 'lockkeeper', ...inNamespace, '--no-hooks']);
  for (const path of [
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ]) {
    expect((await plane.client.list(path)).filter(({ metadata }) => metadata.name.startsWith('lockkeeper'))).toEqual([]);
  }
  // The first read of a kind may be told to come again while its storage is being set up.
  expect(await eventually(() => plane.client.list('/apis/lockkeeper.dev/v1alpha1/nodeupdates'))).toEqual([]);
});

describe('lockkeeper crds apply, with the rights of the hook', () => {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const one = `${crds}/nodeupdates.lockkeeper.dev`;
  let kubeconfig: string;

  beforeAll(async () => {
    const hook = await rendered();
    for (const kind of ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding'])
      await plane.client.apply(the(hook, kind, 'lockkeeper-crds'));
    const { status } = await plane.client.create<{ status: { token: string } }>(
      `/api/v1/namespaces/${namespace}/serviceaccounts/lockkeeper-crds/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    );
    const cluster = { server: plane.client.access.server, 'certificate-authority': plane.caFile };
    kubeconfig = join(plane.home.scratch, 'hook.kubeconfig');
    const content = {
      clusters: [{ name: 'bed', cluster }],
      users: [{ name: 'hook', user: { token: status.token } }],
      contexts: [{ name: 'hook', context: { cluster: 'bed', user: 'hook' } }],
      'current-context': 'hook',
    };
    await writeFile(kubeconfig, JSON.stringify(content));
  });

  const apply = async () => {
    const args = [join(repository, 'dist/lockkeeper.js'), 'crds', 'apply', `--kubeconfig=${kubeconfig}`];
    return (await promisify(execFile)(process.execPath, args)).stdout;
  };

  test('creates what is not there, leaves what is as it must be, and is refused all other CRDs', async () => {
    await apply();
    await plane.client.delete(one);
    await eventually(async () => (await plane.client.find(one)) === undefined);
    expect((await apply()).trim().split('\n')).toEqual([
      'customresourcedefinition updatepolicies.lockkeeper.dev: unchanged',
      'customresourcedefinition nodeupdates.lockkeeper.dev: created',
      'customresourcedefinition nodehosts.lockkeeper.dev: unchanged',
    ]);
    const rights = { user: `system:serviceaccount:${namespace}:lockkeeper-crds` };
    for (const verb of ['get', 'list', 'patch', 'create', 'delete']) {
      const resourceAttributes = { verb, group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', name: 'other.example.com' };
      const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { ...rights, resourceAttributes } };
      const answer = await plane.client.create<{ status: { allowed: boolean } }>(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body,
      );
      expect({ verb, allowed: answer.status.allowed }).toEqual({ verb, allowed: false });
    }
  }, 60_000);

  test('refuses to take away a version in which objects may be stored', async () => {
    const crd = await plane.client.get<KubeObject & { spec: { versions: object[] } }>(one);
    const later = { ...crd.spec.versions[0], name: 'v1', storage: false };
    await plane.client.patch(one, { spec: { versions: [...crd.spec.versions, later] } });
    await plane.client.patch(`${one}/status`, { status: { storedVersions: ['v1alpha1', 'v1'] } });
    const mark = await plane.client.get<KubeObject>(one);
    await expect(apply()).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('objects may be stored in v1, which this version'),
    });
    expect((await plane.client.get<KubeObject>(one)).metadata.resourceVersion).toBe(mark.metadata.resourceVersion);
  }, 60_000);
});

describe('deploy/install.yaml', () => {
  test('holds the objects of the chart with its defaults, the kinds, and a namespace that agents are let into', async () => {
    const charts = (await rendered()).filter((manifest) => !isHook(manifest));
    for (const { metadata } of charts)
      for (const label of ['helm.sh/chart', 'app.kubernetes.io/managed-by']) delete metadata.labels?.[label];
    const kinds = (await readdir(join(chart, 'crds'))).map(
      async (file) => parse(await readFile(join(chart, 'crds', file), 'utf8')) as Manifest,
    );
    const objects = await install();
    const spaces = objects.filter(({ kind }) => kind === 'Namespace');
    expect(spaces.map(({ metadata }) => [metadata.name, metadata.labels?.['pod-security.kubernetes.io/enforce']])).toEqual([
      [namespace, 'privileged'],
    ]);
    const named = (all: readonly Manifest[]) => Object.fromEntries(all.map((one) => [`${one.kind} ${one.metadata.name}`, one]));
    expect(named(objects.filter(({ kind }) => kind !== 'Namespace'))).toEqual(named([...charts, ...(await Promise.all(kinds))]));
  });

  // As docs/install-without-helm.md says: an API server knows no policy before it knows the kind.
  test('is applied by kubectl in two steps, and can be applied again', async () => {
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    for (const { metadata } of await plane.client.list(crds)) {
      await plane.client.delete(`${crds}/${metadata.name}`);
      await eventually(async () => (await plane.client.find(`${crds}/${metadata.name}`)) === undefined);
    }
    const { kubectl: program } = await binaries({ only: ['kubectl'] });
    // What it remembers of the API lies there.
    const kubectl = (...args: string[]) =>
      promisify(execFile)(program, [...args, '--kubeconfig', plane.kubeconfig], { env: { HOME: join(plane.home.scratch, 'first-time') } });
    const apply = () => kubectl('apply', '--server-side', '--filename', join(repository, 'deploy/install.yaml'));
    await expect(apply()).rejects.toMatchObject({ stderr: expect.stringContaining('no matches for kind "UpdatePolicy"') });
    await kubectl('wait', '--for=condition=Established', 'crd', '--selector=app.kubernetes.io/part-of=lockkeeper', '--timeout=60s');
    await apply();
    expect(await plane.client.get('/apis/lockkeeper.dev/v1alpha1/updatepolicies/default')).toMatchObject({ spec: { approval: 'Manual' } });
    expect((await apply()).stdout.split('\n').filter((line) => line !== '' && !line.endsWith('serverside-applied'))).toEqual([]);
  }, 60_000);

  async function install(): Promise<Manifest[]> {
    const text = await readFile(join(repository, 'deploy/install.yaml'), 'utf8');
    return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  }
});
