/** One alert as Prometheus takes it. */
interface Alert {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: 'critical' | 'warning' | 'info' };
  annotations: { summary: string; description: string };
}

const why = 'kubectl get nodeupdates -o wide says why';

/** What somebody should hear of, each by a metric that the leader alone tells of, or all replicas tell of themselves. */
export const alerts: readonly Alert[] = [
  {
    alert: 'LockkeeperNoLeader',
    expr: 'absent(lockkeeper_leader == 1)',
    for: '5m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'No Lockkeeper controller leads.',
      description:
        'No node is begun, and one that is in flight stays cordoned, until a controller leads again: look at the pods of the Deployment lockkeeper-controller, their log, and the Lease lockkeeper beside them.',
    },
  },
  {
    alert: 'LockkeeperHalted',
    expr: 'max by (policy) (lockkeeper_policy_halted) == 1',
    for: '1m',
    labels: { severity: 'critical' },
    annotations: {
      summary: 'The rollout of {{ $labels.policy }} is halted.',
      description: `Too many nodes failed, and no further one is begun: ${why}. Once that is mended: kubectl annotate --overwrite updatepolicy {{ $labels.policy }} lockkeeper.dev/resume="$(date +%s)".`,
    },
  },
  {
    alert: 'LockkeeperNodeFailed',
    expr: 'max by (node, policy, phase) (lockkeeper_node_phase{phase=~"Failed|RolledBack"}) == 1',
    for: '10m',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.node }} of {{ $labels.policy }} is {{ $labels.phase }}.',
      description: `It is not tried again by itself: ${why}. Once that is mended: kubectl annotate --overwrite nodeupdate {{ $labels.node }} lockkeeper.dev/retry="$(date +%s)".`,
    },
  },
  {
    alert: 'LockkeeperNodesOverdue',
    expr: 'max by (policy) (lockkeeper_nodes_overdue) > 0',
    for: '1h',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $value }} nodes of {{ $labels.policy }} are behind for longer than its patchDeadline.',
      description: `What holds them is the reason of each: ${why}.`,
    },
  },
  {
    alert: 'LockkeeperNodeInFlightForLong',
    expr: 'max by (node, policy, phase) (lockkeeper_node_phase{phase=~"Draining|Rebooting|Verifying|RollingBack|Uncordoning"}) == 1',
    for: '2h',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.node }} has been {{ $labels.phase }} for two hours.',
      description: `It is cordoned meanwhile, and keeps its slot: ${why}. A pause of the node gives it back, if it was not asked to reboot yet.`,
    },
  },
  {
    alert: 'LockkeeperNodesBlocked',
    expr: 'max by (policy) (lockkeeper_nodes_blocked) > 0',
    for: '6h',
    labels: { severity: 'info' },
    annotations: {
      summary: '{{ $value }} nodes of {{ $labels.policy }} have pods that may not be evicted.',
      description: `They are passed over until their budgets allow it: ${why}, with pod and budget.`,
    },
  },
  {
    alert: 'LockkeeperAgentMissing',
    expr: 'max by (node, policy, reason) (lockkeeper_node_phase{reason=~"AgentMissing|AdmissionPolicyMissing"}) == 1',
    for: '15m',
    labels: { severity: 'warning' },
    annotations: {
      summary: '{{ $labels.node }} of {{ $labels.policy }} cannot be updated: {{ $labels.reason }}.',
      description:
        'Look at the agents (kubectl get pods -l app.kubernetes.io/component=agent -A -o wide, and the events of their DaemonSet), and run helm test.',
    },
  },
  {
    alert: 'LockkeeperNotificationsFailing',
    expr: 'max by (webhook) (lockkeeper_notifications_waiting) > 0 or sum by (webhook) (increase(lockkeeper_notifications_total{outcome="dropped"}[1h])) > 0 or max by (webhook) (lockkeeper_webhook_readable) == 0',
    for: '15m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'The webhook {{ $labels.webhook }} is not told what goes on.',
      description:
        'Its Secret is missing, or its receiver does not take notifications: the log of the leading controller says why, and lockkeeper notify-test tries it (docs/notifications.md).',
    },
  },
  {
    alert: 'LockkeeperApiErrors',
    expr: 'sum by (pod) (rate(lockkeeper_api_requests_total{code=~"0|5.."}[10m])) / sum by (pod) (rate(lockkeeper_api_requests_total[10m])) > 0.1',
    for: '15m',
    labels: { severity: 'warning' },
    annotations: {
      summary: 'One in ten requests of {{ $labels.pod }} to the Kubernetes API fails, or more.',
      description:
        'Code 0 is a request without an answer. The log of the pod names them; a NetworkPolicy or an overloaded API server may be why.',
    },
  },
];
