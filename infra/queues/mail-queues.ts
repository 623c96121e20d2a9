import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import { MailQueue } from './mail-queue.ts'

/** The queues of the stages of a message: evaluation, authentication, delivery, bounce; and the queue of events. */
export class MailQueues extends Construct {
  readonly evaluation: MailQueue
  /** Messages whose senders are to be authenticated before their evaluation. */
  readonly authentication: MailQueue
  readonly delivery: MailQueue
  /** Mail to domains that have not proved themselves. */
  readonly unprovenDelivery: MailQueue
  /** DSNs to such domains, and mail to them after a slow failure. */
  readonly lowPriorityDelivery: MailQueue
  /** The queues of delivery jobs. */
  readonly deliveries: readonly MailQueue[]
  readonly bounce: MailQueue
  /** What happened to mail. */
  readonly events: MailQueue
  /** The queues of jobs. */
  readonly all: readonly MailQueue[]

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id)
    const { evaluate, authenticate, deliver, bounce } = config.functions
    this.evaluation = new MailQueue(this, 'Evaluation', {
      config,
      variablePrefix: 'EVALUATION',
      consumer: evaluate,
    })
    this.authentication = new MailQueue(this, 'Authentication', {
      config,
      variablePrefix: 'AUTHENTICATION',
      consumer: authenticate,
    })
    this.delivery = new MailQueue(this, 'Delivery', { config, variablePrefix: 'DELIVERY', consumer: deliver })
    this.unprovenDelivery = new MailQueue(this, 'UnprovenDelivery', {
      config,
      variablePrefix: 'UNPROVEN_DELIVERY',
      consumer: { ...deliver, concurrency: deliver.unprovenConcurrency },
    })
    this.lowPriorityDelivery = new MailQueue(this, 'LowPriorityDelivery', {
      config,
      variablePrefix: 'LOW_PRIORITY_DELIVERY',
      consumer: { ...deliver, concurrency: deliver.lowPriorityConcurrency },
    })
    this.deliveries = [this.delivery, this.unprovenDelivery, this.lowPriorityDelivery]
    this.bounce = new MailQueue(this, 'Bounce', { config, variablePrefix: 'BOUNCE', consumer: bounce })
    this.events = new MailQueue(this, 'Events', {
      config,
      variablePrefix: 'EVENTS',
      // The most that Lambda permits. Each object that record-events writes costs as much as a dozen messages of the queue.
      consumer: { ...config.functions.record, batchingWindowSeconds: 60, batchSize: 10_000 },
    })
    this.all = [this.evaluation, this.authentication, ...this.deliveries, this.bounce]
  }
}
