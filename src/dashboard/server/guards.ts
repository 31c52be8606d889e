import type { IncomingHttpHeaders } from 'node:http';
import type { Problem } from '../wire.ts';
import type { IsToken } from './token.ts';

/** What a guard looks at of a request. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
}

/** What the server knows of itself. */
export interface Guarded {
  /** As browsers write it into Host and Origin: `127.0.0.1:4321`. */
  hosts: ReadonlySet<string>;
  isToken: IsToken;
}

/** Why a request is not answered. */
export interface Refusal {
  status: number;
  problem: Problem;
  headers?: Readonly<Record<string, string>>;
}

/** The names under which this machine itself reaches a port of its own loopback; a browser leaves out the port of http. */
export const hostsOf = (port: number): ReadonlySet<string> =>
  new Set(['127.0.0.1', 'localhost', '[::1]'].flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])]));

const METHODS: ReadonlySet<string> = new Set(['GET', 'POST']);

/** What has nothing secret in it, and comes before the page can know the token; whatever else there is or will be needs it. */
const PUBLIC: ReadonlySet<string> = new Set(['/', '/page.js', '/page.css', '/favicon.ico']);

/**
 * Keeps other pages of the same browser, other programs and other users of this machine out. In this order: the Host that was asked
 * for (a name that somebody else's DNS points here is none of ours), what the browser says of who asks, and the token, which no other
 * page can know. Undefined: nothing speaks against it.
 */
export function refusalOf({ method, path, headers }: Asked, { hosts, isToken }: Guarded): Refusal | undefined {
  const host = headers.host?.toLowerCase();
  if (host === undefined || !hosts.has(host))
    return refuse(
      403,
      'Forbidden',
      'this is not the address that the dashboard was started under: open the URL that kubectl lockkeeper dashboard printed, with its port unchanged',
    );
  if (!METHODS.has(method)) return { ...refuse(405, 'Invalid', 'only GET and POST are answered'), headers: { allow: 'GET, POST' } };
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return refuse(
      403,
      'Forbidden',
      'another page has sent you here: paste the URL that kubectl lockkeeper dashboard printed into the address bar',
    );
  const { origin } = headers;
  if (origin === undefined ? method === 'POST' : origin !== `http://${host}`)
    return refuse(403, 'Forbidden', 'only the dashboard’s own page may ask this');
  if (method === 'GET' && PUBLIC.has(path)) return undefined;
  const token = /^Bearer ([\w-]{1,128})$/.exec(headers.authorization ?? '')?.[1];
  if (token === undefined || !isToken(token))
    return refuse(
      401,
      'Unauthorized',
      'the token is missing or not the one of this dashboard: open the URL that kubectl lockkeeper dashboard printed',
    );
  return undefined;
}

const refuse = (status: number, code: Problem['code'], message: string): Refusal => ({ status, problem: { code, message } });
