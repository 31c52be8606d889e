/** One of the design's invariants did not hold in a simulated world. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
