/** The deployed functions, with a simulation in place of AWS and of the next hops. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { authenticateJob } from '../../../functions/authenticate-message/authenticate-job.ts'
import { bounceJob, contentReference } from '../../../functions/bounce-message/bounce-job.ts'
import { type MailRequest, requestForMessage } from '../../../functions/connector-api/waiting-mail.ts'
import { deliverJob } from '../../../functions/deliver-message/deliver-job.ts'
import { deliveredEvents } from '../../../functions/deliver-message/delivered-events.ts'
import type { QueueReturn } from '../../../functions/deliver-message/return-to-queue.ts'
import type { DeliveryPriorities } from '../../../functions/evaluate-policy/delivery-priority.ts'
import { evaluateJob } from '../../../functions/evaluate-policy/evaluate-job.ts'
import type { MessageAuthentication } from '../../../shared/contract/authentication.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { BounceJob, DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { History } from '../../../shared/messages/history.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { OutboundMessage, Outcomes } from '../../../shared/net/smtp-delivery.ts'
import type { Settings } from '../../../shared/policy/evaluate.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { OutgoingJob } from '../../../shared/queues/job-queue.ts'
import { authenticated } from '../fixtures.ts'
import { normalPriority } from '../queue.ts'
import type { Unit } from './queues.ts'
import type { Command } from './table.ts'

/** All side effects and inputs of a worker. Each call is one step of the simulation. */
export interface Ports {
  request(command: Command): Promise<unknown>
  send(unit: Unit, outgoing: readonly OutgoingJob<unknown>[]): Promise<void>
  read(reference: ContentReference): Promise<Buffer>
  store(octets: Buffer, reference: ContentReference): Promise<void>
  /** @param connectorsVersion the connectors' version when the worker began */
  transmit(mail: OutboundMessage, job: DeliveryJob, connectorsVersion: number): Promise<Outcomes>
  /** The reason why a delivery cannot begin now; null when it can. */
  reasonNotToRun(): QueueReturn | null
  connectors(): Snapshot
  now(): Date
  settings?: Settings
  /** Sends events. @default they are sent nowhere */
  emit?(events: readonly MailEvent[]): Promise<void>
  /** @default every delivery has the normal priority */
  priorities?: Pick<DeliveryPriorities, 'assign'>
  /** @default no sender has SPF, DKIM or DMARC */
  authenticate?(): Promise<MessageAuthentication>
  /** @default runs the work unless there is a reason not to run */
  runWithSlot?<T>(job: DeliveryJob, work: () => Promise<T>): Promise<T | QueueReturn>
}

const table = 'messages'
const retentionDays = 90
const hostname = 'mx.ours.example'

/** @param receives number of times that the job was received, from 1 */
export async function runUnit(unit: Unit, body: string, ports: Ports, receives = 1): Promise<unknown> {
  const documents = { send: ports.request } as unknown as DynamoDBDocumentClient
  const shared = { trace: new Trace(documents, table), evaluation: queue(ports, 'evaluate'), retentionDays }
  const job: unknown = JSON.parse(body)
  switch (unit) {
    case 'evaluate':
      return evaluate(EvaluationJob.parse(job), {
        ...shared,
        requirements: new ContentAddressedStore(documents, table, 'requirement', KeptRequirement),
        queues: {
          evaluation: shared.evaluation,
          authentication: queue(ports, 'authenticate'),
          delivery: queue(ports, 'deliver'),
          bounce: queue(ports, 'bounce'),
        },
        priorities: ports.priorities ?? normalPriority,
        settings: ports.settings ?? { defaultRoute: 'Mx' },
        hostname,
      })
    case 'authenticate':
      return authenticateJob(EvaluationJob.parse(job), receives, {
        ...shared,
        claims: new Claims(documents, table),
        read: ports.read,
        authenticate: ports.authenticate ?? (async () => authenticated('none', 'elsewhere.example')),
        hostname,
        now: ports.now,
      })
    case 'deliver':
      return deliver(DeliveryJob.parse(job), {
        ...shared,
        claims: new AttemptClaims(documents, table),
        delivery: queue(ports, 'deliver'),
        read: ports.read,
        now: ports.now,
        random: () => 0,
        connectorsVersion: async () => ports.connectors().version,
      })
    case 'bounce': {
      const { events } = await bounceJob(BounceJob.parse(job), ports.now(), {
        ...shared,
        claims: new Claims(documents, table),
        readHeaders: ports.read,
        read: ports.read,
        maxReturnedOctets: 100_000,
        async store(id, octets) {
          const reference = contentReference('content', id, octets)
          await ports.store(octets, reference)
          return reference
        },
        hostname,
        limits: {
          sentOctets: async () => 0,
          takeOctets: async () => true,
          takeRate: async () => true,
          takeQuery: async () => true,
        },
        passesSpf: async () => true,
      })
      return emit(events)
    }
    case 'retry':
      return request('Retry')
    case 'release':
      return request('Release')
    case 'return':
      return request('Return')
    case 'drop':
      return request('Drop')
  }

  function request(kind: MailRequest['kind']): Promise<unknown> {
    const mailRequest = { kind, at: ports.now().toISOString(), by: 'ann', reason: 'a test' }
    return requestForMessage(job as string, mailRequest, {
      ...shared,
      history: new History(documents, table),
      events: { send: emit },
      now: () => ports.now().getTime(),
    })
  }

  /** As sqsHandler does: a request without events is not made. */
  async function emit(events: readonly MailEvent[]): Promise<void> {
    if (events.length > 0) await ports.emit?.(events)
  }

  async function evaluate(
    evaluationJob: EvaluationJob,
    dependencies: Parameters<typeof evaluateJob>[3],
  ): Promise<void> {
    const { events, sendJobs } = await evaluateJob(
      evaluationJob,
      ports.connectors(),
      ports.now(),
      dependencies,
      receives,
    )
    await emit(events)
    await sendJobs()
  }

  async function deliver(
    deliveryJob: DeliveryJob,
    dependencies: Omit<Parameters<typeof deliverJob>[1], 'transmit' | 'runWithSlot'>,
  ): Promise<void> {
    const runWithSlot: Parameters<typeof deliverJob>[1]['runWithSlot'] = async (work) =>
      ports.runWithSlot?.(deliveryJob, work) ?? ports.reasonNotToRun() ?? work()
    let version = 0
    const connectorsVersion = async () => {
      version = await dependencies.connectorsVersion()
      return version
    }
    const transmit = (_: unknown, mail: OutboundMessage) => ports.transmit(mail, deliveryJob, version)
    const delivery = await deliverJob(deliveryJob, {
      ...dependencies,
      connectorsVersion,
      runWithSlot,
      transmit,
    })
    await emit(deliveredEvents(deliveryJob, delivery))
    const { busyRecipients: busy } = delivery
    if (busy.length > 0) throw new Error('some recipients are busy')
  }
}

const queue = (ports: Ports, unit: Unit) => ({
  send: (outgoing: readonly OutgoingJob<unknown>[]) =>
    outgoing.length === 0 ? Promise.resolve() : ports.send(unit, outgoing),
})
