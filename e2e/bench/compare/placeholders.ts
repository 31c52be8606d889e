/** What a contender's commands, environment and manifests may name in braces. */
export const placeholders = {
  kubeconfig: 'a kubeconfig: of the pod that runs, or of an administrator in install, ready and begin (also in KUBECONFIG)',
  namespace: "the contender's namespace",
  version: 'the release that all nodes are to run, such as 1.26.1',
  maxUnavailable: 'how many nodes may be unavailable at once',
  nodes: 'how many nodes there are',
  server: "the API server's address, such as https://127.0.0.1:6443",
  node: 'the name of the node that the pod is on',
  pod: "the pod's name",
  socket: "the host's API socket",
  root: "a folder that stands for the host's root: run/api.sock, bin/apiclient, proc/sys/kernel/random/boot_id",
  bootIdFile: "a file that holds the host's boot ID",
  serviceAccountDir: "a folder with the pod's token, ca.crt and namespace",
} as const;

/** Of a pod, with a name of the contender's own: `port:metrics` is a free port, `token:AUDIENCE` a file with a token for that audience. */
const named = ['port', 'token'] as const;

type PlainPlaceholder = keyof typeof placeholders;
/** The values of some placeholders; `port:metrics` among them where it is named. */
export type Values = ReadonlyMap<string, string>;

/** Placeholders that only a pod has. */
const ofPods: readonly PlainPlaceholder[] = ['node', 'pod', 'socket', 'root', 'bootIdFile', 'serviceAccountDir'];

/** `${HOME}` is a shell's, `{.status.phase}` a JSONPath: neither is meant. */
const pattern = /(?<!\$)\{([a-zA-Z]+(?::[a-zA-Z0-9.-]+)?)\}/g;

/** The placeholders of a text, without their braces. */
export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

/** Why a text cannot be filled in; undefined where it can. */
export function unknownPlaceholder(text: string, where: 'pod' | 'step'): string | undefined {
  for (const name of placeholdersIn(text)) {
    const isOfPods = named.some((prefix) => name.startsWith(`${prefix}:`)) || (ofPods as readonly string[]).includes(name);
    if (!isOfPods && !Object.hasOwn(placeholders, name)) return `there is no placeholder {${name}}; --help lists them`;
    if (isOfPods && where === 'step') return `{${name}} is known to the programs of pods only`;
  }
  return undefined;
}

/** Puts the values in; a name without a value is left as it stands. */
export function fill(text: string, values: Values): string {
  return text.replace(pattern, (whole, name: string) => values.get(name) ?? whole);
}
