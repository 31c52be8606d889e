import * as z from 'zod/mini';
import { kindPath, NODE_HOST, NODE_UPDATE, UPDATE_POLICY } from '../api/kinds.ts';
import { AGENT_ADMISSION_POLICY } from '../api/names.ts';
import { KubeClient } from '../kube/client.ts';
import { type Clock, delay, systemClock } from '../kube/clock.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { programCredentials } from '../kube/program-credentials.ts';
import { VERSION } from '../version.ts';
import type { VerifyConfig } from './verify-install-config.ts';

const LOOK_AGAIN_MS = 1_000;

/** One thing that must hold; a problem says what is wrong and what to do. */
interface Finding {
  what: string;
  problem?: string;
}

/** Looks at an installation until all is well or the time is over; `print` gets a line for each thing. Resolves with whether all is well. */
export async function runVerify(config: VerifyConfig, print: (line: string) => void, signal: AbortSignal): Promise<boolean> {
  const clock = systemClock;
  const credentials = await programCredentials(config, clock);
  const client = new KubeClient({ credentials, userAgent: `lockkeeper-verify/${VERSION}`, clock });
  try {
    return await verify({
      client,
      clock,
      namespace: config.namespace,
      leaseName: config.leaseName,
      timeoutMs: config.timeoutMs,
      print,
      signal,
    });
  } finally {
    client.close();
  }
}

interface Deps {
  client: Pick<KubeClient, 'get' | 'clockOffsetMs'>;
  clock: Clock;
  namespace: string;
  leaseName: string;
  timeoutMs: number;
  print: (line: string) => void;
  signal: AbortSignal;
}

export async function verify(deps: Deps): Promise<boolean> {
  const { clock, timeoutMs, print, signal } = deps;
  const until = clock.monotonic() + timeoutMs;
  for (;;) {
    const findings = await look(deps);
    const well = findings.every(({ problem }) => problem === undefined);
    if (well || clock.monotonic() + LOOK_AGAIN_MS >= until) {
      for (const { what, problem } of findings) print(problem === undefined ? `ok    ${what}` : `FAIL  ${what}: ${problem}`);
      return well;
    }
    await delay(clock, LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

const leaseSchema = z.object({
  spec: z.optional(
    z.object({
      holderIdentity: z.optional(z.string()),
      leaseDurationSeconds: z.optional(z.number()),
      renewTime: z.optional(z.nullable(z.string())),
    }),
  ),
});
const deploymentSchema = z.object({
  spec: z.object({ replicas: z.optional(z.number()) }),
  status: z.optional(z.object({ availableReplicas: z.optional(z.number()) })),
});
const daemonSetSchema = z.object({
  status: z.optional(z.object({ desiredNumberScheduled: z.optional(z.number()), numberReady: z.optional(z.number()) })),
});

async function look({ client, clock, namespace, leaseName, signal }: Deps): Promise<Finding[]> {
  const get = (path: string, query = {}) => client.get(path, { query, signal });
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const apps = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}`;
  const findings: Finding[] = [];
  for (const kind of [UPDATE_POLICY, NODE_UPDATE, NODE_HOST])
    findings.push(await finding(`kind ${kind.kind}`, 'apply the CRDs: lockkeeper crds apply', () => get(kindPath(kind), { limit: 1 })));
  for (const resource of ['validatingadmissionpolicies', 'validatingadmissionpolicybindings']) {
    const todo = 'no agent is given an order without it: install the chart again';
    findings.push(
      await finding(`${resource}/${AGENT_ADMISSION_POLICY}`, todo, () => get(`${admission}/${resource}/${AGENT_ADMISSION_POLICY}`)),
    );
  }
  findings.push(
    await finding('Deployment lockkeeper-controller', 'install the chart again', async () => {
      const { spec, status } = z.parse(deploymentSchema, await get(`${apps}/deployments/lockkeeper-controller`));
      const [wanted, available] = [spec.replicas ?? 1, status?.availableReplicas ?? 0];
      return available >= wanted
        ? undefined
        : `${available} of ${wanted} replicas are available: kubectl describe pods --namespace ${namespace}`;
    }),
    await finding(
      `Lease ${namespace}/${leaseName}`,
      'no controller has ever led: kubectl logs deployment/lockkeeper-controller',
      async () => {
        const { spec } = z.parse(
          leaseSchema,
          await get(`/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases/${leaseName}`),
        );
        const age = clock.now() + client.clockOffsetMs - Date.parse(spec?.renewTime ?? '');
        const lives = (spec?.holderIdentity ?? '') !== '' && age <= (spec?.leaseDurationSeconds ?? 0) * 1000;
        return lives ? undefined : 'no controller leads: kubectl logs deployment/lockkeeper-controller';
      },
    ),
    await finding('DaemonSet lockkeeper-agent', 'install the chart again', async () => {
      const { status } = z.parse(daemonSetSchema, await get(`${apps}/daemonsets/lockkeeper-agent`));
      const [wanted, ready] = [status?.desiredNumberScheduled ?? 0, status?.numberReady ?? 0];
      return ready >= wanted
        ? undefined
        : `${ready} of ${wanted} agents are ready: kubectl get events --namespace ${namespace} (Pod Security may refuse them: the README names the namespace's label)`;
    }),
  );
  return findings;
}

/** `read` resolves with a problem, or with anything that is no text; `missing` says what to do where the object is not there. */
async function finding(what: string, missing: string, read: () => Promise<unknown>): Promise<Finding> {
  try {
    const problem = await read();
    return typeof problem === 'string' ? { what, problem } : { what };
  } catch (error) {
    if (isNotFound(error)) return { what, problem: `it is not there; ${missing}` };
    if (error instanceof ApiError || (error instanceof Error && 'retryable' in error)) return { what, problem: error.message };
    throw error;
  }
}
