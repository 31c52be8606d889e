import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { standbyPod } from '../cluster/gather.ts';
import type { Decision } from '../core/command.ts';
import type { decide } from '../core/decide.ts';
import type { World } from '../core/world.ts';
import { KubeClient } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import type { Credentials } from '../kube/credentials.ts';
import { Elector } from '../kube/elector.ts';
import type { Logger } from '../kube/logger.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import { VERSION } from '../version.ts';
import { Announcer } from './announcer.ts';
import { AnswerTimes } from './answer-times.ts';
import { createApp } from './app.ts';
import { Applier } from './apply.ts';
import { BlockedPodEvents } from './blocked-pod-events.ts';
import { calmLogger } from './calm-logger.ts';
import { Checks } from './checks.ts';
import type { ControllerSettings } from './config.ts';
import { Drainer } from './drainer.ts';
import { EventRecorder } from './events.ts';
import { EvictionWebhooks } from './eviction-webhooks.ts';
import { HookJobs } from './hook-jobs.ts';
import { LifecycleSignals } from './lifecycle-signals.ts';
import { createMetrics } from './metrics.ts';
import { Notifier } from './notifications/notifier.ts';
import { readableReceivers } from './notifications/receiver.ts';
import { PodViews } from './pod-views.ts';
import { Reconciler } from './reconciler.ts';
import { refreshPolicies, refreshRecorded } from './recorded.ts';
import { createReflectors } from './reflectors.ts';
import { ServerVersion } from './server-version.ts';
import { ProgressThrottle } from './throttle.ts';

/** A pass that has done nothing for so long means a process that does not work, in milliseconds. */
const STUCK_MS = 120_000;
const PASS = 'pass';

/** Connections: applying takes 16, Events 8, and what is asked for beside them a few; the lease must never wait for one. */
const MAX_SOCKETS = 64;
/** Evictions have their own: where somebody's webhook hangs, eight more begin each second, and each has half a minute. */
const MAX_EVICTION_SOCKETS = 512;

/** How a run of the controller differs from that of a replica. */
export interface Variant {
  /** What decides, in place of `decide`. */
  decide: typeof decide;
  /** Waited for in each term before its first pass. */
  beforeLeading: (leading: AbortSignal) => Promise<void>;
  onDecision: (world: World, decision: Decision) => void;
  /** A decision hands over; `give` names the Lease's next holder, and ends the term. */
  handOver: (give: (holder: string) => Promise<void>) => void;
}

/** Runs a controller replica until the signal is aborted: fills its caches, stands by, and leads when elected. */
export async function runController(
  config: ControllerSettings,
  credentials: Credentials,
  log: Logger,
  signal: AbortSignal,
  variant?: Variant,
): Promise<void> {
  const clock = systemClock;
  const logger = calmLogger(log, clock);
  const random = Math.random;
  const now = (): number => clock.now() + client.clockOffsetMs;
  const { notifications } = config;
  const metrics = createMetrics(now, {
    brupop: config.brupopMetrics,
    ...(notifications !== undefined && { readableWebhooks: () => readableReceivers(notifications) }),
  });
  for (const { name } of notifications?.webhooks ?? []) metrics.notifies(name);
  const connect = (maxSockets: number): KubeClient =>
    new KubeClient({
      credentials,
      userAgent: `lockkeeper-controller/${VERSION}`,
      clock,
      logger,
      maxSockets,
      onRequest: metrics.requested,
    });
  const client = connect(MAX_SOCKETS);
  const evictingClient = connect(MAX_EVICTION_SOCKETS);
  const self = config.nodeName === undefined ? undefined : { namespace: config.namespace, pod: config.identity, node: config.nodeName };

  let term: Term | undefined;
  /** When the pass that runs now last did something. */
  let progressedAt: number | undefined;
  const wake = (): void => term?.queue.add(PASS);
  const deps = { client, clock, random, logger };
  const serverVersion = new ServerVersion(client, logger, wake);
  const reflectors = createReflectors(deps, config.namespace, {
    changed: (node) => {
      if (node !== undefined) term?.received(node);
      wake();
    },
    connected: () => serverVersion.ask(signal),
    budgetChanged: (namespace) => term?.drainer.budgetChanged(namespace),
  });
  const events = new EventRecorder(client, config.identity, now, logger);
  const podEvents = new BlockedPodEvents(events, clock.monotonic);

  const lead = async (leading: AbortSignal): Promise<void> => {
    await variant?.beforeLeading(leading);
    await reflectors.waitForSync(leading);
    await refreshRecorded(client, reflectors, leading);
    if (notifications !== undefined) await refreshPolicies(client, reflectors, leading);
    const assertLeading = (): void => elector.assertLeading();
    const answers = new AnswerTimes(clock.monotonic, metrics.answered);
    const podViews = new PodViews(deps, (node, byWatch) => {
      if (byWatch) received(node);
      wake();
    });
    const webhooks = new EvictionWebhooks(client, clock, logger);
    const hookJobs = new HookJobs(deps, wake);
    const checks = new Checks({ client, clock, random, now, intervalMs: config.checkIntervalMs, changed: wake });
    const drainer = new Drainer({
      ...deps,
      client: evictingClient,
      webhooks: () => webhooks.list(),
      budgets: () => [...reflectors.budgets.items.values()],
      assertLeading,
      changed: wake,
      onBlocked: (pod, blocked, drain) => podEvents.tell(pod, blocked, drain),
      onEviction: metrics.evicted,
    });
    const applier = new Applier({
      client,
      reflectors,
      podViews,
      hookJobs,
      logger,
      assertLeading: () => {
        // Each write of a pass is progress, however many there are.
        progressedAt = clock.monotonic();
        assertLeading();
      },
      sending: (node) => answers.sent(node),
      clock,
      hasNews: () => answers.hasNews,
    });
    const received = (node: string): void => answers.received(node, applier.isWriting(node));
    const reconciler = new Reconciler({
      reflectors,
      podViews,
      hookJobs,
      checks,
      drainer,
      applier,
      podEvents,
      announcer: new Announcer(events, logger, metrics.phaseChanged),
      throttle: new ProgressThrottle(),
      ...(config.nodeConditions && {
        lifecycle: new LifecycleSignals({ client, nodes: reflectors.nodes, logger, now, assertLeading }),
      }),
      ...(notifications !== undefined && {
        notifier: new Notifier({
          config: notifications,
          clock,
          random,
          now,
          logger,
          assertLeading,
          changed: wake,
          onOutcome: metrics.notified,
          onWaiting: metrics.notificationsWait,
        }),
      }),
      self,
      retry: { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs },
      kubernetes: () => serverVersion.current,
      hookNamespaces: config.hookNamespaces,
      prometheusHosts: config.prometheusHosts,
      now,
      clock,
      logger,
      ...(variant !== undefined && { decide: variant.decide }),
      handOver: () => {
        if (variant !== undefined) return variant.handOver((holder) => elector.handOver(holder));
        const to = standbyPod(reflectors, self);
        if (to === undefined) return;
        logger.info({ action: 'HandOver', to }, 'this node is next: another replica takes over');
        elector.handOver(to).catch((error) => logger.warn({ error }, 'the lease could not be handed over'));
      },
      answers,
      onDecision: (world, decision, milliseconds) => {
        metrics.decided(world, decision, milliseconds);
        variant?.onDecision(world, decision);
      },
    });
    const queue = new WorkQueue<string>({
      worker: async (_key, passSignal) => {
        progressedAt = clock.monotonic();
        try {
          return await reconciler.pass(passSignal);
        } finally {
          progressedAt = undefined;
        }
      },
      concurrency: 1,
      backoff: { baseMs: 500, maxMs: 10_000, jitter: 0.5 },
      random,
      clock,
      logger,
    });
    term = { queue, drainer, received };
    metrics.leads(true);
    logger.info({ identity: config.identity }, 'the caches are filled: deciding');
    wake();
    try {
      await queue.run(leading);
    } finally {
      term = undefined;
      metrics.leads(false);
      metrics.forget();
      await reconciler.stop();
      logger.info({ identity: config.identity }, 'all work of the term has ended');
    }
  };

  const elector = new Elector({
    client,
    namespace: config.namespace,
    name: config.leaseName,
    identity: config.identity,
    leaseDurationMs: config.leaseDurationMs,
    renewIntervalMs: config.renewIntervalMs,
    giveUpAfterMs: config.giveUpAfterMs,
    clock,
    random,
    logger,
    onStartedLeading: lead,
  });

  const app = createApp({
    registry: metrics.registry,
    healthy: () => progressedAt === undefined || clock.monotonic() - progressedAt < STUCK_MS,
    waitsFor: reflectors.unsynced,
  });
  const server = config.listen && (await serve(app, config.listen));
  const { address, port } = (server?.address() ?? {}) as Partial<AddressInfo>;
  logger.info(
    { version: VERSION, identity: config.identity, server: credentials.server.href, ...(server && { listen: `${address}:${port}` }) },
    'controller started',
  );
  for (const [webhook, readable] of notifications === undefined ? [] : await readableReceivers(notifications))
    if (!readable) logger.warn({ webhook }, 'the Secret of a webhook is missing, or holds no URL: what it is to be told waits for it');
  try {
    await Promise.all([reflectors.run(signal), elector.run(signal)]);
  } finally {
    server?.close();
    server?.closeAllConnections();
    client.close();
    evictingClient.close();
    logger.info({}, 'controller stopped');
  }
}

async function serve(app: RequestListener, listen: NonNullable<ControllerSettings['listen']>): Promise<Server> {
  const server = createServer(app).listen(listen);
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return server;
}

interface Term {
  queue: WorkQueue<string>;
  drainer: Drainer;
  /** A watch has told of a node. */
  received: (node: string) => void;
}
