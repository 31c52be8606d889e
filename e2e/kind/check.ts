import { missingForKind } from './requirements.ts';
import { runHere } from './run-here.ts';

/* Says what is missing for `make e2e BED=kind`, and ends with 1 where anything is. */
const missing = await missingForKind(runHere);
for (const each of missing) console.error(`no kind cluster can be made here: ${each}`);
process.exitCode = missing.length === 0 ? 0 : 1;
