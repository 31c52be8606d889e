/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-is-pure',
      comment: 'src/core decides; it reads no clock, no cluster and no file. It may use the kinds and libraries without effects.',
      severity: 'error',
      from: { path: '^src/core/', pathNot: '\\.test\\.ts$|^src/core/testing/' },
      to: { pathNot: '^src/core/|^src/api/|^node_modules/(semver|@types/semver|croner)/' },
    },
    {
      name: 'api-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/api/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^src/api/|^node_modules/zod/' },
    },
    {
      name: 'kube-knows-no-other-room',
      severity: 'error',
      from: { path: '^src/kube/' },
      to: { path: '^src/(core|cluster|controller|agent|cli|dashboard)/' },
    },
    {
      name: 'cluster-only-reads-objects',
      comment:
        "src/cluster says what objects of the API server mean, for the controller and for people's own programs: no client, no clock.",
      severity: 'error',
      from: { path: '^src/cluster/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^src/(cluster|core|api)/|^node_modules/zod/|^crypto$' },
    },
    {
      name: 'cli-runs-no-loops',
      comment:
        "People's own program reads, plans and annotates; what acts stays in the controller. One command alone is a controller for a while.",
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '\\.test\\.ts$|^src/cli/release/run\\.ts$' },
      to: { path: '^src/(controller|agent)/|^src/kube/(elector|lease|work-queue)|node_modules/(express|pino|prom-client)/' },
    },
    {
      name: 'cli-loads-loops-on-demand',
      comment: 'No other command waits for what a release needs.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(controller|agent)/', dynamic: false },
    },
    {
      name: 'only-servers-serve',
      comment: 'What listens is the controller, and the dashboard on the user’s own machine.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(controller|dashboard/server)/' },
      to: { path: 'node_modules/express/' },
    },
    {
      name: 'page-runs-in-a-browser',
      comment: 'The page has what goes over the wire, words of ours that stand for themselves, and libraries for browsers.',
      severity: 'error',
      from: { path: '^src/dashboard/page/', pathNot: '\\.test\\.tsx?$|/testing/' },
      to: { pathNot: '^src/dashboard/(page/|wire\\.ts)|^src/core/(lasting|reasons)\\.ts|^node_modules/@?preact' },
    },
    {
      name: 'agent-stays-small',
      comment: 'No Kubernetes client library, no web framework, nothing of the controller in the agent.',
      severity: 'error',
      from: { path: '^src/agent/', pathNot: '\\.test\\.ts$|/testing/' },
      to: {
        reachable: true,
        path: '^src/(core|cluster|controller|cli|dashboard)/|node_modules/(@kubernetes|express|pino|prom-client|commander)/',
      },
    },
    {
      name: 'aws-only-in-ecs',
      comment: 'Who runs on Kubernetes loads nothing of the AWS SDK.',
      severity: 'error',
      from: { path: '^src/(api|core|kube|cluster|controller|agent|cli|dashboard)/|^src/main\\.ts$' },
      to: { path: '^src/ecs/|node_modules/@(aws-sdk|smithy)/' },
    },
    {
      name: 'client-node-on-demand',
      comment:
        'In a pod nobody needs the library of people’s kubeconfigs, and it is a fifth of the memory: one static import would load it in every controller.',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/kube/kubeconfig\\.ts$', dynamic: false },
    },
    {
      name: 'no-product-code-from-tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$|/testing/' },
      to: { path: '^(e2e|scripts)/|\\.test\\.ts$|/testing/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'] },
  },
};
