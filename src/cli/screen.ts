import { randomUUID } from 'node:crypto';
import picocolors from 'picocolors';
import type { Colors } from 'picocolors/types.js';
import { visibleLines } from '../kube/visible.ts';

/** What a terminal is told beside text. */
export interface Controls {
  /** To the top left corner. */
  readonly home: string;
  /** Clears from there to the end of the line, or of the screen. */
  readonly clearLine: string;
  readonly clearBelow: string;
  readonly clearAll: string;
}

/** The one way out to a person's terminal. */
export interface Screen {
  readonly colors: Colors;
  readonly controls: Controls;
  /** A text with the sequences of `colors` and `controls`, and none that comes from elsewhere: what a terminal would act upon shows as `\u001b`. */
  readonly safe: (text: string) => string;
}

/**
 * Sequences of our own bear a mark that nobody else can know, which goes on the way out: whatever a cluster, a file or a command line
 * has put into a text, none of it reaches the terminal but as characters.
 */
export function screenOf(colored: boolean, secret = randomUUID()): Screen {
  const mark = `\u001b${secret}`;
  const own = (sequence: string): string => sequence.replaceAll('\u001b', mark);
  return {
    colors: colored ? markedColors(own) : picocolors.createColors(false),
    controls: { home: own('\u001b[H'), clearLine: own('\u001b[K'), clearBelow: own('\u001b[J'), clearAll: own('\u001b[2J') },
    safe: (text) => {
      const [first = '', ...ours] = text.split(mark);
      return visibleLines(first) + ours.map((part) => `\u001b${visibleLines(part)}`).join('');
    },
  };
}

function markedColors(own: (sequence: string) => string): Colors {
  const marked = Object.entries(picocolors.createColors(true)).map(([name, paint]) => {
    if (typeof paint !== 'function') return [name, paint];
    const sequences: string = paint('');
    const end = sequences.lastIndexOf('\u001b');
    const [open, close] = [own(sequences.slice(0, end)), own(sequences.slice(end))];
    return [name, (text: string | number | null | undefined) => `${open}${text}${close}`];
  });
  return Object.fromEntries(marked) as Colors;
}
