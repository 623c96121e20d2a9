import { Duration } from 'aws-cdk-lib'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Unit } from '../unit.ts'

/** The longest retention of SQS. */
const retentionPeriod = Duration.days(14)

/**
 * A deferral or a retry is a new message with a delay. So `maxReceives` is reached only after crashes, timeouts,
 * unreachable AWS services and jobs that cannot be read. Thirty receives, one visibility timeout apart, outlast most
 * outages.
 */
const maxReceives = 30

/**
 * A message reappears after this many function timeouts when its worker has crashed. AWS advises six, which leave
 * Lambda time to retry a throttled batch. In mailflow, the maximum concurrency of the event source prevents throttling
 * while the account's quota exceeds the sum of all maxima, and a message that reappears early finds its claim taken. For
 * the delivery queue, six would be half an hour.
 */
const visibilityTimeoutFactor = 2

export interface MailQueueProps {
  /** Environment variable with the URL of this queue, for units that send. */
  readonly urlVariable: string
  /** Limits of the function that consumes the queue. */
  readonly consumer: { readonly timeoutSeconds: number; readonly concurrency: number }
}

/**
 * A queue with its dead-letter queue. Both refuse plain HTTP. SQS has no condition key for the TLS version and needs
 * none: its endpoints accept TLS 1.2 and later only.
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
      visibilityTimeout: Duration.seconds(props.consumer.timeoutSeconds * visibilityTimeoutFactor),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: maxReceives },
    })
    acknowledge(this.deadLetters, 'This queue is itself the dead-letter queue.', 'SQS3')
  }

  /** Lets the unit send. */
  grantSend(unit: Unit): void {
    this.queue.grantSendMessages(unit)
    unit.addEnvironment(this.props.urlVariable, this.queue.queueUrl)
  }

  /** Invokes the function for each batch. Records that the function reports as failed reappear. */
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
