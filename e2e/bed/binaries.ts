import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type BedEnvironment, bedEnvironment } from './config.ts';

const run = promisify(execFile);
const toolsFolder = fileURLToPath(new URL('../tools', import.meta.url));

type ToolModule = 'kubernetes' | OtherKubernetes | 'kubelet' | 'kwok' | 'helm' | 'prometheus' | 'kubeconform';
/** A control plane of another minor version than ours: e2e/tools has a folder of that name. */
type OtherKubernetes = `kubernetes-1.${number}`;

interface Tool {
  readonly module: ToolModule;
  readonly package: string;
  /** What a first build costs, from nothing, on two cores. */
  readonly cost: string;
}

const tools = {
  etcd: { module: 'kubernetes', package: 'go.etcd.io/etcd/server/v3', cost: 'about 15 s' },
  'kube-apiserver': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-apiserver', cost: 'about 5 min' },
  'kube-controller-manager': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-controller-manager', cost: 'about 80 s' },
  'kube-scheduler': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-scheduler', cost: 'about 10 s' },
  kubectl: { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', cost: 'about 25 s' },
  // Of a module of their own, so that what they need does not put the control plane's cache out of date.
  kubelet: { module: 'kubelet', package: 'k8s.io/kubernetes/cmd/kubelet', cost: 'about 8 min, 70 s after the control plane' },
  'kube-proxy': { module: 'kubelet', package: 'k8s.io/kubernetes/cmd/kube-proxy', cost: 'about 20 s' },
  kwok: { module: 'kwok', package: 'sigs.k8s.io/kwok/cmd/kwok', cost: 'about 90 s' },
  helm: { module: 'helm', package: 'helm.sh/helm/v4/cmd/helm', cost: 'about 150 s' },
  promtool: { module: 'prometheus', package: 'github.com/prometheus/prometheus/cmd/promtool', cost: 'about 3 min' },
  kubeconform: { module: 'kubeconform', package: 'github.com/yannh/kubeconform/cmd/kubeconform', cost: 'about 5 s' },
} as const satisfies Record<string, Tool>;

/** The name of a program that the bed starts. */
export type ToolName = keyof typeof tools;

/** The bed cannot get a program; a retry helps only after a person has done what the message says. */
export class BinaryError extends Error {
  override readonly name = 'BinaryError';
}

const toolNames = Object.keys(tools) as ToolName[];
/** What no bed of processes starts: the machines of e2e/nodes do, or a test that looks at files. */
const notOfTheBed = ['kubelet', 'kube-proxy', 'promtool', 'kubeconform'] as const satisfies readonly ToolName[];
const fromKubebuilder: readonly ToolName[] = ['etcd', 'kube-apiserver', 'kubectl'];
/** What is taken from a control plane of another version; etcd and kubectl are ours. */
const ofTheVersion: readonly ToolName[] = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

export interface BinariesOptions<T extends ToolName> {
  readonly environment?: BedEnvironment;
  /** Only these are looked for; all that an unprivileged bed starts when left out. */
  readonly only?: readonly T[];
  /** Told what is being built; nothing is said while everything is cached. */
  readonly progress?: (line: string) => void;
}

/**
 * Finds the programs that the bed starts, and builds those that are missing into a cache folder that outlives the clone.
 * Two builders side by side are safe: each builds under a name of its own and renames it at the end.
 */
export async function binaries<T extends ToolName = Exclude<ToolName, (typeof notOfTheBed)[number]>>(
  options: BinariesOptions<T> = {},
): Promise<Readonly<Record<T, string>>> {
  const { environment = bedEnvironment(), progress = (line) => console.error(line) } = options;
  const found: Partial<Record<ToolName, string>> = {};
  for (const name of options.only ?? toolNames.filter((each) => !(notOfTheBed as readonly ToolName[]).includes(each))) {
    found[name] = (await fromAssets(name, environment.kubebuilderAssets)) ?? (await fromCache(name, environment, progress));
  }
  return found as Record<T, string>;
}

async function fromAssets(name: ToolName, assets: string | undefined): Promise<string | undefined> {
  if (assets === undefined || !fromKubebuilder.includes(name)) return undefined;
  const file = path.resolve(assets, name);
  return (await isExecutable(file)) ? file : undefined;
}

async function fromCache(name: ToolName, environment: BedEnvironment, progress: (line: string) => void): Promise<string> {
  const tool: Tool = { ...tools[name], module: await moduleOf(name, environment) };
  const { folder, version } = await moduleFolder(tool.module, environment.cache);
  const file = path.join(folder, name);
  if (await isExecutable(file)) return file;
  await mkdir(folder, { recursive: true });
  const unfinished = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  progress(`building ${name} (${tool.cost} on two cores from nothing, once)…`);
  const startedAt = performance.now();
  try {
    await goBuild(tool, version, unfinished);
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
  progress(`built ${name} in ${Math.round((performance.now() - startedAt) / 1000)} s: ${file}`);
  return file;
}

async function moduleOf(name: ToolName, { kubernetes }: BedEnvironment): Promise<ToolModule> {
  const { module } = tools[name];
  if (kubernetes === undefined || !ofTheVersion.includes(name)) return module;
  const own = requiredVersion(await readFile(path.join(toolsFolder, 'kubernetes', 'go.mod'), 'utf8'), 'kubernetes');
  if (own.startsWith(`v${kubernetes}.`)) return module;
  const others = (await readdir(toolsFolder)).filter(isOtherKubernetes);
  const found = others.find((folder) => folder === `kubernetes-${kubernetes}`);
  if (found !== undefined) return found;
  const minors = others.map((folder) => folder.slice('kubernetes-'.length)).join(', ');
  throw new BinaryError(`e2e/tools has no control plane of Kubernetes ${kubernetes}, but ${own.slice(1)}, and those of ${minors}`);
}

const isOtherKubernetes = (folder: string): folder is OtherKubernetes => /^kubernetes-1\.\d+$/.test(folder);

const folders = new Map<string, Promise<{ folder: string; version: string }>>();

/** The module's cache folder, named by all that decides what a build gives. */
function moduleFolder(module: ToolModule, cache: string): Promise<{ folder: string; version: string }> {
  const key = `${module}\n${cache}`;
  let known = folders.get(key);
  if (known === undefined) {
    known = lookUp();
    folders.set(key, known);
  }
  return known;

  async function lookUp() {
    const source = path.join(toolsFolder, module);
    const [goMod, goSum, goVersion] = await Promise.all([
      readFile(path.join(source, 'go.mod'), 'utf8'),
      readFile(path.join(source, 'go.sum'), 'utf8'),
      goToolchain(source),
    ]);
    const digest = createHash('sha256').update(`${goMod}\0${goSum}\0${goVersion}`).digest('hex').slice(0, 16);
    return { folder: path.join(cache, 'tools', `${module}-${digest}`), version: requiredVersion(goMod, module) };
  }
}

/** The version of the module's main subject, as its go.mod requires it, such as `v1.36.3`. */
export function requiredVersion(goMod: string, module: ToolModule): string {
  const subject = requiredSubject(module);
  const line = goMod
    .split('\n')
    .map((text) => text.replace(/^\s*require\s+/, '').trim())
    .find((text) => text.startsWith(`${subject} v`));
  const version = line?.split(/\s+/)[1];
  if (version === undefined) throw new BinaryError(`e2e/tools/${module}/go.mod requires no version of ${subject}`);
  return version;
}

function requiredSubject(module: ToolModule): string {
  if (isOtherKubernetes(module)) return 'k8s.io/kubernetes';
  return {
    kubernetes: 'k8s.io/kubernetes',
    kubelet: 'k8s.io/kubernetes',
    kwok: 'sigs.k8s.io/kwok',
    helm: 'helm.sh/helm/v4',
    prometheus: 'github.com/prometheus/prometheus',
    kubeconform: 'github.com/yannh/kubeconform',
  }[module];
}

async function goToolchain(folder: string): Promise<string> {
  try {
    const { stdout } = await run('go', ['env', 'GOVERSION', 'GOOS', 'GOARCH'], { cwd: folder });
    return stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new BinaryError('go is not installed: the test bed builds its control plane with Go 1.26 or newer (https://go.dev/dl), once');
    }
    throw new BinaryError(`go env failed in ${folder}`, { cause: error });
  }
}

function goBuild(tool: Tool, version: string, output: string): Promise<void> {
  const flags = ['-s', '-w'];
  if (requiredSubject(tool.module) === 'k8s.io/kubernetes') {
    const [major, minor] = version.slice(1).split('.');
    const variable = 'k8s.io/component-base/version';
    flags.push(`-X ${variable}.gitVersion=${version}`, `-X ${variable}.gitMajor=${major}`, `-X ${variable}.gitMinor=${minor}`);
  }
  return new Promise((resolve, reject) => {
    const child = spawn('go', ['build', '-trimpath', '-ldflags', flags.join(' '), '-o', output, tool.package], {
      cwd: path.join(toolsFolder, tool.module),
      env: { ...process.env, CGO_ENABLED: '0' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new BinaryError(`go build ${tool.package} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  try {
    const found = await binaries();
    for (const [name, file] of Object.entries(found)) console.log(`${name.padEnd(24)} ${file}`);
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
