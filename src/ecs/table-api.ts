import { DeleteItemCommand, type DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { type Call, pages } from './calls.ts';
import { Stale } from './errors.ts';

/** An item of the table. */
export interface Item {
  id: string;
  version: number;
  data: string;
}

/** What is used of DynamoDB: the items of one cluster, each written under the version that was read. */
export interface TableApi {
  all(): Promise<Item[]>;
  /** Writes version `seen + 1`; throws Stale where the item is not at version `seen` (0: not there). */
  put(id: string, seen: number, data: string): Promise<Item>;
  remove(id: string, seen: number): Promise<void>;
}

/** One cluster's items by the client of DynamoDB. */
export function tableApi(client: DynamoDBClient, { cluster, table }: { cluster: string; table: string }, call: Call): TableApi {
  const where = `table ${table}`;
  const guard = (seen: number) =>
    seen === 0
      ? { ConditionExpression: 'attribute_not_exists(id)' }
      : { ConditionExpression: 'version = :seen', ExpressionAttributeValues: { ':seen': { N: String(seen) } } };
  const fenced = async (action: string, id: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof Error && (error.cause as Error | undefined)?.name === 'ConditionalCheckFailedException')
        throw new Stale(`${id} has changed (${action})`, { cause: error });
      throw error;
    }
  };
  return {
    all: () =>
      pages(async (next: Record<string, never> | undefined) => {
        const page = await call('dynamodb:Query', where, (abort) =>
          client.send(
            new QueryCommand({
              TableName: table,
              ConsistentRead: true,
              KeyConditionExpression: '#cluster = :cluster',
              ExpressionAttributeNames: { '#cluster': 'cluster' },
              ExpressionAttributeValues: { ':cluster': { S: cluster } },
              ...(next !== undefined && { ExclusiveStartKey: next }),
            }),
            abort,
          ),
        );
        const items = (page.Items ?? []).map(({ id, version, data }) => ({
          id: id?.S ?? '',
          version: Number(version?.N ?? 0),
          data: data?.S ?? '',
        }));
        return { items, next: page.LastEvaluatedKey as Record<string, never> | undefined };
      }),
    async put(id, seen, data) {
      const version = seen + 1;
      await fenced('dynamodb:PutItem', id, () =>
        call('dynamodb:PutItem', where, (abort) =>
          client.send(
            new PutItemCommand({
              TableName: table,
              Item: { cluster: { S: cluster }, id: { S: id }, version: { N: String(version) }, data: { S: data } },
              ...guard(seen),
            }),
            abort,
          ),
        ),
      );
      return { id, version, data };
    },
    remove: (id, seen) =>
      fenced('dynamodb:DeleteItem', id, () =>
        call('dynamodb:DeleteItem', where, (abort) =>
          client.send(new DeleteItemCommand({ TableName: table, Key: { cluster: { S: cluster }, id: { S: id } }, ...guard(seen) }), abort),
        ),
      ),
  };
}
