import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namesIn } from '../../../infra/local/endpoints.ts'
import { Resolver, type Template } from '../../../infra/local/template.ts'

test('the names of queues, tables and buckets are those of the environment variables; the table of Athena is no table of DynamoDB', () => {
  const template: Template = {
    Resources: {
      Jobs: {
        Type: 'AWS::SQS::Queue',
        Properties: { RedrivePolicy: { deadLetterTargetArn: 'arn:dead' } },
      },
      Dead: { Type: 'AWS::SQS::Queue' },
    },
  }
  const queues = [
    { logicalId: 'Jobs', name: 'Jobs', arn: 'arn:jobs', url: 'http://sqs/jobs' },
    { logicalId: 'Dead', name: 'Dead', arn: 'arn:dead', url: 'http://sqs/dead' },
  ]
  const variables = {
    DELIVERY_QUEUE_URL: 'http://sqs/jobs',
    MESSAGES_TABLE: 'MessagesTable',
    ATHENA_TABLE: 'events',
    CONTENT_BUCKET: 'content',
    EVENTS_BUCKET: 'events',
  }
  const resources = { queues, topics: [], buckets: [], tables: { Messages: 'MessagesTable' } }
  assert.deepEqual(namesIn(variables, template, new Resolver(template), resources), {
    queues: { delivery: 'http://sqs/jobs', deliveryDeadLetters: 'http://sqs/dead' },
    tables: { messages: 'MessagesTable' },
    bucket: 'content',
    eventsBucket: 'events',
  })
})
