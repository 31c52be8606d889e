/** The dashboard's page alone has JSX; elsewhere `<T>` begins a type. */
const swc = (tsx) => [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax: 'typescript', tsx },
      transform: { react: { runtime: 'automatic', importSource: 'preact' } },
      target: 'es2024',
      experimental: { keepImportAttributes: true },
    },
    module: { type: 'es6' },
  },
];

const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: { '\\.ts$': swc(false), '\\.tsx$': swc(true) },
};

/** `unit` needs nothing but Node; `e2e` starts control planes (e2e/README.md); `nodes` real kubelets, as root (e2e/nodes/README.md); `faults` long ones; `kind` a kind cluster. */
export default {
  // For what hangs; on a busy machine a test may take its time.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/scripts/count-reporter.mjs'],
  projects: [
    {
      ...shared,
      displayName: 'unit',
      rootDir: '.',
      testMatch: ['<rootDir>/{src,scripts,e2e/bed,e2e/host,e2e/bench,e2e/demo}/**/*.test.{ts,tsx}', '<rootDir>/e2e/kind/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/e2e/bench/compare/beds/'],
    },
    {
      ...shared,
      displayName: 'e2e',
      rootDir: '.',
      testEnvironment: '<rootDir>/e2e/bed/jest-environment.mjs',
      testMatch: ['<rootDir>/e2e/scenarios/**/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'nodes',
      rootDir: '.',
      testEnvironment: '<rootDir>/e2e/bed/jest-environment.mjs',
      testMatch: ['<rootDir>/e2e/nodes/**/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'faults',
      rootDir: '.',
      testEnvironment: '<rootDir>/e2e/bed/jest-environment.mjs',
      testMatch: ['<rootDir>/e2e/faults/**/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'ecs',
      rootDir: '.',
      testEnvironment: '<rootDir>/e2e/bed/jest-environment.mjs',
      testMatch: ['<rootDir>/e2e/ecs/**/*.test.ts'],
    },
    { ...shared, displayName: 'compare', rootDir: '.', testMatch: ['<rootDir>/e2e/bench/compare/beds/*.test.ts'] },
    { ...shared, displayName: 'kind', rootDir: '.', testMatch: ['<rootDir>/e2e/kind/scenarios/**/*.test.ts'] },
  ],
};
