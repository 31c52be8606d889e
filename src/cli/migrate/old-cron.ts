/**
 * Reads the cron expressions of the OS's existing operator. Facts: its controller/src/scheduler.rs, and the parser that it uses
 * (zslayton/cron, src/parsing.rs and src/time_unit/): six fields (second, minute, hour, day of the month, month, day of the week) or
 * seven with a year; days of the week are names or 1 (Sunday) to 7; a day counts where day of the month *and* day of the week allow it;
 * always UTC.
 */
export interface OldCron {
  seconds: readonly number[];
  minutes: readonly number[];
  hours: readonly number[];
  days: readonly number[];
  months: readonly number[];
  /** 0 is Sunday. */
  weekdays: readonly number[];
  /** It names years. */
  years: boolean;
}

const SHORTHANDS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 0 1 1 *',
  '@monthly': '0 0 0 1 * *',
  '@weekly': '0 0 0 * * 1',
  '@daily': '0 0 0 * * *',
  '@hourly': '0 0 * * * *',
};

const WEEKDAYS = [
  ['sun', 'sunday'],
  ['mon', 'monday'],
  ['tue', 'tues', 'tuesday'],
  ['wed', 'wednesday'],
  ['thu', 'thurs', 'thursday'],
  ['fri', 'friday'],
  ['sat', 'saturday'],
];
const MONTHS = [
  ['jan', 'january'],
  ['feb', 'february'],
  ['mar', 'march'],
  ['apr', 'april'],
  ['may'],
  ['jun', 'june'],
  ['jul', 'july'],
  ['aug', 'august'],
  ['sep', 'september'],
  ['oct', 'october'],
  ['nov', 'november'],
  ['dec', 'december'],
];

interface Unit {
  first: number;
  last: number;
  names?: readonly (readonly string[])[];
}

/** Undefined where that operator could not read it either. */
export function readOldCron(expression: string): OldCron | undefined {
  const fields = (SHORTHANDS[expression.trim()] ?? expression).trim().split(/\s+/);
  const [second, minute, hour, day, month, weekday, year = '*'] = fields;
  if (fields.length > 7 || weekday === undefined) return undefined;
  const seconds = valuesOf(second, { first: 0, last: 59 });
  const minutes = valuesOf(minute, { first: 0, last: 59 });
  const hours = valuesOf(hour, { first: 0, last: 23 });
  const days = valuesOf(day?.replace(/^\?/, '*'), { first: 1, last: 31 });
  const months = valuesOf(month, { first: 1, last: 12, names: MONTHS });
  const weekdays = valuesOf(weekday.replace(/^\?/, '*'), { first: 1, last: 7, names: WEEKDAYS });
  const years = valuesOf(year, { first: 1970, last: 2100 });
  for (const read of [seconds, minutes, hours, days, months, weekdays, years]) if (read === undefined) return undefined;
  return {
    seconds: seconds ?? [],
    minutes: minutes ?? [],
    hours: hours ?? [],
    days: days ?? [],
    months: months ?? [],
    weekdays: (weekdays ?? []).map((ordinal) => ordinal - 1),
    years: years?.length !== 131,
  };
}

/** The values that a field names, in their order. */
function valuesOf(field: string | undefined, unit: Unit): number[] | undefined {
  const values = new Set<number>();
  for (const item of (field ?? '').split(',')) {
    const [range, step, ...more] = item.split('/');
    if (range === undefined || more.length > 0) return undefined;
    const span = spanOf(range, unit, step !== undefined);
    const by = step === undefined ? 1 : numberOf(step);
    if (span === undefined || by === undefined || by < 1) return undefined;
    for (let value = span[0]; value <= span[1]; value += by) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

function spanOf(range: string, unit: Unit, stepped: boolean): [number, number] | undefined {
  if (range === '*') return [unit.first, unit.last];
  const [from, to, ...more] = range.split('-').map((word) => ordinalOf(word, unit));
  if (from === undefined || more.length > 0) return undefined;
  if (range.includes('-')) return to === undefined || to < from ? undefined : [from, to];
  return [from, stepped ? unit.last : from];
}

function ordinalOf(word: string, { first, last, names = [] }: Unit): number | undefined {
  const named = names.findIndex((spellings) => spellings.includes(word.toLowerCase()));
  const value = named === -1 ? numberOf(word) : named + 1;
  return value !== undefined && first <= value && value <= last ? value : undefined;
}

const numberOf = (text: string): number | undefined => (/^\d{1,4}$/.test(text) ? Number(text) : undefined);
