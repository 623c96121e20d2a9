import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { SNSClient } from '@aws-sdk/client-sns'
import { topicPublisher } from '../../../shared/queues/topic.ts'
import { within } from '../../support/within.ts'

const topicArn = 'arn:aws:sns:eu-central-1:123456789012:notices'
const announcement = {
  subject: 'mailflow: unknown certificate at connector "Süd"'.replace('ü', '?'),
  text: 'Grüße\n',
  attributes: { kind: 'UnknownCertificate', connector: 'Süd' },
}

let server: Server
let silent = false
const requests: URLSearchParams[] = []

before(async () => {
  server = createServer(async (request, response) => {
    requests.push(new URLSearchParams(await text(request)))
    if (silent) return
    response.setHeader('content-type', 'text/xml')
    response.end(
      '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>',
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
after(() => {
  server.closeAllConnections()
  server.close()
})

const client = () =>
  new SNSClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })

test('an announcement is published with its subject, its text and its attributes', async () => {
  assert.equal(await topicPublisher(client(), topicArn)(announcement), 'm1')
  const sent = Object.fromEntries(requests.at(-1) ?? [])
  assert.deepEqual(
    [sent.Action, sent.TopicArn, sent.Subject, sent.Message],
    ['Publish', topicArn, announcement.subject, announcement.text],
  )
  assert.deepEqual(
    Object.entries(sent)
      .filter(([name]) => /^MessageAttributes.*(Name|StringValue)$/.test(name))
      .map(([, value]) => value),
    ['kind', 'UnknownCertificate', 'connector', 'Süd'],
  )
})

test('a topic that never answers is given up in the time there is', async () => {
  silent = true
  const publishing = topicPublisher(client(), topicArn, 200)(announcement)
  await assert.rejects(
    within(30_000, publishing, 'the publisher'),
    (error: Error) => !/not within/.test(error.message),
  )
})
