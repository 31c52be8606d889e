/** No event is longer: a fleet of many thousand nodes is some megabytes. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/** Takes a stream of server-sent events apart: give it text as it comes, and it gives the data of each event that is whole. */
export function eventLines(): (text: string) => string[] {
  let rest = '';
  return (text) => {
    const parts = (rest + text).split(/\r?\n\r?\n/);
    rest = parts.pop() ?? '';
    if (rest.length > MAX_CHARACTERS) throw new RangeError('an event that does not end');
    return parts.flatMap((part) => {
      const data = part.split(/\r?\n/).flatMap((line) => (line.startsWith('data:') ? [line.slice(line.startsWith('data: ') ? 6 : 5)] : []));
      return data.length === 0 ? [] : [data.join('\n')];
    });
  };
}
