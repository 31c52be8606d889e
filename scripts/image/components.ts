import type { Component } from '../supply/sbom.ts';
import type { Architecture, Pins } from './pins.ts';

/** The Node of the image, as a bill of materials names it; what is linked into it (OpenSSL, V8, …) is Node's. */
export function nodeComponent({ node }: Pins, architecture: Architecture): Component {
  const { integrity } = node[architecture];
  const hash = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  return {
    'bom-ref': `node@${node.version}`,
    type: 'platform',
    name: 'node',
    version: node.version,
    purl: `pkg:generic/node@${node.version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${node.version}:*:*:*:*:*:*:*`,
    hashes: [{ alg: 'SHA-512', content: hash }],
    licenses: [{ license: { id: 'MIT' } }],
  };
}

/** The Debian packages that files of the image are taken from; their licences lie in `/usr/share/doc`. */
export const debianComponents = ({ debian }: Pins, architecture: Architecture): Component[] =>
  debian[architecture].map(({ name, version, sha256 }) => ({
    'bom-ref': `${name}@${version}`,
    type: 'library',
    name,
    version,
    purl: `pkg:deb/debian/${name.replaceAll('+', '%2B')}@${encodeURIComponent(version)}?arch=${architecture}&distro=${debian.release}`,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  }));
