const nanosPerMilli = 1_000_000n;

/**
 * The host's timestamps: RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction, as few as the value needs.
 * No two are equal, whatever the clock says.
 */
export function timestamps(now: () => Date, random: () => number): () => string {
  let last = 0n;
  return () => {
    const read = BigInt(now().getTime()) * nanosPerMilli + BigInt(Math.floor(random() * Number(nanosPerMilli)));
    last = read > last ? read : last + 1n;
    return format(last);
  };
}

function format(nanos: bigint): string {
  const seconds = new Date(Number(nanos / nanosPerMilli)).toISOString().slice(0, 19);
  const fraction = String(nanos % (1_000n * nanosPerMilli))
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}
