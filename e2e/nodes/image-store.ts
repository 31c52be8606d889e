import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../bed/command.ts';
import { type Home, tail } from '../bed/home.ts';
import type { ArchivedImage } from './images.ts';
import { systemPath } from './requirements.ts';

const script = fileURLToPath(new URL('prepare.sh', import.meta.url));
const env = { PATH: systemPath.join(':') };

/** What containerd keeps of the images that every machine has, unpacked once and shared by all. */
export interface ImageStore {
  /** Makes a machine's own of it, in a folder that is not there yet. */
  copyTo(folder: string): Promise<void>;
}

/** The images could not be unpacked; the message ends with the log. */
export class ImageStoreError extends Error {
  override readonly name = 'ImageStoreError';
}

/** @param counted what stands before the command of a program that is counted as the bed's */
export async function prepareImageStore(home: Home, images: readonly ArchivedImage[], counted: readonly string[]): Promise<ImageStore> {
  const folder = path.join(home.scratch, 'images');
  const root = path.join(folder, 'root');
  await mkdir(folder);
  await writeFile(path.join(folder, 'images'), images.map(({ name, archive }) => `${name} ${archive}\n`).join(''));
  await writeFile(path.join(folder, 'containerd.toml'), configuration(folder));
  const [command = '', ...enter] = counted;
  const child = await home.children.spawn({
    name: 'images',
    command,
    args: [...enter, 'unshare', '--mount', '--propagation', 'private', '--', '/bin/sh', script, folder],
    env,
    log: home.log('images'),
  });
  const { code } = await child.ended;
  if (code !== 0) throw new ImageStoreError(`the images could not be unpacked; ${child.log} ends with\n${await tail(child.log)}`);

  return {
    async copyTo(to) {
      // Blobs and layers are never changed, only added and removed.
      await runCommand('cp', ['--archive', '--link', root, to], { cwd: '/', env, timeoutMs: 60_000 });
      for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !isDatabase(entry.parentPath, entry.name)) continue;
        const shared = path.join(entry.parentPath, entry.name);
        await copyFile(shared, `${shared}.own`);
        await rename(`${shared}.own`, shared);
      }
    },
  };
}

/** containerd's databases, which are changed in place: beside the layers, never in them. */
function isDatabase(parent: string, name: string): boolean {
  return name.endsWith('.db') && path.basename(parent).startsWith('io.containerd.');
}

function configuration(folder: string): string {
  return `version = 2
root = "${path.join(folder, 'root')}"
state = "${path.join(folder, 'state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "${path.join(folder, 'containerd.sock')}"
`;
}
