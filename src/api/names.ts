/** API group of our kinds, labels and annotations. */
export const GROUP = 'lockkeeper.dev';
/** The one version of our kinds that is served and stored. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of our kinds. */
export const API_VERSION = `${GROUP}/${VERSION}`;

/**
 * Annotations that people write: on an UpdatePolicy, a NodeUpdate or a Node, where each makes sense there.
 * The strings are API: they may be added to, never changed.
 */
export const BY_HAND = {
  /** `"true"` or `"false"`: no new claim and no staging; on a node it is also taken back. Policy, NodeUpdate, Node. */
  paused: `${GROUP}/paused`,
  /** A version, such as `1.26.1`: beats the spec's pin and range. Policy, NodeUpdate, Node. */
  pinVersion: `${GROUP}/pin-version`,
  /** A version that may be claimed under `approval: Manual`. Policy, NodeUpdate, Node. */
  approvedVersion: `${GROUP}/approved-version`,
  /**
   * A version to be brought to its nodes now: of window, exclusions, minAge, waves and approval none holds it. Everything else does.
   * Policy, NodeUpdate, Node.
   */
  urgent: `${GROUP}/urgent`,
  /** Any token: forgets the failures it finds, once for each new token. Policy, NodeUpdate, Node. */
  retry: `${GROUP}/retry`,
  /** Any token: one reboot without a new version, once for each new token, by all rules but those of versions. Policy, NodeUpdate, Node. */
  reboot: `${GROUP}/reboot`,
  /** Any token: a halted rollout goes on, once for each new token. Policy. */
  resume: `${GROUP}/resume`,
  /** Any token: releases that are marked bad for the policy are good again, and their failures looked at, once for each new token. Policy. */
  clearBadRelease: `${GROUP}/clear-bad-release`,
  /**
   * Any token, once for each new one. Policy: the group whose turn it is counts as finished. NodeUpdate, Node: a node that is being
   * drained is given back, to be tried again later.
   */
  skip: `${GROUP}/skip`,
} as const;

/** Annotations on a Node that are ours alone. */
export const ON_NODE = {
  /** The record of our cordon, JSON as in `cordonRecordSchema`: what is needed to finish or take back the node. */
  cordon: `${GROUP}/cordon`,
  /** The id of a claim that was given up before the cordon: moves the Node's resourceVersion, so that no late cordon can follow. */
  fence: `${GROUP}/fence`,
} as const;

/** Set by the controller on nodes it may manage; the agents' DaemonSet selects it. */
export const MANAGED_LABEL = `${GROUP}/managed`;

/** Key of the taint with which a node may register, so that it is updated before it takes work. */
export const OUTDATED_TAINT = `${GROUP}/outdated`;

/**
 * The OS's existing operator (bottlerocket-update-operator) puts its agents on nodes with this label: as long as it has agents at all, such
 * a node is `ManagedByOther`. Source: the node affinity of its chart's templates/agent-daemonset.yaml.
 */
export const OTHER_OPERATOR_LABEL = 'bottlerocket.aws/updater-interface-version';

/** Tells the parts of that operator apart; its agents' value is `agent`. Source: its models/src/constants.rs. */
export const OTHER_OPERATOR_COMPONENT = 'brupop.bottlerocket.aws/component';

/** On what `kubectl lockkeeper migrate` has changed: how it was before, JSON, so that `migrate --back` can restore it. */
export const MIGRATION_ANNOTATION = `${GROUP}/migration`;

/** A label that no node has: in the nodeSelector of the other operator's agents it keeps them off all nodes. */
export const MIGRATION_STOP = `${GROUP}/stopped-by-migration`;

/** Where the chart's guide installs it, and where it is looked for unless somebody says otherwise. */
export const DEFAULT_NAMESPACE = 'lockkeeper';

/** Part-of label on all our own pods. */
export const PART_OF = { key: 'app.kubernetes.io/part-of', value: 'lockkeeper' } as const;
/** Component label on our own pods: `controller` or `agent`. */
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** Name of the ValidatingAdmissionPolicy, and of its binding, that limit an agent to its own NodeHost's status. */
export const AGENT_ADMISSION_POLICY = 'lockkeeper-agent';

/** Only nodes whose `osImage` begins so are ever ours. */
export const OS_IMAGE_PREFIX = 'Bottlerocket OS ';

/** Annotations that keep an autoscaler from removing a node that looks empty while it is drained. */
export const KEEP_NODE_ANNOTATIONS: Readonly<Record<string, string>> = {
  'cluster-autoscaler.kubernetes.io/scale-down-disabled': 'true',
  'karpenter.sh/do-not-disrupt': 'true',
};

/** Labels that a cordon adds where they are not there: load balancers that send to nodes go on sending to a cordoned one without them. */
export const CORDON_LABELS: Readonly<Record<string, string>> = {
  'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
};
