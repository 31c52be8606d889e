import { rm, stat } from 'node:fs/promises';
import { build } from 'esbuild';

/** Bundles are ES modules; what they contain of CommonJS still asks for `require`. */
const banner = { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" };

const bundles = { 'dist/lockkeeper.js': 'src/main.ts', 'dist/lockkeeper-agent.js': 'src/agent/main.ts' };

await rm('dist', { recursive: true, force: true });
for (const [outfile, entry] of Object.entries(bundles)) {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner,
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  console.log(`${outfile}  ${Math.round((await stat(outfile)).size / 1024)} kB`);
}
