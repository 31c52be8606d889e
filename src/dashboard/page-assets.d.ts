/** The page as text; scripts/build-page.ts puts it into the bundle, and nothing that runs from source has it. */
declare module 'lockkeeper:page' {
  const assets: import('./server/page-assets.ts').PageAssets;
  export default assets;
}
