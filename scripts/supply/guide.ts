import type { BundledPackage } from './packages.ts';

/** Why we have each package that we name ourselves. */
const WHY: Readonly<Record<string, string>> = {
  '@aws-sdk/client-dynamodb': 'the lock of `lockkeeper-ecs`',
  '@aws-sdk/client-ecs': 'container instances and their tasks',
  '@aws-sdk/client-ec2': 'instances of a cluster on Amazon ECS',
  '@aws-sdk/client-ssm': "a host's update API, by commands of AWS Systems Manager",
  '@kubernetes/client-node': "people's kubeconfigs: merged files, plug-ins, OIDC; loaded where one is read, in no pod",
  '@preact/signals': "the state of the dashboard's page",
  commander: 'command lines and their help',
  croner: 'windows by cron, right across changes of summer time',
  express: 'metrics, probes, and the dashboard',
  picocolors: 'colours of `kubectl lockkeeper`',
  pino: 'logs of the controllers',
  preact: "the dashboard's page",
  'prom-client': 'metrics as Prometheus reads them',
  semver: "versions and ranges of the hosts' OS",
  socks: 'SOCKS proxies, as kubectl takes them',
  yaml: 'kubeconfigs, policy files, output as YAML',
  zod: 'schemas of the kinds, and of whatever comes from outside',
};

/** Weights change with every line that is written: told to ten kilobytes. */
const tens = (bytes: number): string => (bytes === 0 ? '' : `${Math.max(10, Math.round(bytes / 10_000) * 10)}`);
const COLUMNS = ['lockkeeper.js', 'lockkeeper-agent.js', 'kubectl-lockkeeper.js', 'lockkeeper-ecs.js', 'page'];
const weights = ({ bytes }: BundledPackage): string => COLUMNS.map((bundle) => tens(bytes[bundle] ?? 0)).join(' | ');

/** docs/dependencies.md. */
export function dependenciesGuide(packages: readonly BundledPackage[], named: ReadonlySet<string>): string {
  const own = packages.filter(({ name }) => named.has(name));
  const others = packages.filter(({ name }) => !named.has(name));
  const licenses = [...Map.groupBy(packages, ({ license }) => license)].map(([license, of]) => `${of.length} ${license}`).sort();
  return `<!-- Generated from what is bundled by scripts/generate-dependencies.ts: edit scripts/supply/guide.ts. -->

# What is bundled

The programs are bundles of one file each, made by esbuild; what is listed here is really in one, by esbuild's own account, and all else of \`node_modules\` reaches
nobody: ${packages.length} packages, ${licenses.join(', ')}. Their licences go with the image as \`/app/THIRD-PARTY-LICENSES\`. A test fails where this page is out of date, a licence is not one of those
that are allowed, or a package is there for no reason that is given here. Weights are kilobytes, to the next ten, and change with the code.

| package | version | licence | why | controller | agent | kubectl | ECS | page |
|---|---|---|---|---|---|---|---|---|
${own.map((one) => `| ${one.name} | ${one.version} | ${one.license} | ${WHY[one.name] ?? ''} | ${weights(one)} |`).join('\n')}

## What these bring along

| package | version | licence | brought by | controller | agent | kubectl | ECS | page |
|---|---|---|---|---|---|---|---|---|
${others.map((one) => `| ${one.name} | ${one.version} | ${one.license} | ${shortened(one.broughtBy)} | ${weights(one)} |`).join('\n')}

## To check it

- Every build writes \`dist/sbom.cdx.json\` (\`make sbom\` too): CycloneDX of the packages above and no other, with npm's checksums, who brings which, and
  which bundle each is in. The image has that of its own two programs, with Node and Debian's packages, as \`/app/sbom.cdx.json\`
  ([image.md](image.md#what-is-in-it)). The same commit gives the same bytes. A test fails where a package to which a program's source map leads is not in it.
- \`make audit\` asks npm's registry for known vulnerabilities of all that is installed. The registry that is reached where this is developed does not answer such
  questions (405), so it has **not** been run there: run it where you build.
- The bundles are reproducible: a test builds them in two folders and compares. So is the image ([image.md](image.md#reproducible)).
`;
}

const shortened = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');

/** Packages that we name, and give no reason for. */
export const unexplained = (packages: readonly BundledPackage[], named: ReadonlySet<string>): string[] =>
  packages.filter(({ name }) => named.has(name) && WHY[name] === undefined).map(({ name }) => name);

/** A page without its weights. */
export const withoutWeights = (guide: string): string => guide.replaceAll(/(?: \| \d*){5} \|$/gm, ' |');
