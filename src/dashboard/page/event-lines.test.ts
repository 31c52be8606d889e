import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { eventLines } from './event-lines.ts';

const stream = 'retry: 100\n\n: still here\n\ndata: {"a":1}\n\nid: 7\ndata: {"b":\ndata: 2}\n\ndata:x\r\n\r\ndata: unfinished';

test('however the stream is cut, the same events come out', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 8 }), (cuts) => {
      const take = eventLines();
      const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const events = edges.slice(1).flatMap((end, index) => take(stream.slice(edges[index], end)));
      expect(events).toEqual(['{"a":1}', '{"b":\n2}', 'x']);
    }),
  );
});
