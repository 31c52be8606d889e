import { access, constants } from 'node:fs/promises';
import path from 'node:path';

/** The first of these programs that may be run, folder by folder; undefined where none is there. */
export async function findIn(folders: readonly string[], ...programs: readonly string[]): Promise<string | undefined> {
  for (const folder of folders)
    for (const program of programs) {
      const file = path.join(folder, program);
      const found = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return file;
    }
  return undefined;
}
