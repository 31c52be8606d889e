import type { Controls } from '../screen.ts';
import type { Status } from './status.ts';

/** Shows one status after the other: on a terminal in place, elsewhere by the rows that have changed. */
export function liveView(
  render: (status: Status) => string,
  {
    print,
    isTTY,
    height,
    controls: { home, clearLine, clearBelow },
  }: { print: (text: string) => void; isTTY: boolean; height: () => number | undefined; controls: Controls },
): (status: Status) => void {
  if (isTTY)
    return (status) => {
      const lines = render(status).split('\n');
      const rows = height() ?? lines.length + 1;
      const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`];
      // Home, each line to its end anew, then nothing below: it does not flicker.
      print(`${home}${shown.map((line) => `${line}${clearLine}`).join('\n')}${clearBelow}`);
    };
  const before = new Map<string, string>();
  let first = true;
  return (status) => {
    const isNew = (kind: string, one: { name: string }): boolean => {
      const text = JSON.stringify(one);
      const known = before.get(`${kind}/${one.name}`) === text;
      before.set(`${kind}/${one.name}`, text);
      return !known;
    };
    const policies = status.policies.filter((one) => isNew('policy', one));
    const nodes = status.nodes.filter((one) => isNew('node', one));
    if (!first && policies.length === 0 && nodes.length === 0) return;
    print(first ? render(status) : render({ ...status, policies, nodes }));
    first = false;
  };
}
