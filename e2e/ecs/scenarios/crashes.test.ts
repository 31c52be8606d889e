import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { InstanceRecord } from '../../../src/ecs/records.ts';
import { eventually } from '../../bed/eventually.ts';
import { allAt, type EcsBed, policy, startEcsBed } from '../bed.ts';
import type { Call } from '../stand-in.ts';

let bed: EcsBed;

beforeAll(async () => {
  bed = await startEcsBed({ instances: 2, versions: ['1.26.0', '1.26.1'] });
}, 600_000);

afterAll(() => bed?.close());

test('killed once after each call that changes something, before it hears of it, it goes on where it stood', async () => {
  await bed.addService({ name: 'web', desired: 2, minimum: 50, maximum: 200 }, bed.instances);
  const killedAfter = new Set<string>();
  const start = async (): Promise<void> => {
    const program = await bed.start(policy('', '1h'), ['--lease-duration', '500ms']);
    bed.standIn.effected = async (call) => {
      const change = changeOf(call);
      if (change === undefined || killedAfter.has(change)) return;
      bed.standIn.effected = undefined;
      killedAfter.add(change);
      await program.stop(0);
      await start();
    };
  };
  await start();
  await allAt(bed, '1.26.1', 150_000, () => [...killedAfter]);
  await eventually(
    async () => {
      const records = [...(await bed.records()).values()];
      return killedAfter.has('policy free') && records.every(({ cordon, update }) => cordon === undefined && update.phase === 'Idle');
    },
    { describe: () => bed.log() },
  );
  bed.standIn.effected = undefined;
  for (const change of ['ecs DRAINING', 'ecs ACTIVE', 'ssm refreshed', 'ssm staged', 'ssm asked', 'policy claimed', 'policy free'])
    expect([...killedAfter]).toContain(change);
  expect([...killedAfter].filter((change) => change.startsWith('instance') && change.includes('cordon')).length).toBeGreaterThan(3);
  expect(Object.values(bed.judge.reboots())).toEqual([1, 0]);
  bed.judge.invariants();
}, 240_000);

/** What a call changes, in words that stand for every other call that changes the same; undefined where it changes nothing. */
function changeOf({ action, input, status }: Call): string | undefined {
  if (status !== 200) return undefined;
  switch (action) {
    case 'ecs:UpdateContainerInstancesState':
      return `ecs ${input['status']}`;
    case 'ssm:SendCommand': {
      const script = JSON.stringify(input);
      return `ssm ${['refreshed', 'staged', 'asked', 'cancelled'].find((word) => script.includes(`tell ${word}`)) ?? 'looked'}`;
    }
    case 'dynamodb:PutItem': {
      const { id, data } = input['Item'] as { id: { S: string }; data: { S: string } };
      const [kind] = id.S.split('/');
      if (kind === 'lease') return undefined;
      const record = JSON.parse(data.S);
      return kind === 'policy' ? `policy ${(record.status.claims ?? []).length > 0 ? 'claimed' : 'free'}` : `instance ${stateOf(record)}`;
    }
    default:
      return undefined;
  }
}

function stateOf({ cordon, host, update, command, reboot }: InstanceRecord): string {
  const { order } = host.spec;
  const { answer, staged } = host.status;
  const parts = [cordon && 'cordon', update.phase, order?.action, answer?.state, staged && 'staged', command?.kind, reboot?.sent];
  return parts.filter((part) => part !== undefined).join(' ');
}
