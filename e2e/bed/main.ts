import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { startBed } from './bed.ts';

const usage = `Starts a bed to try things on by hand, until Ctrl-C.

  node e2e/bed/main.ts [--machines 3] [--version 1.26.0] [--release 1.26.1]… [--chart] [--values '{"controller":{"replicas":1}}']

  --release adds a version to the update repository; --chart installs the chart (the programs must have been built).
`;

const { values } = parseArgs({
  options: {
    machines: { type: 'string', default: '3' },
    version: { type: 'string', default: '1.26.0' },
    release: { type: 'string', multiple: true, default: [] },
    chart: { type: 'boolean', default: false },
    values: { type: 'string', default: '{}' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  const releases = values.release.map((version) => ({ version, variant: 'aws-k8s-1.31', arch: 'x86_64' }));
  const bed = await startBed({ releases });
  try {
    await bed.addMachines(Number(values.machines), { version: values.version });
    if (values.chart) await bed.installChart({ values: JSON.parse(values.values) as object });
    console.log(`export KUBECONFIG=${bed.kubeconfig}\n# logs: ${bed.home.out}\n# Ctrl-C ends it`);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  } finally {
    await bed.stop();
  }
}
