/** send-summary: mails administrators the counts of the previous day or week. A schedule invokes it. */
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { ulid } from 'ulid'
import * as z from 'zod'
import { contentKey } from '../../shared/content/content-key.ts'
import { contentReference } from '../../shared/content/content-reference.ts'
import { dkimSettings, readEnvironment, SummaryEnvironment } from '../../shared/contract/environment.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import { basicEnvelope, createOwnMessage, newRecipient } from '../../shared/contract/message.ts'
import { summaryHours } from '../../shared/contract/summary-schedule.ts'
import { EventCounts } from '../../shared/events/event-counts.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { UnsealedEvents } from '../../shared/events/unsealed-events.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { Claims } from '../../shared/messages/claims.ts'
import { readWaitingGroups } from '../../shared/messages/read-waiting-groups.ts'
import { WaitingList } from '../../shared/messages/waiting-list.ts'
import { readSigningKey } from '../../shared/net/signing-key.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { dayOf, previousDay } from '../../shared/tls-reports/days.ts'
import { countSummary } from './count-summary.ts'
import { readSeals } from './read-seals.ts'
import { type SentSummary, type SummaryRun, sendSummaries } from './send-summaries.ts'
import { buildSummaryMail, summaryMessageId } from './summary-mail.ts'
import type { SummaryPeriod } from './summary-period.ts'
import { type Summary, summaryLines, summarySubject, type WaitingMail } from './summary-text.ts'

/**
 * A scheduled event names no day. A manual invocation may name one: `{"day":"2026-02-03"}`. A day that has not ended
 * needs `"unfinished":true`; its summary is sent each time, and again when the day has ended.
 */
const SummaryEvent = z.object({ day: z.iso.date().optional(), unfinished: z.boolean().default(false) })

// Runs at cold start.

const environment = readEnvironment(SummaryEnvironment, process.env)
const logger = new Logger({ serviceName: 'send-summary' })
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const s3 = new S3Client(clientDefaults)
const secrets = new SecretsManagerClient(clientDefaults)
const evaluation = new JobQueue<EvaluationJob>(
  new SQSClient(clientDefaults),
  environment.EVALUATION_QUEUE_URL,
)
const store = new EventStore(s3, environment.EVENTS_BUCKET)
const counts = new EventCounts(store, new UnsealedEvents(store, Date.now))
const waitingList = new WaitingList(documents, environment.MESSAGES_TABLE)
const claims = new Claims<SentSummary>(documents, environment.TRANSPORT_TABLE)
const dkim = dkimSettings(environment)
const mailboxes = { Day: environment.DAILY_SUMMARIES_TO, Week: environment.WEEKLY_SUMMARIES_TO }
const now = () => new Date()

// Called by AWS.

/** @throws when a message could not be sent; Lambda then repeats the run */
export async function handler(event: unknown): Promise<SummaryRun> {
  const { day, unfinished } = SummaryEvent.parse(event ?? {})
  if (day !== undefined && day >= dayOf(now()) && !unfinished)
    throw new Error(`${day} has not ended. Pass "unfinished": true to send its summary now`)
  const isLastRun = now().getUTCHours() >= (summaryHours.at(-1) ?? 0)
  const lastDay = day ?? previousDay(now())
  const run = await sendSummaries(lastDay, {
    mailboxes,
    claims: unfinished ? null : claims,
    read,
    send,
    waitsForSeals: day === undefined && !isLastRun,
    now,
    onFailed: (error, { kind }) =>
      logger.error('A summary could not be sent', { day: lastDay, kind, error: error as Error }),
  })
  logger.info('Summaries sent', { day: lastDay, ...run })
  if (run.failed > 0) throw new Error(`${run.failed} summaries could not be sent`)
  return run
}

async function read(period: SummaryPeriod): Promise<Summary> {
  const { from, to } = period
  const [span, { unsealedFrom, missing }, waiting] = await Promise.all([
    counts.read(from, to),
    readSeals(store, from, to),
    readWaiting(),
  ])
  const growing = [span.soFar, unsealedFrom].filter((time) => time !== null)
  return {
    period,
    hostname: environment.MAIL_HOSTNAME,
    counts: countSummary(span.days, period),
    soFar: growing.length > 0 ? Math.max(from, Math.min(...growing)) : null,
    missing,
    waiting,
  }
}

async function readWaiting(): Promise<WaitingMail | null> {
  try {
    const groups = await readWaitingGroups(waitingList)
    const [oldest = null] = groups.map((group) => group.oldest).sort()
    return { recipients: groups.reduce((sum, { recipients }) => sum + recipients, 0), oldest }
  } catch (error) {
    logger.warn('The mail that waits could not be read', { error: error as Error })
    return null
  }
}

/** A new message with the null reverse path: connectors apply to it, and it causes no DSN. */
async function send(summary: Summary, to: string): Promise<void> {
  const at = now()
  const mail = {
    id: ulid(at.getTime()),
    from: environment.SUMMARY_SENDER,
    to,
    at,
    subject: summarySubject(summary),
    lines: summaryLines(summary),
  }
  const octets = await buildSummaryMail(mail, dkim && (await readSigningKey(secrets, dkim)))
  const content = contentReference(environment.CONTENT_BUCKET, contentKey('reports', mail.id), octets)
  await s3.send(new PutObjectCommand({ Bucket: content.bucket, Key: content.key, Body: octets }))
  const message = createOwnMessage({
    id: mail.id,
    madeAt: at,
    envelope: basicEnvelope(''),
    headerMessageId: summaryMessageId(mail),
    content,
  })
  await evaluation.send([
    { job: { message, recipients: [newRecipient(to)], notBefore: null }, delaySeconds: 0 },
  ])
}
