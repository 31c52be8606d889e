import { parseServerVersion } from '../cluster/server-version.ts';
import type { KubernetesVersion } from '../core/world.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';

/** The control plane's version, asked for whenever a connection to it is new: it is upgraded only across a restart. */
export class ServerVersion {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #logger: Logger;
  readonly #onChange: () => void;
  #current: KubernetesVersion | undefined;

  constructor(client: Pick<KubeClient, 'get'>, logger: Logger, onChange: () => void) {
    this.#client = client;
    this.#logger = logger;
    this.#onChange = onChange;
  }

  /** What it said last; undefined as long as it has said nothing that can be read. */
  get current(): KubernetesVersion | undefined {
    return this.#current;
  }

  /** Asks for it; what was known stays where there is no answer. */
  ask(signal: AbortSignal): void {
    this.#client.get('/version', { signal }).then(
      (answer) => this.#take(answer),
      (error: unknown) => {
        if (!signal.aborted) this.#logger.warn({ error }, 'the control plane does not say its version: asked again at the next connection');
      },
    );
  }

  #take(answer: unknown): void {
    const parsed = parseServerVersion(answer);
    if (!parsed.success) {
      this.#logger.warn({ error: parsed.error }, 'the control plane’s version cannot be read');
      return;
    }
    const { data: version } = parsed;
    if (version.major === this.#current?.major && version.minor === this.#current.minor) return;
    this.#current = version;
    this.#logger.info({ kubernetes: `${version.major}.${version.minor}` }, 'the control plane says its version');
    this.#onChange();
  }
}
