import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { Call } from './calls.ts';
import { type EcsApi, ecsApi } from './ecs-api.ts';
import { awsErrorOf } from './errors.ts';
import { type SsmApi, ssmApi } from './ssm-api.ts';
import { type TableApi, tableApi } from './table-api.ts';

/** Where the cluster is, and by what it is reached. */
export interface AwsOptions {
  cluster: string;
  table: string;
  region?: string;
  /** Every service at this URL instead of its own. */
  endpoint?: string;
  /** Throws where nothing may be sent any more; asked for the last time right before a request goes out. */
  assertLeading: () => void;
  onCall?: (action: string) => void;
}

export interface Aws {
  ecs: EcsApi;
  ssm: SsmApi;
  table: TableApi;
  close(): void;
}

/** Attempts of one call, the SDK's own, with its adaptive retry. */
const MAX_ATTEMPTS = 6;
const CONNECT_MS = 3_000;
const REQUEST_MS = 10_000;
/** A call with all of its attempts, in milliseconds. */
const CALL_MS = 60_000;

/** Clients of the AWS SDK, whose credentials and region come by its own chain. */
export function connect(options: AwsOptions): Aws {
  const { cluster, table, region, endpoint } = options;
  const config = {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    retryMode: 'adaptive',
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
  };
  const ecs = new ECSClient(config);
  const ssm = new SSMClient(config);
  const dynamo = new DynamoDBClient(config);
  // Whatever changes a host or an instance is sent by the holder of the lease alone, each attempt of the SDK's included.
  const last = { step: 'deserialize', priority: 'low', name: 'assertLeading' } as const;
  ecs.middlewareStack.add(
    (next) => async (args) => {
      options.assertLeading();
      return next(args);
    },
    last,
  );
  ssm.middlewareStack.add(
    (next) => async (args) => {
      options.assertLeading();
      return next(args);
    },
    last,
  );
  const call: Call = async (action, resource, send) => {
    options.onCall?.(action);
    try {
      return await send({ abortSignal: AbortSignal.timeout(CALL_MS) });
    } catch (error) {
      throw awsErrorOf(error, action, resource);
    }
  };
  return {
    ecs: ecsApi(ecs, cluster, call),
    ssm: ssmApi(ssm, call),
    table: tableApi(dynamo, { cluster, table }, call),
    close: () => {
      for (const client of [ecs, ssm, dynamo]) client.destroy();
    },
  };
}
