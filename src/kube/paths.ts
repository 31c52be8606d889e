/** Query parameters; those that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The request's URL under a server that may have a path of its own. */
export function requestUrl(server: URL, path: string, query: Query = {}): URL {
  const url = new URL(server.pathname.replace(/\/+$/, '') + path, server);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.append(name, String(value));
  return url;
}

/** `/api/v1/namespaces/a/pods/b/eviction` → `pods/eviction`: short enough for a metric's label. `other` for what is no resource. */
export function resourceOf(path: string): string {
  const segments = (path.split('?', 1)[0] ?? '').split('/').filter((segment) => segment !== '');
  let rest = segments[0] === 'api' ? segments.slice(2) : segments[0] === 'apis' ? segments.slice(3) : [];
  // A third segment other than a namespace's own subresource means that the namespace is only where the object lies.
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize') rest = rest.slice(2);
  const [resource, , subresource] = rest;
  if (resource === undefined) return 'other';
  return subresource === undefined ? resource : `${resource}/${subresource}`;
}
