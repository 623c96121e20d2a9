/**
 * Events of the changes of connectors and accepted domains. They are not on the queue: a change writes its item in the
 * connectors table in the same transaction, so the events of an hour are exactly the items of that hour.
 */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { MailEvent } from '../../shared/contract/events.ts'
import { queryItems } from '../../shared/dynamodb/query-items.ts'
import { createEvent } from '../../shared/events/create-event.ts'

export interface ConfigurationChange {
  /** Version of the connectors table after the change. */
  version: number
  at: string
  actor: string
  kind: 'inbound-connector' | 'outbound-connector' | 'accepted-domain'
  /** Id of the connector, or the domain. */
  key: string
  before: object | null
  after: object | null
}

/** Returns the changes from `since`, inclusive, to `until`, exclusive. Times never decrease from one item to the next. */
export async function changesBetween(
  documents: DynamoDBDocumentClient,
  table: string,
  since: Date,
  until: Date,
): Promise<ConfigurationChange[]> {
  const changes: ConfigurationChange[] = []
  const items = queryItems<{ sk: string; at: string } & Record<string, string>>(documents, {
    TableName: table,
    KeyConditionExpression: 'pk = :changes',
    ExpressionAttributeValues: { ':changes': 'changes' },
    ScanIndexForward: false,
    ConsistentRead: true,
  })
  for await (const { sk, at, actor = '', kind, key = '', before, after } of items) {
    if (at < since.toISOString()) break
    if (at >= until.toISOString()) continue
    changes.push({
      version: Number(sk),
      at,
      actor,
      kind: kind as ConfigurationChange['kind'],
      key,
      before: before ? JSON.parse(before) : null,
      after: after ? JSON.parse(after) : null,
    })
  }
  return changes.reverse()
}

export function changeEvent({
  version,
  at,
  actor,
  kind,
  key,
  before,
  after,
}: ConfigurationChange): MailEvent {
  return createEvent('ConfigurationChanged', ['change', version], {
    at,
    actor,
    resource: `/${kind}s/${key}`,
    connectorsVersion: version,
    ...(kind === 'inbound-connector' && { inboundConnector: key }),
    ...(kind === 'outbound-connector' && { outboundConnector: key }),
    ...(before && { before: JSON.stringify(before) }),
    ...(after && { after: JSON.stringify(after) }),
  })
}
