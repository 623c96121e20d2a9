import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { changeEvent } from '../../../functions/seal-hour/configuration-changes.ts'
import { changesBetween } from '../../../shared/connectors-table/change-log.ts'
import { eventId, MailEvent } from '../../../shared/contract/events.ts'
import { startDynamoDb } from '../../support/dynamodb.ts'

const dynamodb = await startDynamoDb()
after(() => dynamodb.stop())

const put = (version: number, at: string, before: object | null, after: object | null) =>
  dynamodb.documents.send(
    new PutCommand({
      TableName: dynamodb.connectorsTable,
      Item: {
        pk: 'changes',
        sk: String(version).padStart(12, '0'),
        at,
        actor: 'arn:aws:iam::123456789012:user/anna',
        kind: 'inbound-connector',
        key: '01KB00000000000000000C0001',
        name: 'From the partner',
        before: before && JSON.stringify(before),
        after: after && JSON.stringify(after),
      },
    }),
  )

test('the events of an hour are its changes, from its first millisecond to its last', async () => {
  await put(9, '2026-11-30T19:59:59.999Z', null, { enabled: true })
  await put(10, '2026-11-30T20:00:00.000Z', { enabled: true }, { enabled: false })
  await put(11, '2026-11-30T20:59:59.999Z', { enabled: false }, null)
  await put(12, '2026-11-30T21:00:00.000Z', null, { enabled: true })
  const changes = await changesBetween(
    dynamodb.documents,
    dynamodb.connectorsTable,
    new Date('2026-11-30T20:00:00Z'),
    new Date('2026-11-30T21:00:00Z'),
  )
  const events = changes.map(changeEvent)
  assert.deepEqual(
    events.map(({ id, before, after: afterwards }) => [id, before, afterwards]),
    [
      [eventId('ConfigurationChanged', 'change', 10), '{"enabled":true}', '{"enabled":false}'],
      [eventId('ConfigurationChanged', 'change', 11), '{"enabled":false}', undefined],
    ],
  )
  const [first] = events
  assert.deepEqual(MailEvent.parse(first), first)
  assert.deepEqual(
    [first?.actor, first?.resource, first?.inboundConnector, first?.connectorsVersion],
    [
      'arn:aws:iam::123456789012:user/anna',
      '/inbound-connectors/01KB00000000000000000C0001',
      '01KB00000000000000000C0001',
      10,
    ],
  )
})
