import { lasting } from '../../core/lasting.ts';

/** A time as people say it: `3 min ago`, `in 2 h`, `now`. */
export function relative(at: number, now: number): string {
  const ms = at - now;
  if (Math.abs(ms) < 1_000) return 'now';
  return ms < 0 ? `${lasting(-ms)} ago` : `in ${lasting(ms)}`;
}

/** A time to the second in the reader's own time zone: the date is left out where it is today's. */
export function exact(at: number, now: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', ...zone });
  const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium', ...zone }).format(at);
  return day.format(at) === day.format(now) ? clock : `${day.format(at)} ${clock}`;
}

/** With date and zone, for those who ask. */
export function full(at: number, timeZone?: string): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  return `${new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', ...zone }).format(at)} ${new Intl.DateTimeFormat('en-GB', { timeStyle: 'long', ...zone }).format(at)}`;
}
