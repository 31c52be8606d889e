import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { type FaultName, faultNames } from '../../host/faults.ts';
import type { SimulatedHost } from '../../host/host.ts';
import { timingsSchema } from './settings.ts';

/** What a machine says of itself. */
export interface MachineState {
  readonly name: string;
  /** `booting` from the end of one boot to the beginning of the next; what a kubelet makes of it is another matter. */
  readonly power: 'on' | 'off';
  readonly bootID: string;
  readonly version: string;
  readonly prettyName: string;
  /** How often it has booted since its first time. */
  readonly rebootCount: number;
  /** The boot's process 1, as seen from outside. */
  readonly process: number | undefined;
  readonly updateStatus: unknown;
  readonly partitions: unknown;
  readonly settings: unknown;
  readonly faults: Partial<Record<FaultName, number>>;
}

export interface Controlled {
  readonly host: SimulatedHost;
  state(): MachineState;
  /** Settles when what was begun is done: a boot begun, or everything ended. */
  settled(): Promise<void>;
  /** Ends boot, host and process. */
  end(): Promise<void>;
}

const faultsBody = z.object({ name: z.enum(faultNames as [FaultName, ...FaultName[]]), times: z.union([z.int(), z.literal('always')]) });
const disarmBody = z.object({ name: z.optional(z.enum(faultNames as [FaultName, ...FaultName[]])) });
const socketBody = z.object({ action: z.enum(['kill', 'remove', 'revive']) });
const nothing = z.unknown();

interface Command<T> {
  readonly body: z.ZodType<T>;
  readonly run: (body: T) => unknown;
}

const command = <T>(body: z.ZodType<T>, run: (body: T) => unknown): Command<T> => ({ body, run });

/** Serves what the bed may do to a machine from outside, as JSON over HTTP on a Unix socket. */
export function controlServer(machine: Controlled): Server {
  const { host } = machine;
  const power = async (change: () => Promise<void>) => {
    await change();
    await machine.settled();
    return machine.state();
  };
  const commands = {
    'GET /state': command(nothing, () => machine.state()),
    'GET /requests': command(nothing, () => host.requests),
    'POST /reboot': command(nothing, () => power(() => host.reboot())),
    'POST /power-off': command(nothing, () => power(() => host.powerOff())),
    'POST /power-on': command(nothing, () => power(() => host.powerOn())),
    'POST /release': command(nothing, () => power(() => host.release())),
    'POST /arm': command(faultsBody, ({ name, times }) => host.faults.arm(name, times === 'always' ? Number.POSITIVE_INFINITY : times)),
    'POST /disarm': command(disarmBody, ({ name }) => host.faults.disarm(name)),
    'POST /timings': command(timingsSchema, (timings) => Object.assign(host.timings, timings)),
    'POST /socket': command(socketBody, ({ action }) => {
      switch (action) {
        case 'kill':
          return host.killSocket();
        case 'remove':
          return host.removeSocket();
        case 'revive':
          return host.reviveSocket();
      }
    }),
    'POST /end': command(nothing, () => machine.end()),
  };

  return createServer((request, response) => {
    const found = Object.entries(commands).find(([name]) => name === `${request.method} ${request.url}`)?.[1] as
      | Command<unknown>
      | undefined;
    carryOut(found, request).then(
      (answer) => send(response, 200, answer ?? {}),
      (error: unknown) =>
        send(response, error instanceof Refusal ? 400 : 500, { message: error instanceof Error ? error.message : String(error) }),
    );
  });
}

class Refusal extends Error {}

async function carryOut(found: Command<unknown> | undefined, request: IncomingMessage): Promise<unknown> {
  if (found === undefined) throw new Refusal(`there is no ${request.method} ${request.url}`);
  const text = Buffer.concat(await request.toArray()).toString('utf8');
  const body = found.body.safeParse(text === '' ? undefined : JSON.parse(text));
  if (!body.success) throw new Refusal(z.prettifyError(body.error));
  return await found.run(body.data);
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  const text = JSON.stringify(answer);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), connection: 'close' });
  response.end(text);
}
