import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildImage, buildRootfs, type ImageFacts } from './image/build.ts';
import { ImageError } from './image/command.ts';
import { repository } from './image/config.ts';
import { type Architecture, architectures } from './image/pins.ts';

const usage = `node scripts/build-image.ts [--arch amd64,arm64] [--output dist/image] [--bundles dist]
  one OCI archive an architecture, with what is in it beside it as CycloneDX, and image.json
node scripts/build-image.ts --rootfs FOLDER [--arch amd64]
  the image's files alone, for the Dockerfile`;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function print(facts: ImageFacts): void {
  const { startUpMilliseconds: start } = facts;
  console.log(path.relative(process.cwd(), facts.archive));
  console.log(`  ${facts.name}, linux/${facts.architecture}`);
  console.log(`  digest        ${facts.digest}`);
  console.log(`  compressed    ${megabytes(facts.compressedBytes)} (what a node downloads)`);
  console.log(`  uncompressed  ${megabytes(facts.uncompressedBytes)}`);
  if (start === undefined) console.log('  start-up      not measured: it cannot be run here');
  else
    console.log(
      `  start-up      controller ${start.lockkeeper} ms, agent ${start.agent} ms, an empty program ${start.node} ms (medians of 5)`,
    );
}

function parseArchitectures(text: string): Architecture[] {
  return text.split(',').map((name) => {
    const found = architectures.find((architecture) => architecture === name);
    if (found === undefined) throw new ImageError(`'${name}' is none of ${architectures.join(', ')}`);
    return found;
  });
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { arch: text, output: text, bundles: text, rootfs: text, help: { type: 'boolean' } } });
  if (values.help === true) return console.log(usage);
  const wanted = parseArchitectures(values.arch ?? (values.rootfs === undefined ? 'amd64,arm64' : 'amd64'));
  const bundles = path.resolve(values.bundles ?? path.join(repository, 'dist'));
  if (values.rootfs !== undefined) {
    for (const architecture of wanted) await buildRootfs(architecture, path.resolve(values.rootfs), bundles);
    return;
  }
  const output = path.resolve(values.output ?? path.join(repository, 'dist', 'image'));
  const built: ImageFacts[] = [];
  for (const architecture of wanted) {
    const facts = await buildImage({ architecture, output, bundles });
    print(facts);
    built.push({ ...facts, archive: path.basename(facts.archive), sbom: path.basename(facts.sbom) });
  }
  await writeFile(path.join(output, 'image.json'), `${JSON.stringify(built, undefined, 2)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  if (!(error instanceof ImageError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
