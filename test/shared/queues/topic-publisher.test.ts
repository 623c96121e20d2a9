import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { SNSClient } from '@aws-sdk/client-sns'
import { topicPublisher } from '../../../shared/queues/topic-publisher.ts'
import { snsPublished } from '../../support/aws-answers.ts'
import { type FakeQueryService, startQueryService } from '../../support/fake-query-service.ts'
import { testAccount } from '../../support/lambda.ts'
import { within } from '../../support/within.ts'

const topicArn = 'arn:aws:sns:eu-central-1:123456789012:notices'
const announcement = {
  subject: 'mailflow: unknown certificate at connector "Süd"'.replace('ü', '?'),
  text: 'Grüße\n',
  attributes: { kind: 'UnknownCertificate', connector: 'Süd' },
}

let topic: FakeQueryService

before(async () => {
  topic = await startQueryService(() => ({ status: 200, body: snsPublished('m1') }))
})
after(() => topic.stop())

const client = () => new SNSClient({ endpoint: topic.url, ...testAccount })

test('topicPublisher publishes an announcement with its subject, text and attributes', async () => {
  assert.equal(await topicPublisher(client(), topicArn)(announcement), 'm1')
  const sent = Object.fromEntries(topic.requests.at(-1) ?? [])
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

test('topicPublisher rejects with an AbortError when SNS does not respond in time', async () => {
  topic.answer = () => 'none'
  const publishing = topicPublisher(client(), topicArn, 200)(announcement)
  await assert.rejects(within(5_000, publishing, 'the publisher gives up'), { name: 'AbortError' })
})
