import { expect } from '@jest/globals';
import type { CordonRecord } from '../../src/api/cordon-record.ts';
import type { NodeUpdateStatus } from '../../src/api/node-update.ts';
import type { UpdatePolicyStatus } from '../../src/api/update-policy.ts';
import type { KubeObject } from '../bed/api.ts';
import type { AuditEntry, AuditMark } from '../bed/audit.ts';
import type { Bed } from '../bed/bed.ts';
import type { NodeObject } from '../bed/node-object.ts';
import { isUnavailable, mostAtOnce, type WatchHistory } from '../bed/watch-history.ts';

export const cordonAnnotation = 'lockkeeper.dev/cordon';

type HostObject = KubeObject & {
  spec?: { order?: { id: string; action: string; version?: string; bootID?: string } };
  status?: { bootID?: string; staged?: { version: string }; answer?: { id: string; state: string } };
};

/** A boot of a node, as the watch showed it. */
export interface Boot {
  readonly node: string;
  readonly before: string;
  readonly after: string;
  readonly osImage: string;
}

/** A machine of either bed, which counts its own boots. */
export interface CountedMachine {
  readonly name: string;
  /** How often it has booted since its first time. */
  rebootCount(): number | Promise<number>;
}

/** Where a judge begins, on a bed that has seen other runs before: nothing was in flight then. */
export interface Beginning {
  readonly mark: AuditMark;
  /** By machine. */
  readonly boots: ReadonlyMap<string, number>;
}

/** An order as the API server took it. */
export interface GivenOrder {
  readonly node: string;
  readonly id: string;
  readonly action: string;
  readonly version?: string;
  readonly bootID?: string;
  /** When it was answered, in ms since the epoch. */
  readonly at: number;
  /** Of the NodeHost with it: what another kind's watch showed before has a lower one. */
  readonly resourceVersion: number;
}

/** A claim: from the request that made it to the one that dropped it, in ms since the epoch. */
export interface ClaimSpan {
  readonly policy: string;
  readonly node: string;
  readonly id: string;
  readonly from: number;
  /** Infinity where it still stands. */
  to: number;
}

/** Judges a run from the API server's audit log and the watch's history alone. */
export interface Judge {
  /** The most of the policy's nodes that were unavailable at one instant. */
  mostUnavailable(except?: readonly string[]): number;
  /** Every boot of every node since the start. */
  boots(): Boot[];
  /** Writes to a NodeHost that gave an order, in the order of the answers. */
  orders(node?: string): Promise<GivenOrder[]>;
  /** Accepted evictions: `namespace/name`. */
  evictions(): Promise<string[]>;
  /** The claims of all policies, each time that they were written. */
  claims(): Promise<{ policy: string; claims: readonly { id: string; node: string }[]; at: number }[]>;
  /** Each claim of each node, in the order in which they were made. */
  spans(): Promise<ClaimSpan[]>;
  /** Each of these nodes was booted once since the start, by one Reboot order, and no other was booted at all. */
  onceEach(machines: readonly CountedMachine[]): Promise<void>;
  /**
   * What must hold in every scenario: each reboot that was asked for had our cordon, a proven staged version equal to the
   * target (or named what runs, by hand) and the boot ID that it was ordered for; none was asked twice; every uncordon of ours followed a cordon of ours, and
   * none came while a reboot was asked for and no other boot reported; no record of ours is left on a schedulable node; no order
   * was given again that another had replaced; no node was claimed twice at once, nor by a claim that had been dropped; and no
   * deadline that was once set has moved.
   */
  invariants(): Promise<void>;
}

/** The judge of one bed, of all that the history has seen. */
export function judgeOf(bed: Pick<Bed, 'audit' | 'client'>, history: WatchHistory<NodeObject>, since?: Beginning): Judge {
  const writes = (resource: string, subresource?: string): Promise<AuditEntry[]> =>
    bed.audit
      .find({ verb: ['create', 'patch', 'update'], resource, ...(subresource !== undefined && { subresource }) }, since?.mark)
      .then((entries) => entries.filter(({ responseStatus }) => (responseStatus?.code ?? 500) < 300));
  const controllers = (entry: AuditEntry): boolean => /:lockkeeper-(controller|release)$/.test(entry.user.username);

  const judge: Judge = {
    mostUnavailable: (except = []) =>
      mostAtOnce(
        history.versions.filter(({ object }) => !except.includes(object.metadata.name)),
        isUnavailable,
      ).count,
    boots() {
      const last = new Map<string, string>();
      const boots: Boot[] = [];
      for (const { object, type } of history.versions) {
        const { bootID, osImage } = object.status.nodeInfo;
        const uid = object.metadata.uid ?? '';
        const before = last.get(uid);
        if (type !== 'DELETED' && before !== undefined && before !== '' && before !== bootID) {
          boots.push({ node: object.metadata.name, before, after: bootID, osImage });
        }
        last.set(uid, bootID);
      }
      return boots;
    },
    async orders(node) {
      const seen = new Set<string>();
      const patches = await bed.audit.find({ verb: ['create', 'patch', 'update'], resource: 'nodehosts', subresource: '' }, since?.mark);
      const hosts = (await writes('nodehosts')).map(({ responseObject }) => responseObject as HostObject);
      const orders = patches.flatMap((entry) => {
        const given = (entry.requestObject as HostObject | undefined)?.spec?.order;
        if (given === undefined || given === null) return [];
        const accepted = (entry.responseStatus?.code ?? 500) < 300;
        // A controller that is killed hangs up: the answer is an error then, and the order may stand.
        const host = accepted
          ? (entry.responseObject as HostObject | undefined)
          : hosts.find(({ metadata, spec }) => metadata.name === entry.objectRef?.name && spec?.order?.id === given.id);
        const order = host?.spec?.order;
        if (host === undefined || order === undefined || seen.has(`${host.metadata.uid} ${order.id}`)) return [];
        seen.add(`${host.metadata.uid} ${order.id}`);
        const resourceVersion = Number(host.metadata.resourceVersion);
        return [{ node: host.metadata.name, ...order, at: Date.parse(entry.stageTimestamp), resourceVersion }];
      });
      return orders.filter((order) => node === undefined || order.node === node);
    },
    async evictions() {
      const entries = await bed.audit.find({ verb: 'create', resource: 'pods', subresource: 'eviction' }, since?.mark);
      return entries
        .filter(({ responseStatus }) => (responseStatus?.code ?? 500) < 300)
        .map(({ objectRef }) => `${objectRef?.namespace}/${objectRef?.name}`);
    },
    async claims() {
      return (await writes('updatepolicies', 'status')).map(({ responseObject, requestReceivedTimestamp }) => {
        const { metadata, status } = responseObject as KubeObject & { status?: UpdatePolicyStatus };
        return { policy: metadata.name, claims: status?.claims ?? [], at: Date.parse(requestReceivedTimestamp) };
      });
    },
    async spans() {
      const spans = new Map<string, ClaimSpan>();
      for (const { policy, claims, at } of await judge.claims()) {
        for (const span of spans.values())
          if (span.policy === policy && span.to === Number.POSITIVE_INFINITY && !claims.some(({ id }) => id === span.id)) span.to = at;
        for (const { id, node } of claims) if (!spans.has(id)) spans.set(id, { policy, node, id, from: at, to: Number.POSITIVE_INFINITY });
      }
      return [...spans.values()];
    },
    async onceEach(machines) {
      const names = machines.map(({ name }) => name).sort();
      for (const machine of machines) {
        const { name } = machine;
        const boots = (await machine.rebootCount()) - (since?.boots.get(name) ?? 0);
        expect({ name, boots }).toEqual({ name, boots: 1 });
      }
      expect(
        judge
          .boots()
          .map(({ node }) => node)
          .sort(),
      ).toEqual(names);
      const reboots = (await judge.orders()).filter(({ action }) => action === 'Reboot').map(({ node }) => node);
      expect(reboots.sort()).toEqual(names);
    },
    async invariants() {
      const nodes = await bed.client.list<NodeObject>('/api/v1/nodes');
      const newest = Math.max(...nodes.map(({ metadata }) => Number(metadata.resourceVersion)));
      await history.reaches(String(newest));
      await judgeReboots();
      await judgeCordons();
      await judgeUncordons();
      await judgeOrders();
      await judgeClaims();
      await judgeDeadlines();
    },
  };
  return judge;

  async function judgeReboots(): Promise<void> {
    const asked = new Map<string, number>();
    for (const entry of await writes('nodehosts', 'status')) {
      const host = entry.responseObject as HostObject | undefined;
      const answer = host?.status?.answer;
      const patch = entry.requestObject as { status?: { answer?: { state?: string } } } | undefined;
      if (host === undefined || answer?.state !== 'RebootAsked' || patch?.status?.answer?.state !== 'RebootAsked') continue;
      const { order } = host.spec ?? {};
      const what = `${host.metadata.name}: reboot asked for order ${answer.id}`;
      expect({ what, order: order?.id, action: order?.action }).toEqual({ what, order: answer.id, action: 'Reboot' });
      const key = `${host.metadata.uid} ${answer.id}`;
      asked.set(key, (asked.get(key) ?? 0) + 1);
      const node = nodeWhen(host);
      const { from, target } = JSON.parse(node?.metadata.annotations?.[cordonAnnotation] ?? '{}') as Partial<CordonRecord>;
      const runs = node?.status.nodeInfo.osImage.split(' ')[2];
      // A reboot by hand names what runs, and has no proof of what else is staged: it activates nothing.
      const alone = from === target;
      expect({ what, staged: host.status?.staged?.version, names: order?.version }).toEqual({
        what,
        staged: alone ? undefined : order?.version,
        names: alone ? runs : order?.version,
      });
      expect({
        what,
        bootID: node?.status.nodeInfo.bootID,
        cordoned: node?.spec.unschedulable,
        ours: node?.metadata.annotations?.[cordonAnnotation] !== undefined,
      }).toEqual({ what, bootID: order?.bootID, cordoned: true, ours: true });
    }
    const orderedBoots = new Set((await judge.orders()).filter(({ action }) => action === 'Reboot').map(({ id }) => id));
    for (const key of asked.keys()) expect(orderedBoots).toContain(key.split(' ')[1]);
  }

  /** The node as it was when an object of its name was written, or when it was deleted before that: one store counts the versions of all objects. */
  function nodeWhen({ metadata: { name, resourceVersion, ownerReferences, uid } }: KubeObject): NodeObject | undefined {
    const node = ownerReferences?.find(({ kind }) => kind === 'Node')?.uid ?? uid;
    return history
      .of(name)
      .findLast(
        ({ object: { metadata }, type }) =>
          type !== 'DELETED' && metadata.uid === node && Number(metadata.resourceVersion) < Number(resourceVersion),
      )?.object;
  }

  /** An order that another has replaced never comes back. */
  async function judgeOrders(): Promise<void> {
    const given = new Map<string, string[]>();
    for (const { responseObject } of await writes('nodehosts', '')) {
      const { metadata, spec } = responseObject as HostObject;
      if (spec?.order === undefined) continue;
      const key = `${metadata.name} ${metadata.uid}`;
      const ids = given.get(key) ?? [];
      if (ids.at(-1) !== spec.order.id) ids.push(spec.order.id);
      given.set(key, ids);
    }
    for (const [node, ids] of given) expect({ node, ids }).toEqual({ node, ids: [...new Set(ids)] });
  }

  async function judgeClaims(): Promise<void> {
    const dropped = new Map<string, Set<string>>();
    const held = new Map<string, readonly string[]>();
    for (const { policy, claims } of await judge.claims()) {
      const nodes = claims.map(({ node }) => node);
      expect({ policy, nodes }).toEqual({ policy, nodes: [...new Set(nodes)] });
      const ids = claims.map(({ id }) => id);
      const gone = dropped.get(policy) ?? new Set();
      dropped.set(policy, gone);
      for (const id of held.get(policy) ?? []) if (!ids.includes(id)) gone.add(id);
      expect({ policy, cameBack: ids.filter((id) => gone.has(id)) }).toEqual({ policy, cameBack: [] });
      held.set(policy, ids);
    }
  }

  /** One record and one reboot deadline for each claim, and one of each for its way back: whoever takes over goes by the clocks that run. */
  async function judgeDeadlines(): Promise<void> {
    const seen = new Map<string, Set<string>>();
    const note = (what: string, value: string) => seen.set(what, (seen.get(what) ?? new Set()).add(value));
    for (const { object } of history.versions) {
      const record = object.metadata.annotations?.[cordonAnnotation];
      if (record === undefined) continue;
      const { claim, rollback } = JSON.parse(record) as { claim: string; rollback?: { at: string; bootID: string } };
      note(`${object.metadata.name} record of ${claim}, ${rollback === undefined ? 'there' : `back under ${rollback.bootID}`}`, record);
      if (rollback !== undefined) note(`${object.metadata.name} rollback of ${claim}`, rollback.at);
    }
    for (const { responseObject } of await writes('nodeupdates', 'status')) {
      const { metadata, status } = responseObject as KubeObject & { status?: NodeUpdateStatus };
      const { claim, phase, deadlines } = status ?? {};
      if (deadlines?.reboot === undefined) continue;
      note(`${metadata.name} reboot deadline of ${claim}${phase === 'RollingBack' ? ', back' : ''}`, deadlines.reboot);
    }
    for (const [what, values] of seen) expect({ what, values: values.size }).toEqual({ what, values: 1 });
  }

  /** A node whose host was asked to reboot is given to nobody before its kubelet reports another boot, or its agent that there was none. */
  async function judgeUncordons(): Promise<void> {
    const bootOf = new Map((await judge.orders()).map(({ id, bootID }) => [id, bootID]));
    const hosts = [...(await writes('nodehosts', '')), ...(await writes('nodehosts', 'status'))].map(
      ({ responseObject }) => responseObject as HostObject,
    );
    const version = ({ metadata }: KubeObject) => Number(metadata.resourceVersion);
    hosts.sort((a, b) => version(a) - version(b));
    for (const entry of await writes('nodes')) {
      const patch = entry.requestObject as { spec?: { unschedulable?: boolean | null } } | undefined;
      if (!controllers(entry) || patch?.spec?.unschedulable !== null) continue;
      const node = entry.responseObject as NodeObject;
      const { name } = node.metadata;
      // A person who has uncordoned it meanwhile has answered for it.
      if (nodeWhen(node)?.spec.unschedulable !== true) continue;
      const answer = hosts.findLast((host) => host.metadata.name === name && version(host) < version(node))?.status?.answer;
      const asked = answer?.state === 'RebootAsked' && bootOf.get(answer.id) === node.status.nodeInfo.bootID;
      expect({ name, uncordonedBeforeItsReboot: asked }).toEqual({ name, uncordonedBeforeItsReboot: false });
    }
  }

  async function judgeCordons(): Promise<void> {
    const ours = new Set<string>();
    for (const entry of await bed.audit.find({ verb: 'patch', resource: 'nodes' }, since?.mark)) {
      if (!controllers(entry)) continue;
      const patch = entry.requestObject as { metadata?: KubeObject['metadata']; spec?: { unschedulable?: boolean | null } } | undefined;
      if (patch?.spec?.unschedulable === undefined) continue;
      const node = (entry.responseStatus?.code ?? 500) < 300 ? (entry.responseObject as NodeObject) : carriedOutUnanswered(patch);
      if (node === undefined) continue;
      const { uid = '', name } = node.metadata;
      if (patch.spec.unschedulable === true) {
        expect({ name, record: node.metadata.annotations?.[cordonAnnotation] !== undefined }).toEqual({ name, record: true });
        ours.add(uid);
      } else {
        expect({ name, uncordonedWhatWeCordoned: ours.delete(uid) }).toEqual({ name, uncordonedWhatWeCordoned: true });
      }
    }
    /** A controller that ends hangs up: the answer is an error then, and the cordon may stand. */
    function carriedOutUnanswered(patch: { metadata?: KubeObject['metadata'] }): NodeObject | undefined {
      const record = patch.metadata?.annotations?.[cordonAnnotation];
      if (!record) return undefined;
      return history.versions.find(({ object }) => object.metadata.annotations?.[cordonAnnotation] === record)?.object;
    }

    for (const node of await bed.client.list<NodeObject>('/api/v1/nodes')) {
      const { name } = node.metadata;
      const record = node.metadata.annotations?.[cordonAnnotation] !== undefined;
      if (node.spec.unschedulable !== true) expect({ name, record }).toEqual({ name, record: false });
    }
  }
}
