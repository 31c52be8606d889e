import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Decision } from '../core/command.ts';
import { instant, type World } from '../core/world.ts';
import type { RequestReport } from '../kube/client.ts';
import { VERSION } from '../version.ts';
import type { PhaseChange } from './announcer.ts';
import { registerBrupopMetrics } from './brupop-metrics.ts';

const PHASE_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/** What may be told besides. */
interface MetricsOptions {
  /** The metrics of the OS's existing operator, too. */
  brupop?: boolean;
  /** Whether the Secret of each webhook can be read, by its name. */
  readableWebhooks?: () => Promise<ReadonlyMap<string, boolean>>;
}

/** Everything that the controller counts and measures, as Prometheus reads it, in a registry of its own; `now` is the API server's clock in milliseconds. */
export function createMetrics(now: () => number, { brupop = false, readableWebhooks }: MetricsOptions = {}) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'lockkeeper_' });
  let latest: { world: World; decision: Decision } | undefined;
  if (brupop) registerBrupopMetrics(registry, () => latest);

  new Gauge({
    name: 'lockkeeper_build_info',
    help: 'Constant 1, labelled by the version that runs.',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  const leader = new Gauge({ name: 'lockkeeper_leader', help: 'Whether this replica leads (1) or stands by (0).', registers });
  leader.set(0);
  new Gauge({
    name: 'lockkeeper_node_phase',
    help: 'Constant 1 for each node of a policy, labelled by its phase and the one reason for it.',
    labelNames: ['node', 'policy', 'phase', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { node, status } of latest?.decision.nodes ?? []) {
        if (status.policy !== undefined)
          this.set({ node, policy: status.policy, phase: status.phase ?? '', reason: status.reason ?? '' }, 1);
      }
    },
  });
  new Gauge({
    name: 'lockkeeper_node_version_info',
    help: 'Constant 1 for each node of a policy, labelled by the OS version that it runs and the one that it should run.',
    labelNames: ['node', 'policy', 'version', 'target', 'variant'],
    registers,
    collect() {
      this.reset();
      const statuses = new Map(latest?.decision.nodes.map(({ node, status }) => [node, status]));
      for (const { name, os } of latest?.world.nodes ?? []) {
        const status = statuses.get(name);
        if (os === undefined || status?.policy === undefined) continue;
        this.set({ node: name, policy: status.policy, version: os.version, target: status.target ?? os.version, variant: os.variant }, 1);
      }
    },
  });
  new Gauge({
    name: 'lockkeeper_node_behind_seconds',
    help: 'How long a node has been behind its target, in seconds; 0 where it is not.',
    labelNames: ['node', 'policy'],
    registers,
    collect() {
      this.reset();
      for (const { node, status } of latest?.decision.nodes ?? []) {
        if (status.policy === undefined) continue;
        const behind = status.behindSince === undefined ? 0 : Math.max(0, (now() - instant(status.behindSince)) / 1000);
        this.set({ node, policy: status.policy }, behind);
      }
    },
  });
  const perPolicy = (name: string, help: string, read: (status: Decision['policies'][number]['status']) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['policy'],
      registers,
      collect() {
        this.reset();
        for (const { policy, status } of latest?.decision.policies ?? []) this.set({ policy }, read(status));
      },
    });
  perPolicy('lockkeeper_claims', 'Slots of a policy that are taken.', ({ claims }) => claims?.length ?? 0);
  perPolicy('lockkeeper_nodes', 'Nodes of a policy.', ({ counts }) => counts?.nodes ?? 0);
  perPolicy('lockkeeper_nodes_updated', 'Nodes of a policy that run what they should.', ({ counts }) => counts?.updated ?? 0);
  perPolicy(
    'lockkeeper_nodes_unavailable',
    'Nodes of a policy that are cordoned by anyone, not Ready or in flight.',
    ({ counts }) => counts?.unavailable ?? 0,
  );
  perPolicy(
    'lockkeeper_nodes_blocked',
    'Nodes of a policy whose pods may not be evicted as things stand.',
    ({ counts }) => counts?.blocked ?? 0,
  );
  perPolicy(
    'lockkeeper_nodes_overdue',
    'Nodes of a policy that have been behind for longer than its patchDeadline.',
    ({ counts }) => counts?.overdue ?? 0,
  );
  perPolicy('lockkeeper_nodes_failed', 'Nodes of a policy that have failed or rolled back.', ({ counts }) => counts?.failed ?? 0);
  perPolicy('lockkeeper_policy_halted', 'Whether a policy is halted by failed nodes (1) or not (0).', ({ conditions }) =>
    conditions?.some(({ type, status }) => type === 'Halted' && status === 'True') ? 1 : 0,
  );
  perPolicy('lockkeeper_bad_releases', 'Releases that are marked bad for a policy.', ({ badReleases }) => badReleases?.length ?? 0);
  perPolicy('lockkeeper_policy_paused', 'Whether a policy is paused (1) or not (0).', ({ conditions }) =>
    conditions?.some(({ type, status }) => type === 'Paused' && status === 'True') ? 1 : 0,
  );
  const phases = new Histogram({
    name: 'lockkeeper_phase_duration_seconds',
    help: 'How long nodes were in a phase before they left it, in seconds.',
    labelNames: ['policy', 'phase'],
    buckets: PHASE_BUCKETS,
    registers,
  });
  const failures = new Counter({
    name: 'lockkeeper_failures_total',
    help: 'Nodes that failed or rolled back, by reason.',
    labelNames: ['policy', 'reason'],
    registers,
  });
  const requests = new Counter({
    name: 'lockkeeper_api_requests_total',
    help: 'Requests to the Kubernetes API by method, resource and code (0 where there was no answer).',
    labelNames: ['method', 'resource', 'code'],
    registers,
  });
  const evictions = new Counter({
    name: 'lockkeeper_evictions_total',
    help: 'Eviction requests by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const notifications = new Counter({
    name: 'lockkeeper_notifications_total',
    help: 'Notifications by webhook and outcome: sent; failed (an attempt, which is repeated); dropped (given up).',
    labelNames: ['webhook', 'outcome'],
    registers,
  });
  const waitingNotifications = new Gauge({
    name: 'lockkeeper_notifications_waiting',
    help: 'Notifications that wait to be sent to a webhook.',
    labelNames: ['webhook'],
    registers,
  });
  new Gauge({
    name: 'lockkeeper_webhook_readable',
    help: "Whether a webhook's Secret is there and holds a URL (1) or not (0).",
    labelNames: ['webhook'],
    registers,
    async collect() {
      for (const [webhook, readable] of (await readableWebhooks?.()) ?? []) this.set({ webhook }, readable ? 1 : 0);
    },
  });
  const decides = new Histogram({
    name: 'lockkeeper_decide_duration_seconds',
    help: 'How long one decision took, in seconds.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25],
    registers,
  });
  const answers = new Histogram({
    name: 'lockkeeper_answer_duration_seconds',
    help: 'How long it took from an event of a watch about a node to the first request by which it was acted upon, in seconds.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });

  return {
    registry,
    leads: (leads: boolean) => leader.set(leads ? 1 : 0),
    decided(world: World, decision: Decision, milliseconds: number) {
      latest = { world, decision };
      decides.observe(milliseconds / 1000);
    },
    /** A standby shows nothing of nodes and policies: they are the leader's to show. */
    forget() {
      latest = undefined;
    },
    phaseChanged({ from, status, seconds }: PhaseChange) {
      const policy = status.policy ?? '';
      if (from !== undefined && seconds !== undefined) phases.observe({ policy, phase: from }, seconds);
      if (status.phase === 'Failed' || status.phase === 'RolledBack') failures.inc({ policy, reason: status.reason ?? '' });
    },
    requested({ method, resource, status, watch }: RequestReport) {
      requests.inc({ method: watch ? 'WATCH' : method, resource, code: String(status ?? 0) });
    },
    answered: (milliseconds: number) => answers.observe(milliseconds / 1000),
    evicted: (outcome: string) => evictions.inc({ outcome }),
    /** Shows a webhook before there is anything to tell it. */
    notifies(webhook: string) {
      for (const outcome of ['sent', 'failed', 'dropped']) notifications.inc({ webhook, outcome }, 0);
      waitingNotifications.set({ webhook }, 0);
    },
    notified: (webhook: string, outcome: string) => notifications.inc({ webhook, outcome }),
    notificationsWait: (webhook: string, waiting: number) => waitingNotifications.set({ webhook }, waiting),
  };
}
