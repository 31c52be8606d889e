import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { repository } from '../bed/config.ts';
import { ourImage } from '../nodes/our-image.ts';
import { atMost, CannotRunHere, type Family } from './figure.ts';

interface Built {
  readonly archive: string;
  readonly architecture: string;
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
}

/** The image of the programs in dist/, as `make image` builds it. */
export const image: Family = {
  name: 'image',
  figures: ['image_mb'],
  async run({ say }) {
    say('building the image where there is none of these programs');
    const archive = await archiveOfOurImage();
    const facts = JSON.parse(await readFile(path.join(repository, 'dist', 'image', 'image.json'), 'utf8')) as Built[];
    const built = facts.find((one) => one.archive === path.basename(archive));
    if (built === undefined) throw new Error(`image.json says nothing of ${archive}`);
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
    return {
      figures: [atMost(120, 'image_mb', 'MB', built.compressedBytes / 1e6, 1)],
      notes: [
        {
          title: 'The image',
          lines: [
            `${built.architecture}: ${megabytes(built.compressedBytes)} MB compressed, which is what a node downloads and what counts; ${megabytes(built.uncompressedBytes)} MB on its disk`,
          ],
        },
      ],
    };
  },
};

/** @throws CannotRunHere where it cannot be built */
export async function archiveOfOurImage(): Promise<string> {
  try {
    return await ourImage();
  } catch (error) {
    throw new CannotRunHere(`the image cannot be built here: ${error instanceof Error ? error.message : String(error)}`);
  }
}
