import type { ScheduleSpec } from '../api/schedule.ts';
import { exclusionOf, type Spans, UnreadableWindow, windowOf } from './windows.ts';
import { type Instant, timestamp } from './world.ts';

/** Whether nodes of a policy may be begun at an instant, and how long that holds. */
export interface ScheduleState {
  open: boolean;
  /** When `open` changes next; absent where it never does, or not as far as was looked. */
  nextChange?: Moment;
  /** Until when nothing of this changes, as far as is known; infinite where it never does. */
  until: Instant;
  /** The exclusion that keeps it closed now: its end (of all that follow on each other), and what it is for. */
  exclusion?: Moment & { reason: string | undefined };
}

/** An instant, with the zone in which people read it. */
export interface Moment {
  at: Instant;
  timeZone: string;
}

/** A schedule that can be asked for its state; `problems` is what of it cannot be read, and then it is closed for good. */
export interface Schedule {
  problems: readonly string[];
  stateAt(at: Instant): ScheduleState;
}

/** How many spans that follow on each other are looked at: more than hourly windows have in two days. */
const MAX_STEPS = 64;

/** Each decision reads every policy's schedule, and specs hardly ever change. */
const known = new WeakMap<ScheduleSpec, Schedule>();

/** Reads a policy's schedule; an absent one is always open. Never throws. */
export function readSchedule(spec: ScheduleSpec | undefined): Schedule {
  if (spec === undefined) return OPEN;
  const before = known.get(spec);
  if (before !== undefined) return before;
  const schedule = read(spec);
  known.set(spec, schedule);
  return schedule;
}

function read(spec: ScheduleSpec): Schedule {
  const problems: string[] = [];
  const spansOf = <T>(field: string, list: readonly T[] | undefined, parse: (item: T) => Spans): Spans[] =>
    (list ?? []).flatMap((item, index) => {
      try {
        return [parse(item)];
      } catch (error) {
        if (!(error instanceof UnreadableWindow)) throw error;
        problems.push(`spec.schedule.${field}[${index}].${error.message}`);
        return [];
      }
    });
  const windows = spec.always === true ? [ALWAYS] : spansOf('windows', spec.windows, windowOf);
  const timeZone = spec.windows?.[0]?.timeZone ?? 'UTC';
  const exclusions = spansOf('exclusions', spec.exclusions, (exclusion) => exclusionOf(exclusion, timeZone));
  const closed: ScheduleState = { open: false, until: Number.POSITIVE_INFINITY };
  return { problems, stateAt: problems.length > 0 ? () => closed : lasting((at) => stateAt(windows, exclusions, at)) };
}

/** Looks no further as long as the state that was seen last is known to hold. */
function lasting(look: (at: Instant) => ScheduleState): (at: Instant) => ScheduleState {
  let from = Number.POSITIVE_INFINITY;
  let seen: ScheduleState | undefined;
  return (at) => {
    // What follows on what is in force is looked at only so far: a later look may see more.
    if (seen?.nextChange !== undefined && seen.exclusion === undefined && from <= at && at < seen.until) return seen;
    from = at;
    seen = look(at);
    return seen;
  };
}

/** An instant as people read it: in a zone and in UTC. */
export function inZone({ at, timeZone }: Moment): string {
  const style = at % 60_000 === 0 ? 'short' : 'medium';
  const local = formatOf(timeZone, style).format(at);
  return timeZone === 'UTC' ? `${local} UTC` : `${local} ${timeZone} (${timestamp(at).replace(/(:00)?[.]\d+Z$/, 'Z')})`;
}

/** Making one costs more than a whole decision about a node. */
const formats = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATS = 64;

function formatOf(timeZone: string, timeStyle: 'short' | 'medium'): Intl.DateTimeFormat {
  const key = `${timeZone} ${timeStyle}`;
  const before = formats.get(key);
  if (before !== undefined) return before;
  if (formats.size >= MAX_FORMATS) formats.clear();
  // Swedish writes dates as ISO 8601 does.
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle });
  formats.set(key, format);
  return format;
}

const ALWAYS: Spans = { timeZone: 'UTC', endAt: () => Number.POSITIVE_INFINITY, nextStart: () => undefined };

const OPEN: Schedule = { problems: [], stateAt: () => ({ open: true, until: Number.POSITIVE_INFINITY }) };

function stateAt(windows: readonly Spans[], exclusions: readonly Spans[], at: Instant): ScheduleState {
  const exclusion = lastEnd(exclusions, at);
  if (exclusion === undefined && lastEnd(windows, at) !== undefined) {
    const exclusionBegins = firstStart(exclusions, at);
    const { known, ...closes } = endOfAll(windows, at, exclusionBegins?.at ?? Number.POSITIVE_INFINITY);
    const change = exclusionBegins !== undefined && exclusionBegins.at <= closes.at ? exclusionBegins : closes;
    return { open: true, until: change.at, ...(known && Number.isFinite(change.at) && { nextChange: change }) };
  }
  const opens = nextOpening(windows, exclusions, at);
  const nextChange = opens === undefined ? {} : { nextChange: opens };
  if (exclusion === undefined) {
    const until = Math.min(opens?.at ?? Number.POSITIVE_INFINITY, firstStart(exclusions, at)?.at ?? Number.POSITIVE_INFINITY);
    return { open: false, until, ...nextChange };
  }
  const { known: _, ...end } = endOfAll(exclusions, at);
  return { open: false, until: end.at, ...nextChange, exclusion: { ...end, reason: exclusion.reason } };
}

/** The first instant from `from` on at which a window is open and no exclusion in force. */
function nextOpening(windows: readonly Spans[], exclusions: readonly Spans[], from: Instant): Moment | undefined {
  let at = from;
  // Each step leaves an exclusion behind.
  for (let step = 0; step < 2 * MAX_STEPS; step += 1) {
    const free = endOfAll(exclusions, at).at;
    const open = lastEnd(windows, free);
    if (open !== undefined) return { at: free, timeZone: open.timeZone };
    const next = firstStart(windows, free);
    if (next === undefined || lastEnd(exclusions, next.at) === undefined) return next;
    at = next.at;
  }
  return undefined;
}

/** The end of the spans under way at an instant and of those that follow on without a gap; looked at no further than `limit`. */
function endOfAll(spans: readonly Spans[], from: Instant, limit = Number.POSITIVE_INFINITY): Moment & { known: boolean } {
  let last: Moment = { at: from, timeZone: spans[0]?.timeZone ?? 'UTC' };
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const next = lastEnd(spans, last.at);
    if (next === undefined || last.at >= limit) return { ...last, known: true };
    last = { at: next.at, timeZone: next.timeZone };
  }
  return { ...last, known: false };
}

function lastEnd(spans: readonly Spans[], at: Instant): (Moment & { reason: string | undefined }) | undefined {
  let last: (Moment & { reason: string | undefined }) | undefined;
  for (const { endAt, timeZone, reason } of spans) {
    const end = endAt(at);
    if (end !== undefined && (last === undefined || end > last.at)) last = { at: end, timeZone, reason };
  }
  return last;
}

function firstStart(spans: readonly Spans[], after: Instant): Moment | undefined {
  let first: Moment | undefined;
  for (const { nextStart, timeZone } of spans) {
    const at = nextStart(after);
    if (at !== undefined && (first === undefined || at < first.at)) first = { at, timeZone };
  }
  return first;
}
