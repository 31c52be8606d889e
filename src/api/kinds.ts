import { API_VERSION, GROUP } from './names.ts';

/** One of our kinds, as the API server's paths and the CRDs need it. All are cluster-scoped. */
export interface Kind {
  kind: 'UpdatePolicy' | 'NodeUpdate' | 'NodeHost';
  plural: string;
  shortNames: readonly string[];
}

export const UPDATE_POLICY: Kind = { kind: 'UpdatePolicy', plural: 'updatepolicies', shortNames: ['up'] };
export const NODE_UPDATE: Kind = { kind: 'NodeUpdate', plural: 'nodeupdates', shortNames: ['nu'] };
export const NODE_HOST: Kind = { kind: 'NodeHost', plural: 'nodehosts', shortNames: ['nh'] };

/** Path of a kind's collection, of one object, or of one's subresource. */
export function kindPath(kind: Kind, name?: string, subresource?: 'status'): string {
  const parts = [`/apis/${API_VERSION}/${kind.plural}`, name === undefined ? undefined : encodeURIComponent(name), subresource];
  return parts.filter((part) => part !== undefined).join('/');
}

/** Full name of a kind's CRD. */
export const crdName = (kind: Kind): string => `${kind.plural}.${GROUP}`;
