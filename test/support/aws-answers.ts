/** Responses of AWS's services, for servers that stand in for them. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { SesQuota } from '../../shared/net/ses-api.ts'

/** An entry of `SendMessageBatch`. */
export interface SqsEntry {
  Id: string
  MessageBody: string
  DelaySeconds?: number
  MessageGroupId?: string
  MessageAttributes?: Record<string, { StringValue?: string }>
}

/** Returns the operation, which AWS's JSON protocols name in a header. S3 has none: the text is empty. */
export const operationOf = ({ headers }: IncomingMessage): string =>
  String(headers['x-amz-target'] ?? '')
    .split('.')
    .at(-1) ?? ''

/** Whether a request to SQS is for the queue of events, whose bodies are no jobs. */
export const isEventsQueue = (queueUrl: unknown): boolean => String(queueUrl).endsWith('/events')

export const md5Of = (text: string): string => createHash('md5').update(text).digest('hex')

/**
 * The result of an entry that SQS accepted.
 * @param body the body whose digest SQS reports
 */
export const acceptedEntry = ({ Id, MessageBody }: SqsEntry, body = MessageBody) => ({
  Id,
  MessageId: Id,
  MD5OfMessageBody: md5Of(body),
})

/** The connectors table, with the accepted domain ours.example, and by default without connectors. */
export function connectorsAnswer(
  operation: string,
  { ExpressionAttributeValues = {} }: { ExpressionAttributeValues?: Record<string, { S: string }> },
  inboundConnectors: readonly object[] = [],
): object {
  if (operation === 'GetItem') return { Item: { version: { N: '1' } } }
  if (operation !== 'Query') return {}
  const isFor = (kind: string) => Object.values(ExpressionAttributeValues).some(({ S }) => S === kind)
  if (isFor('inbound-connector'))
    return { Items: inboundConnectors.map((each) => attributesOf({ pk: 'inbound-connector', ...each })) }
  return { Items: isFor('accepted-domain') ? [acceptedDomain] : [] }
}

const attributesOf = (item: object): object =>
  Object.fromEntries(Object.entries(item).map(([name, value]) => [name, attributeOf(value)]))

/** A value in the JSON format of DynamoDB. */
function attributeOf(value: unknown): object {
  if (value === null) return { NULL: true }
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  return Array.isArray(value) ? { L: value.map(attributeOf) } : { M: attributesOf(value as object) }
}

const acceptedDomain = {
  ...Object.fromEntries(
    Object.entries({
      pk: 'accepted-domain',
      sk: 'ours.example',
      domain: 'ours.example',
      comment: '',
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
    }).map(([name, S]) => [name, { S }]),
  ),
  version: { N: '1' },
}

/** The response of SNS to a notice that it published. */
export const snsPublished = (id: string): string =>
  `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <PublishResult><MessageId>${id}</MessageId></PublishResult></PublishResponse>`

/** The response of SES to a message that it accepted. */
export const sesAccepted = (id: string): string =>
  `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
  <SendRawEmailResult><MessageId>${id}</MessageId></SendRawEmailResult></SendRawEmailResponse>`

/** The response of SES to `GetSendQuota`. */
export const sesQuota = ({ maxSendRate, max24HourSend, sentLast24Hours }: SesQuota): string =>
  `<GetSendQuotaResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><GetSendQuotaResult>
  <MaxSendRate>${maxSendRate.toFixed(1)}</MaxSendRate><Max24HourSend>${max24HourSend.toFixed(1)}</Max24HourSend>
  <SentLast24Hours>${sentLast24Hours.toFixed(1)}</SentLast24Hours></GetSendQuotaResult></GetSendQuotaResponse>`

/** The response of SNS or SES to a request that it refuses. */
export const queryError = (code: string, message = 'because', type = 'Sender'): string =>
  `<ErrorResponse><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
