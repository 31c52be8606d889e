import * as z from 'zod/mini';
import { describeFields, durationSchema, field, timeSchema } from './primitives.ts';

const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/;
const CRON = /^[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4,5}$/;

const windowSchema = field(
  z.object({
    cron: field(
      z.string().check(z.regex(CRON), z.maxLength(128)),
      'When the window opens, as a cron expression of five fields (minute, hour, day of the month, month, day of the week), or six with the second first.',
    ),
    duration: field(durationSchema(), 'How long it stays open: elapsed time, whatever the clocks do meanwhile.'),
    timeZone: field(
      z.string().check(z.minLength(1), z.maxLength(64)),
      'The IANA time zone in which the cron expression is read, such as Asia/Seoul or UTC.',
    ),
  }),
  'A time in which nodes may be begun.',
  { rules: [{ rule: "duration(self.duration) >= duration('1s')", message: 'must be at least 1s', fieldPath: '.duration' }] },
);

const exclusionSchema = field(
  z.object({
    from: field(z.string().check(z.regex(TIME), z.maxLength(40)), 'Its first instant, such as 2026-12-20T00:00:00Z.'),
    to: field(z.string().check(z.regex(TIME), z.maxLength(40)), 'Its end: the first instant that lies behind it.'),
    reason: z.optional(field(z.string().check(z.maxLength(256)), 'What it is for: shown to whoever wonders why nothing happens.')),
  }),
  'A time in which no node is begun.',
  { rules: [{ rule: 'timestamp(self.from) < timestamp(self.to)', message: 'must lie behind from', fieldPath: '.to' }] },
);

/** When nodes of a policy may be begun. */
export const scheduleSpecSchema = field(
  z.object({
    always: z.optional(field(z.boolean(), 'true: there are no windows, and nodes may be begun at any time but in an exclusion.')),
    windows: z.optional(field(z.array(windowSchema).check(z.maxLength(16)), 'Nodes are begun while any of these is open.')),
    exclusions: z.optional(
      field(z.array(exclusionSchema).check(z.maxLength(64)), 'In any of these no node is begun, whatever the windows say.'),
    ),
    onClose: z._default(
      field(
        z.enum(['Finish', 'Release']),
        'What becomes of nodes in flight when the window closes or an exclusion begins. Finish: they finish. Release: those whose host was not asked to reboot yet are given back.',
      ),
      'Finish',
    ),
  }),
  'When nodes may be begun. Absent: always. Downloads are not bound to it unless staging.outsideWindow is false.',
  {
    rules: [
      {
        rule: 'has(self.windows) ? size(self.windows) > 0 && !has(self.always) : has(self.always) && self.always',
        message: 'give either windows, at least one, or always: true',
      },
    ],
  },
);

export type ScheduleSpec = z.infer<typeof scheduleSpecSchema>;

/** Whether nodes may be begun now. */
export const windowStatusSchema = z.object({ open: z.boolean(), nextChange: z.optional(timeSchema()) });
describeFields(windowStatusSchema, {
  open: 'Whether nodes may be begun now, as far as the schedule goes.',
  nextChange: 'When that changes next; absent where it does not, or not for a long time.',
});
