import type { ContainerInstance } from '@aws-sdk/client-ecs';
import { GROUP, MANAGED_LABEL, ON_NODE } from '../api/names.ts';
import type { Instant, NodeView } from '../core/world.ts';
import { timestamp } from '../core/world.ts';
import type { InstanceRecord } from './records.ts';

/** The attribute by which the OS marks its container instances. */
const VARIANT = 'bottlerocket.variant';
const ZONE = 'topology.kubernetes.io/zone';

/** A container instance with what is kept of it. */
export interface Instance {
  arn: string;
  /** Of EC2, or of Systems Manager where it is no EC2 instance: its name in all that people read. */
  id: string;
  seen: ContainerInstance;
  record: InstanceRecord;
  version: number;
  /** What is kept of it cannot be read: `record` is empty, and nothing may be done. */
  unreadable?: boolean;
}

/** Whether a container instance runs Bottlerocket, by its own word. */
export const isBottlerocket = ({ attributes = [] }: ContainerInstance): boolean => attributes.some(({ name }) => name === VARIANT);

const DRAINING = 'DRAINING';
/** States in which an instance is, or is about to be, gone. */
const LEAVING = new Set(['DEREGISTERING', 'INACTIVE']);

export const isGone = ({ status }: ContainerInstance): boolean => status === 'INACTIVE';
export const isDraining = ({ status }: ContainerInstance): boolean => status === DRAINING;

const isConnected = ({ agentConnected, status }: ContainerInstance): boolean =>
  agentConnected === true && (status === 'ACTIVE' || status === DRAINING);

/** Its readiness, which changes its time only with its status. */
export function readiness(seen: ContainerInstance, known: InstanceRecord['ready'], now: Instant): NonNullable<InstanceRecord['ready']> {
  const status = isConnected(seen);
  return known?.status === status ? known : { status, since: timestamp(now) };
}

/** A container instance as a decision sees it. What the host said of itself through Systems Manager is its OS and its boot. */
export function nodeOf({ arn, id, seen, record, version, unreadable }: Instance): NodeView {
  const attributes = Object.fromEntries((seen.attributes ?? []).map(({ name, value }) => [name ?? '', value ?? '']));
  const { status: host, spec } = record.host;
  const zone = attributes['ecs.availability-zone'];
  const { version: running, variant, arch } = host;
  const told = running !== undefined && variant !== undefined && arch !== undefined ? { version: running, variant, arch } : undefined;
  // Of a policy it is a member all the same, so that its slot counts; of no architecture, so that no release is meant for it.
  const os = unreadable === true ? { version: '0.0.0', variant: attributes[VARIANT] ?? '', arch: '' } : told;
  const resourceVersion = String(version);
  return {
    name: id,
    uid: arn.slice(arn.lastIndexOf('/') + 1),
    resourceVersion,
    createdAt: seen.registeredAt?.toISOString() ?? '',
    labels: { ...attributes, [MANAGED_LABEL]: 'true', ...(zone !== undefined && { [ZONE]: zone }) },
    annotations: {
      ...Object.fromEntries(Object.entries(attributes).filter(([name]) => name.startsWith(`${GROUP}/`))),
      ...(record.fence !== undefined && { [ON_NODE.fence]: record.fence }),
    },
    unschedulable: isDraining(seen),
    ready: record.ready ?? { status: false, since: '' },
    bootID: host.bootID ?? '',
    hostID: id,
    deleting: LEAVING.has(seen.status ?? ''),
    ...(os && { os }),
    // In flight, for all that anybody knows: it holds its slot.
    ...(unreadable === true ? { record: 'unreadable' as const } : record.cordon !== undefined && { record: record.cordon }),
    update: { resourceVersion, annotations: {}, status: record.update },
    host: { resourceVersion, spec, status: host },
    agent: record.unreachable !== undefined && record.unreachable.times > 2 ? 'missing' : 'ready',
  };
}
