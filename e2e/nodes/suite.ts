import { describe } from '@jest/globals';
import { missingRequirements } from './requirements.ts';

/** `describe`, or one that skips, loudly, where real nodes cannot run. */
export async function realNodes(): Promise<typeof describe.skip> {
  const missing = await missingRequirements();
  if (missing.length === 0) return describe;
  console.warn(`REAL NODES ARE NOT TESTED HERE:\n${missing.map((each) => `  - ${each}`).join('\n')}`);
  return describe.skip;
}
