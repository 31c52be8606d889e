import { TestEnvironment } from 'jest-environment-node';

/** Node's own environment, and a note where a test or a hook has failed: a bed then keeps its logs. */
export default class BedEnvironment extends TestEnvironment {
  async handleTestEvent(event) {
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') this.global.bedTestFailed = true;
  }
}
