import { Duration } from 'aws-cdk-lib'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Unit } from '../unit.ts'

/** SQS keeps no message longer. */
const retentionPeriod = Duration.days(14)

/**
 * A deferral or a retry is a new message with a delay, so what counts here is faults alone: crashes, timeouts,
 * an unreachable table. Thirty of them, a visibility timeout apart, outlast the outages worth waiting out.
 */
const faultsBeforeDeadLetter = 30

/**
 * How soon a message comes back when its worker died. AWS advises six timeouts, room for Lambda to retry a batch
 * that was throttled; the event source's own maximum concurrency keeps it from being throttled, and a message
 * that comes back early finds its claim taken. What mail cannot afford is to wait for half an hour.
 */
const visibilityPerTimeout = 2

export interface MailQueueProps {
  /** The variable under which a unit that sends finds this queue's URL. */
  readonly urlVariable: string
  /** Of the function that consumes the queue. */
  readonly consumer: { readonly timeoutSeconds: number; readonly concurrency: number }
}

/**
 * One stage's queue with its dead-letter queue. Both refuse plain HTTP; SQS has no condition key for the TLS
 * version, and none is needed, since its endpoints speak TLS 1.2 and later only.
 */
export class MailQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue
  private readonly props: MailQueueProps

  constructor(scope: Construct, id: string, props: MailQueueProps) {
    super(scope, id)
    this.props = props
    const common = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod }
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      redriveAllowPolicy: { redrivePermission: RedrivePermission.ALLOW_ALL },
    })
    this.queue = new Queue(this, 'Queue', {
      ...common,
      visibilityTimeout: Duration.seconds(props.consumer.timeoutSeconds * visibilityPerTimeout),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: faultsBeforeDeadLetter },
    })
    acknowledge(this.deadLetters, 'This queue is itself the dead-letter queue.', 'SQS3')
  }

  /** Lets the unit send, and tells it where. */
  grantSend(unit: Unit): void {
    this.queue.grantSendMessages(unit)
    unit.addEnvironment(this.props.urlVariable, this.queue.queueUrl)
  }

  /** Runs the function for each batch; records it reports as failed come back, the others are gone. */
  consume(consumer: IFunction): void {
    consumer.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize: 10,
        reportBatchItemFailures: true,
        maxConcurrency: this.props.consumer.concurrency,
      }),
    )
  }
}
