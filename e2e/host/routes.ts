import { type Answer, done, frameworkRefusal, notFound } from './answer.ts';
import type { ApiRequest } from './api-server.ts';
import { parseSettings } from './settings-schema.ts';
import type { SettingsStore } from './settings-store.ts';
import type { UpdateDispatcher } from './update-dispatcher.ts';

interface Parts {
  dispatcher: UpdateDispatcher;
  settings: SettingsStore;
  osInfo: () => unknown;
  reboot: () => Answer | Promise<Answer>;
  /** Starts the rendering of what was committed; returns why it could not be started. */
  applyConfig: () => string | undefined;
  random: () => number;
}

type Route = (request: ApiRequest) => Answer | Promise<Answer>;

/** The table of calls. What is not in it is a 404 without a body, a wrong method and a trailing slash too. */
export function routes(parts: Parts): Route {
  const { dispatcher, settings, random } = parts;
  const table: Record<string, Route> = {
    'GET /os': () => ({ status: 200, json: parts.osInfo() }),
    'GET /updates/status': () => dispatcher.status(),
    'POST /actions/refresh-updates': () => dispatcher.dispatch('refresh'),
    'POST /actions/prepare-update': () => dispatcher.dispatch('prepare'),
    'POST /actions/activate-update': () => dispatcher.dispatch('activate'),
    'POST /actions/deactivate-update': () => dispatcher.dispatch('deactivate'),
    'POST /actions/reboot': () => parts.reboot(),
    'GET /settings': ({ query }) => getSettings(settings, query.get('prefix')),
    'PATCH /settings': ({ query, body }) => {
      const parsed = parseSettings(body);
      if ('refusal' in parsed) return frameworkRefusal(400, `Json deserialize error: ${parsed.refusal}`);
      settings.patch(transaction(query), parsed.settings);
      return done;
    },
    'GET /tx': ({ query }) => ({ status: 200, json: settings.pending(transaction(query)) }),
    'GET /tx/list': () => ({ status: 200, json: shuffled(settings.transactions(), random) }),
    'DELETE /tx': ({ query }) => ({ status: 200, json: shuffled(settings.drop(transaction(query)), random) }),
    'POST /tx/commit': ({ query }) => commit(query, () => undefined),
    'POST /tx/commit_and_apply': ({ query }) => commit(query, parts.applyConfig),
    'POST /tx/apply': () => {
      const refusal = parts.applyConfig();
      return refusal === undefined ? { ...done, stray: 'null' } : { status: 500, text: refusal };
    },
  };

  function commit(query: URLSearchParams, apply: () => string | undefined): Answer {
    const keys = settings.commit(transaction(query));
    if (keys.length === 0) return { status: 422, text: 'Tried to commit with no pending changes' };
    const refusal = apply();
    return refusal === undefined ? { status: 200, json: shuffled(keys, random) } : { status: 500, text: refusal };
  }

  return (request) => table[`${request.method} ${request.path}`]?.(request) ?? notFound;
}

const transaction = (query: URLSearchParams) => query.get('tx') ?? 'default';

function getSettings(settings: SettingsStore, prefix: string | null): Answer {
  if (prefix === null) {
    const all = settings.live();
    return all === undefined ? { status: 404, text: "Found no 'settings' in datastore" } : { status: 200, json: all };
  }
  if (prefix === '') return { status: 400, text: "Input 'prefix' cannot be empty" };
  const full = prefix.startsWith('settings') ? prefix : `settings.${prefix}`;
  return { status: 200, json: settings.live(full) ?? {} };
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((left, right) => left.place - right.place)
    .map(({ item }) => item);
}
