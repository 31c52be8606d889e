import { type CliOptions, parseCommandLine } from './cli-options.ts';
import { type HostTimings, SimulatedHost } from './host.ts';

const noTime: Partial<HostTimings> = {
  refreshMs: 0,
  prepareMs: 0,
  activateMs: 0,
  rebootCommandMs: 0,
  bootMs: 0,
  slowBootMs: 0,
  renderMs: 0,
};

const print = (text: string) => process.stdout.write(`${new Date().toISOString()} ${text}\n`);

async function run(options: CliOptions): Promise<void> {
  const { socketPath, version, variant, arch, seed, bootIDFile } = options;
  const host = new SimulatedHost({
    socketPath,
    os: { version, variant, arch },
    repository: { releases: options.repository.map((each) => ({ version: each, variant, arch })) },
    ...(options.fast ? { timings: noTime } : {}),
    ...(seed === undefined ? {} : { seed }),
    ...(bootIDFile === undefined ? {} : { bootIDFile }),
  });
  for (const [name, times] of options.faults) host.faults.arm(name, times);
  host.on('request', ({ method, path, status }) => print(`${method} ${path} ${status ?? 'no answer'}`));
  host.on('rebooting', () => print('down: the socket is gone'));
  host.on('booted', ({ bootID }) => print(`up again: ${host.os.prettyName}, boot ID ${bootID}`));
  // A host that is down holds no handle of its own.
  const alive = setInterval(() => {}, 60_000);
  const stop = () => {
    clearInterval(alive);
    process.removeAllListeners('SIGUSR2');
    host.stop().then(() => print('stopped'), fail);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  process.on('SIGUSR2', () => {
    host.release().catch(fail);
  });
  await host.start();
  print(`${host.os.prettyName} listens on ${socketPath}, boot ID ${host.bootID}`);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

const command = parseCommandLine(process.argv.slice(2));
if ('refusal' in command) {
  process.stderr.write(`${command.refusal} (see --help)\n`);
  process.exitCode = 2;
} else if ('print' in command) {
  process.stdout.write(command.print);
} else {
  run(command.run).catch(fail);
}
