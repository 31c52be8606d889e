import path from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import { pageAssets } from './build-page.ts';

/**
 * Bundles are ES modules; what they contain of CommonJS still asks for `require`. And before anything of them is run: an older Node would
 * end in the middle of it, with words that help nobody.
 */
const banner = {
  js: `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
{
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 24 || (major === 24 && minor < 5)) {
    console.error('error: this needs Node.js 24.5 or newer, and ' + process.execPath + ' is ' + process.version);
    process.exit(2);
  }
}`,
};

/**
 * Takes Node's own modules by `require`, and looks at nothing of them that is not used: an `import` of one reads all that it
 * exports, as esbuild's copy of a required one does, and that alone loads the whole of fetch, web streams, HTTP/2 and workers,
 * some 5 MB in every agent. So what is imported is an empty object that has the module for its prototype.
 */
const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace: 'builtin' },
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `const all = require('${path}');\nmodule.exports = typeof all === 'function' ? all : Object.create(all);`,
      loader: 'js',
    }));
  },
};

/** Each bundle, and the program that it begins with. */
export const bundles = {
  'lockkeeper.js': 'src/main.ts',
  'lockkeeper-agent.js': 'src/agent/main.ts',
  'kubectl-lockkeeper.js': 'src/cli/main.ts',
  'lockkeeper-ecs.js': 'src/ecs/main.ts',
};

/** How a bundle is built, in any folder that has the sources. */
export const bundleOptions = (root: string, entry: string): BuildOptions => ({
  absWorkingDir: root,
  entryPoints: [path.join(root, entry)],
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  banner,
  plugins: [requiredBuiltins, pageAssets],
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
});
