import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const page = (file: string): string => fileURLToPath(new URL(`../src/dashboard/page/${file}`, import.meta.url));

/** The dashboard's page as text: what the server serves, and nothing else. */
export async function buildPage(): Promise<{ html: string; js: string; css: string }> {
  const { outputFiles } = await bundlePage();
  const text = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  return { html: await readFile(page('index.html'), 'utf8'), js: text('.js'), css: text('.css') };
}

/** The page's scripts and styles, with the list of what they are made of. */
export const bundlePage = () =>
  build({
    entryPoints: [
      { in: page('main.tsx'), out: 'page' },
      { in: page('page.css'), out: 'page' },
    ],
    outdir: 'page',
    bundle: true,
    write: false,
    platform: 'browser',
    target: ['es2023', 'chrome120', 'firefox121', 'safari17'],
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });

/** Puts the page into the bundle that imports `lockkeeper:page`, so that the plugin stays one file. */
export const pageAssets: Plugin = {
  name: 'page-assets',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^lockkeeper:page$/ }, ({ path }) => ({ path, namespace: 'page' }));
    onLoad({ filter: /./, namespace: 'page' }, async () => ({
      contents: `export default ${JSON.stringify(await buildPage())};`,
      loader: 'js',
    }));
  },
};
