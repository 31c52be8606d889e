import { writeFileSync } from 'node:fs';

/** Writes how many tests passed, failed and were skipped to the file that `LOCKKEEPER_COUNTS` names, for scripts/test.ts to add up. */
export default class CountReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.LOCKKEEPER_COUNTS;
    if (file === undefined) return;
    const failedSuites = results.testResults.filter(({ testExecError, numFailingTests }) => testExecError && numFailingTests === 0).length;
    const counts = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + failedSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(file, JSON.stringify(counts));
  }
}
