import { BlockList, isIP } from 'node:net';
import { CredentialsError, type Dial, type ProxyEnvironment } from './credentials.ts';
import { socksDial } from './socks.ts';

/** How one comes to an API server: at most one of the two. */
export interface Way {
  proxy?: ProxyEnvironment;
  dial?: Dial;
}

/** The way that a kubeconfig's `proxy-url` names, else the user's environment; straight to this machine itself, unless the kubeconfig says so. */
export function wayTo(server: URL, own: string | undefined, environment: ProxyEnvironment | undefined): Way {
  if (own) return wayBy("the kubeconfig's proxy-url", own, { HTTPS_PROXY: own, HTTP_PROXY: own });
  if (environment === undefined || isLoopback(server)) return {};
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const url = environment[name] ?? environment[name.toLowerCase()];
  if (url === undefined || !isSocks(url)) return { proxy: environment };
  return isPassedBy(server, environment['NO_PROXY'] ?? environment['no_proxy'] ?? '') ? {} : wayBy(name, url, environment);
}

function wayBy(what: string, url: string, proxy: ProxyEnvironment): Way {
  if (isSocks(url)) {
    const parsed = URL.parse(url);
    if (parsed !== null && parsed.hostname !== '') return { dial: socksDial(parsed) };
  } else if (/^https?:\/\/./.test(url)) return { proxy };
  throw new CredentialsError(`${what} is ${url}: it must be http://, https:// or socks5:// with a host`, { retryable: false });
}

const isSocks = (url: string): boolean => /^socks5h?:/i.test(url);

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

/** Whether NO_PROXY names a server: `*`, a host with all below it, an address or a range of addresses; each may name a port. */
export function isPassedBy(server: URL, list: string): boolean {
  const host = server.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const port = server.port === '' ? (server.protocol === 'https:' ? '443' : '80') : server.port;
  return list.split(',').some((each) => {
    const entry = each.trim().toLowerCase();
    if (entry === '') return false;
    if (entry === '*') return true;
    const [, address, length] = /^(.+)\/(\d+)$/.exec(entry) ?? [];
    if (address !== undefined) return isIn(host, address, Number(length));
    const [, bare = entry, only] = /^\[?(.*?)\]?:(\d+)$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
    if (only !== undefined && only !== port) return false;
    const name = bare.replace(/^\[(.*)\]$/, '$1').replace(/^\*?\./, '');
    return host === name || (isIP(name) === 0 && host.endsWith(`.${name}`));
  });
}

function isIn(host: string, address: string, length: number): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || length > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  range.addSubnet(address, length, type);
  return range.check(host, type);
}
