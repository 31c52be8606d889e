import { describe } from '@jest/globals';
import { missingRequirements } from './requirements.ts';

/** `describe`, or one that skips, loudly, where real nodes cannot run, or what these tests want besides is missing. */
export async function realNodes(besides: readonly string[] = []): Promise<typeof describe.skip> {
  const missing = [...(await missingRequirements()), ...besides];
  if (missing.length === 0) return describe;
  console.warn(`REAL NODES ARE NOT TESTED HERE:\n${missing.map((each) => `  - ${each}`).join('\n')}`);
  return describe.skip;
}
