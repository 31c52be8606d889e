import * as z from 'zod/mini';
import {
  type HostOS,
  parseOS,
  parseUpdateSettings,
  parseUpdateStatus,
  type UpdateSettings,
  type UpdateStatus,
} from '../agent/host-answers.ts';
import { ERROR_CODES, type ErrorCode } from '../api/node-host.ts';

/** What a script said of its host. */
export interface HostReport {
  result: 'looked' | 'refreshed' | 'staged' | 'asked' | 'begun' | 'cancelled' | { refused: ErrorCode };
  bootID: string;
  os: HostOS;
  /** Absent where the update API has not been used since the host's boot. */
  status?: UpdateStatus;
  /** The same as it was before the script did anything, where it says so. */
  before?: UpdateStatus;
  /** The same after the refresh that comes before a download. */
  refreshed?: UpdateStatus;
  settings: UpdateSettings;
  /** What an earlier attempt at a reboot was refused for, where it was asked for and is known. */
  attemptRefused?: ErrorCode;
}

/** What a script printed is no report. */
export class NoReport extends Error {
  readonly retryable = true;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'NoReport';
  }
}

const resultSchema = z.enum(['looked', 'refreshed', 'staged', 'asked', 'begun', 'cancelled']);
const codeSchema = z.enum(ERROR_CODES);
const bootIDSchema = z.string().check(z.regex(/^[A-Za-z0-9-]{1,128}$/));

const REFUSED = /^refused:(.*)$/;
const LINE = /^lockkeeper-(result|boot|os|status|before|refreshed|settings|attempt): (.*)$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what colours a terminal begins with one
const COLOURS = /\u001b\[[0-9;]*m/g;

/** A text without what colours a terminal, and short enough to be kept. */
export const plain = (text: string): string => text.replaceAll(COLOURS, '').trim().slice(0, 1_500);

/** Reads what a script printed. Throws NoReport. */
export function readReport(output: string): HostReport {
  const lines = new Map<string, string>();
  for (const line of output.replaceAll(COLOURS, '').split('\n')) {
    const [, name = '', text = ''] = LINE.exec(line.trim()) ?? [];
    if (name !== '') lines.set(name, text.trim());
  }
  try {
    const [, refused] = REFUSED.exec(lines.get('result') ?? '') ?? [];
    const status = statusOf(lines.get('status'));
    const before = statusOf(lines.get('before'));
    const refreshed = statusOf(lines.get('refreshed'));
    const [, attempt] = REFUSED.exec(lines.get('attempt') ?? '') ?? [];
    return {
      ...(attempt !== undefined && { attemptRefused: z.parse(codeSchema, attempt) }),
      result: refused === undefined ? z.parse(resultSchema, lines.get('result')) : { refused: z.parse(codeSchema, refused) },
      bootID: z.parse(bootIDSchema, lines.get('boot')),
      os: parseOS(JSON.parse(lines.get('os') ?? '')),
      ...(status !== undefined && { status }),
      ...(before !== undefined && { before }),
      ...(refreshed !== undefined && { refreshed }),
      settings: parseUpdateSettings(JSON.parse(lines.get('settings') || '{}')),
    };
  } catch (error) {
    throw new NoReport(`the host's answer cannot be read: ${plain(output).slice(-600) || 'it is empty'}`, { cause: error });
  }
}

/** Whatever is no answer of the update API's is none: after a boot it has none until its first command. */
function statusOf(text: string | undefined): UpdateStatus | undefined {
  if (text === undefined || !text.startsWith('{')) return undefined;
  return parseUpdateStatus(JSON.parse(text));
}
