import type { BundledPackage } from './packages.ts';

/** What package-lock.json says of what is installed, by its folder. */
interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** Of the whole project alone: what is bundled may be among them. */
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One thing that is in what goes out, as CycloneDX has it. */
export interface Component {
  readonly 'bom-ref': string;
  readonly type: 'application' | 'container' | 'library' | 'platform';
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[];
  readonly licenses?: readonly { readonly license: { readonly id: string } }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** A bill of materials. */
export interface Sbom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.5';
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Names the bundles that a package is in. */
const BUNDLE = 'lockkeeper:bundle';

/**
 * The CycloneDX of what is bundled and nothing else, by what package-lock.json says of it. Not by `npm sbom`: npm comes with whoever
 * builds, and writes its own version, and the time; the same commit gives the same bytes here. Throws where the lock does not know a package.
 */
export function sbomOf(lock: Lock, packages: readonly BundledPackage[], version: string): Sbom {
  const refs = new Map<string, string>();
  const found = packages.map((one) => {
    const folders = foldersOf(lock, one);
    if (folders.length === 0) throw new Error(`package-lock.json does not know ${refOf(one)}`);
    for (const folder of folders) refs.set(folder, refOf(one));
    return { one, folders };
  });
  const dependsOn = (folders: readonly string[]): string[] => {
    const refsOf = folders.flatMap((folder) => {
      const { dependencies, peerDependencies, devDependencies } = lock.packages[folder] ?? {};
      const names = Object.keys({ ...dependencies, ...peerDependencies, ...devDependencies });
      return names.flatMap((name) => refs.get(resolved(lock, folder, name) ?? '') ?? []);
    });
    return [...new Set(refsOf)].sort();
  };
  const own = refOf({ name: 'lockkeeper', version });
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { ...ownComponent(version), 'bom-ref': own } },
    components: found.map(({ one, folders }) => componentOf(one, integrityOf(lock, folders))),
    dependencies: [
      { ref: own, dependsOn: dependsOn(['']) },
      ...found.map(({ one, folders }) => ({ ref: refOf(one), dependsOn: dependsOn(folders) })),
    ],
  };
}

/** What of a bill of materials is in some bundles, with what lies beside them, as that of a container image. */
export function imageSbom(sbom: Sbom, bundles: readonly string[], beside: readonly Component[]): Sbom {
  const bundled = sbom.components.filter(({ properties = [] }) =>
    properties.some(({ name, value }) => name === BUNDLE && bundles.includes(value)),
  );
  const kept = new Set([...bundled.map((one) => one['bom-ref']), sbom.metadata.component['bom-ref']]);
  const own = sbom.metadata.component['bom-ref'];
  return {
    ...sbom,
    metadata: { component: { ...sbom.metadata.component, type: 'container' } },
    components: [...bundled, ...beside],
    dependencies: sbom.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: [...dependsOn.filter((one) => kept.has(one)), ...(ref === own ? beside.map((one) => one['bom-ref']) : [])],
      })),
  };
}

const refOf = ({ name, version }: { name: string; version: string }): string => `${name}@${version}`;

/** https://github.com/package-url/purl-spec: a scope's `@` is written as `%40`. */
const npmURL = ({ name, version }: { name: string; version: string }): string => `pkg:npm/${name.replace('@', '%40')}@${version}`;

const ownComponent = (version: string): Component => ({
  'bom-ref': '',
  type: 'application',
  name: 'lockkeeper',
  version,
  purl: npmURL({ name: 'lockkeeper', version }),
  licenses: [{ license: { id: 'Apache-2.0' } }],
});

function componentOf(one: BundledPackage, integrity: string | undefined): Component {
  const [, hash] = /^sha512-(.+)$/.exec(integrity ?? '') ?? [];
  return {
    'bom-ref': refOf(one),
    type: 'library',
    name: one.name,
    version: one.version,
    purl: npmURL(one),
    ...(hash !== undefined && { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
    licenses: [{ license: { id: one.license } }],
    properties: Object.keys(one.bytes)
      .sort()
      .map((value) => ({ name: BUNDLE, value })),
  };
}

/** A package that came inside another one has no checksum of its own there. */
const integrityOf = ({ packages }: Lock, folders: readonly string[]): string | undefined =>
  folders.flatMap((folder) => packages[folder]?.integrity ?? [])[0];

/** Where a version of a package is installed; there may be several such folders. */
const foldersOf = ({ packages }: Lock, { name, version }: BundledPackage): string[] =>
  Object.keys(packages).filter((folder) => folder.split(/(?:^|\/)node_modules\//).at(-1) === name && packages[folder]?.version === version);

/** Where a package's dependency is found, as Node looks for it: beside it, and in each folder above. */
function resolved({ packages }: Lock, folder: string, name: string): string | undefined {
  for (let from = folder; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const at = `${from === '' ? '' : `${from}/`}node_modules/${name}`;
    if (packages[at] !== undefined) return at;
    if (from === '') return undefined;
  }
}
