/** Which refusals of messages are counted as storage failures, for the alarm. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outcome } from '../../../../functions/smtp-ingress/intake/incoming-message.ts'
import type { MessageRateLimiter } from '../../../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { parseCommand } from '../../../../functions/smtp-ingress/protocol/command.ts'
import type { MessageSink } from '../../../../functions/smtp-ingress/protocol/message-sink.ts'
import {
  insufficientSpool,
  spoolUnavailable,
  storageUnavailable,
  tooManyLargeMessages,
} from '../../../../functions/smtp-ingress/replies.ts'
import {
  ConnectorSessionPolicy,
  type SessionPolicyParts,
} from '../../../../functions/smtp-ingress/session-policy/connector-session-policy.ts'
import { receivedAt, snapshot } from '../../../support/fixtures.ts'

const cause = new Error('internal')
const outcomes: [name: string, outcome: Outcome, failureCount: number][] = [
  ['that S3 or SQS did not store', { ...storageUnavailable, cause }, 1],
  ['that a failing disk did not store', { ...spoolUnavailable, cause }, 1],
  ['for which the disk is full before the spool has reached its limit', { ...insufficientSpool, cause }, 1],
  ['for which the spool is full', insufficientSpool, 0],
  ['that timed out in the upload queue', tooManyLargeMessages, 0],
  ['that is stored', { size: 10 }, 0],
]
for (const [name, outcome, failureCount] of outcomes)
  test(`a message ${name} is ${failureCount === 0 ? 'not ' : ''}counted in StorageFailures`, async () => {
    const metrics = new Metrics()
    const policy = new ConnectorSessionPolicy(partsWith(outcome, metrics), { ip: '192.0.2.1', port: 25 })
    const mail = read('MAIL FROM:<a@elsewhere.example>', 'MAIL')
    const rcpt = read('RCPT TO:<b@ours.example>', 'RCPT')
    policy.mail(mail)
    await policy.recipient(rcpt, mail)
    const sink = policy.data({
      greeting: { name: 'client.example', isEsmtp: true },
      mail,
      recipients: [rcpt.recipient],
    })
    assert.ok('end' in sink)
    await sink.end(null)
    const counts = metrics.take().filter(({ metric }) => metric === 'StorageFailures')
    assert.equal(
      counts.reduce((sum, { count }) => sum + count, 0),
      failureCount,
    )
  })

function read<V extends 'MAIL' | 'RCPT'>(line: string, verb: V) {
  const command = parseCommand(Buffer.from(line))
  assert.ok('verb' in command && command.verb === verb)
  return command as Extract<typeof command, { verb: V }>
}

function partsWith(outcome: Outcome, metrics: Metrics): SessionPolicyParts {
  const incoming: Omit<MessageSink, 'end'> & { end(): Promise<Outcome> } = {
    earlyRefusal: null,
    write: () => undefined,
    end: async () => outcome,
    abandon() {},
  }
  const rates: MessageRateLimiter = { countMessage: () => null, stop() {} }
  return {
    environment: { MAIL_HOSTNAME: 'mx.ours.example', MAX_MESSAGE_SIZE: 1_000_000 },
    connectors: { current: () => snapshot({}), areFailing: false },
    intake: { isFailing: false, hasRoomFor: () => true, begin: () => incoming },
    rates,
    metrics,
    log() {},
    now: () => receivedAt,
  } as unknown as SessionPolicyParts
}
