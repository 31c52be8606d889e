import { MIGRATION_ANNOTATION, MIGRATION_STOP, OTHER_OPERATOR_LABEL } from '../../api/names.ts';
import type { NodeView, PolicyView } from '../../core/world.ts';
import { type MigrationRecord, readRecord } from './record.ts';

/** A Deployment or DaemonSet of the old operator. */
export interface Workload {
  kind: 'Deployment' | 'DaemonSet';
  namespace: string;
  name: string;
  resourceVersion: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** Its first container's, as far as it is written down there: undefined where it comes from elsewhere. */
  env: ReadonlyMap<string, string | undefined>;
  image: string;
  nodeSelector: Readonly<Record<string, string>>;
  /** A Deployment's. */
  replicas: number;
  /** A DaemonSet's: it has pods, or may want some. */
  active: boolean;
  /** A DaemonSet's: its controller has seen it as it is, and all its pods are placed. */
  settled: boolean;
}

/** A BottlerocketShadow: how far the old operator is with a node. */
export interface Shadow {
  node: string;
  /** What its agent says; absent where it has said nothing yet. */
  state?: string;
  /** What its controller wants. */
  wanted: string;
}

/** All that a migration looks at, read once. */
export interface Found {
  controller?: Workload;
  agents?: Workload;
  /** Its controller's pods that are still there. */
  controllerPods: readonly string[];
  shadows: readonly Shadow[];
  nodes: readonly NodeView[];
  policies: readonly PolicyView[];
}

/** The interface of the host that the old agents want; they run nowhere else. */
const INTERFACE = '2.0.0';

/** The labels of the nodes that the old operator has. */
export const THEIR_LABELS: Readonly<Record<string, string>> = { [OTHER_OPERATOR_LABEL]: INTERFACE };

/** The nodes that the old operator has. */
export const theirNodes = ({ nodes }: Found): NodeView[] =>
  nodes.filter(({ os, labels }) => os !== undefined && labels[OTHER_OPERATOR_LABEL] === INTERFACE);

/** What a migration has kept of how an object was before; undefined where it has not changed it. */
export const recordOn = ({ annotations }: { annotations: Readonly<Record<string, string>> }): MigrationRecord | undefined =>
  readRecord(annotations[MIGRATION_ANNOTATION]);

/** Whether the old agents are kept off all nodes, by the migration or by whoever has done the same in Git. */
export const isStopped = ({ nodeSelector }: Workload): boolean => MIGRATION_STOP in nodeSelector;

/**
 * The shadows of nodes that the old operator is at. One whose agent has said nothing is not begun before it does. Source: its
 * controller/src/controller.rs (active set) and statemachine.rs.
 */
export const inFlight = ({ shadows }: Found): Shadow[] =>
  shadows.filter(({ state, wanted }) => (state ?? 'Idle') !== 'Idle' || wanted !== (state ?? 'Idle'));
