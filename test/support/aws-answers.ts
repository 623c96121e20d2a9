/** What AWS's services answer, for servers that stand in for them. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A message as `SendMessageBatch` has it. */
export interface SqsEntry {
  Id: string
  MessageBody: string
  DelaySeconds?: number
  MessageGroupId?: string
}

/** AWS's JSON protocols name the operation in a header. @returns an empty text for S3, which does not */
export const operationOf = ({ headers }: IncomingMessage): string =>
  String(headers['x-amz-target'] ?? '')
    .split('.')
    .at(-1) ?? ''

export const md5Of = (text: string): string => createHash('md5').update(text).digest('hex')

/** SQS took this message. @param body what SQS says that it took */
export const takenEntry = ({ Id, MessageBody }: SqsEntry, body = MessageBody) => ({
  Id,
  MessageId: Id,
  MD5OfMessageBody: md5Of(body),
})

/** DynamoDB's table of connectors, which holds the accepted domain ours.example and no connector. */
export function connectorsAnswer(
  operation: string,
  { ExpressionAttributeValues = {} }: { ExpressionAttributeValues?: Record<string, { S: string }> },
): object {
  if (operation === 'GetItem') return { Item: { version: { N: '1' } } }
  if (operation !== 'Query') return {}
  const asksDomains = Object.values(ExpressionAttributeValues).some(({ S }) => S === 'accepted-domain')
  return { Items: asksDomains ? [acceptedDomain] : [] }
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

/** SNS published an announcement. */
export const snsPublished = (id: string): string =>
  `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <PublishResult><MessageId>${id}</MessageId></PublishResult></PublishResponse>`

/** SES took a message. */
export const sesTook = (id: string): string =>
  `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
  <SendRawEmailResult><MessageId>${id}</MessageId></SendRawEmailResult></SendRawEmailResponse>`

/** SNS or SES refused a request. */
export const queryError = (code: string, message = 'because', type = 'Sender'): string =>
  `<ErrorResponse><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`
