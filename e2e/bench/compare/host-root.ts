import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const client = fileURLToPath(new URL('apiclient.ts', import.meta.url));

export interface HostFiles {
  readonly socketPath: string;
  readonly bootIDFile: string;
}

/** Fills a folder with what agents look for below a Bottlerocket host's root: the API socket, its client, the boot ID. */
export async function makeHostRoot(folder: string, { socketPath, bootIDFile }: HostFiles): Promise<void> {
  const folders = ['run', 'bin', 'usr/bin', 'proc/sys/kernel/random'];
  for (const name of folders) await mkdir(path.join(folder, name), { recursive: true });
  await symlink(socketPath, path.join(folder, 'run/api.sock'));
  await symlink(bootIDFile, path.join(folder, 'proc/sys/kernel/random/boot_id'));
  const script = `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${client}' --socket-path '${socketPath}' "$@"\n`;
  for (const name of ['bin/apiclient', 'usr/bin/apiclient']) {
    const file = path.join(folder, name);
    await writeFile(file, script);
    await chmod(file, 0o755);
  }
}
