import type { HostClient } from '../host-client.ts';
import type { LetterboxClient } from '../letterbox.ts';

/** When an agent is to die: at one of its requests to host or API server, before it is sent or after it was carried out. */
export interface CrashPlan {
  /** The nth request, or the first of a name such as `reboot`, `start activate`, `mergePatch`. */
  readonly request: number | string;
  readonly when: 'before' | 'after';
}

export interface Wires {
  readonly host: HostClient;
  readonly kube: LetterboxClient;
  /** Resolves when the agent has died. */
  readonly died: Promise<void>;
  /** Names of the requests so far. */
  readonly requests: readonly string[];
}

class Crash extends Error {
  override readonly name = 'Crash';
}

/** Clients that die as planned: whatever the program does after that reaches nobody, as after a SIGKILL. */
export function crashing(host: HostClient, kube: LetterboxClient, plan: CrashPlan | undefined): Wires {
  const requests: string[] = [];
  const death = Promise.withResolvers<void>();
  let dead = false;
  const die = (): never => {
    dead = true;
    death.resolve();
    throw new Crash('killed');
  };
  const through = async <T>(name: string, send: () => Promise<T>): Promise<T> => {
    if (dead) die();
    requests.push(name);
    const fatal = plan?.request === name || plan?.request === requests.length;
    if (fatal && plan?.when === 'before') die();
    const answer = await (fatal ? send().catch(() => undefined as T) : send());
    if (dead || fatal) die();
    return answer;
  };
  return {
    requests,
    died: death.promise,
    host: new Proxy(host, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          const [first] = args;
          const called = typeof first === 'string' ? `${String(name)} ${first}` : String(name);
          return through(called, () => Reflect.apply(member, target, args) as Promise<unknown>);
        };
      },
    }),
    kube: {
      get: (...args) => through('get', () => kube.get(...args)) as never,
      mergePatch: (...args) => through('mergePatch', () => kube.mergePatch(...args)) as never,
      listPages: (...args) => kube.listPages(...args),
      watch: (...args) => kube.watch(...args),
    },
  };
}
