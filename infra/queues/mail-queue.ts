import { Duration } from 'aws-cdk-lib'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { type CfnQueue, Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import { grantKeyUse } from '../encryption-key.ts'
import { retained } from '../storage/retained.ts'
import type { Unit, UnitFunction } from '../unit.ts'

/** The longest retention of SQS. */
const retentionPeriod = Duration.days(14)

/**
 * The maximum of SQS. An outage of AWS must not move accepted mail to the dead letters. A failed job waits longer each
 * time (shared/lambda/retry-delay.ts), so that a thousand receives take at least five days. If the wait cannot be set,
 * they take a thousand visibility timeouts: 16 hours in evaluation. A deferral is a new message, and a job that cannot be
 * read goes to the dead letters at once.
 */
const maxReceives = 1000

/**
 * A message reappears after this many function timeouts when its worker has crashed. AWS advises six, which leave
 * Lambda time to retry a throttled batch. In mailflow, the maximum concurrency of the event source prevents throttling
 * while the account's quota exceeds the sum of all maxima, and a message that reappears early finds its claim taken. For
 * the delivery queue, six would be half an hour.
 */
const visibilityTimeoutFactor = 2

/**
 * Seconds for which SQS uses one data key of a KMS key for one role and queue. Each new data key is one paid call of KMS
 * for a reader, and two for a sender; with an hour, all queues together make fewer than 50,000 calls a month
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html). SQS may use a
 * disabled key for as long.
 */
const dataKeyReuseSeconds = 3600

export interface MailQueueProps {
  readonly config: Config
  /** The names of the environment variables with the queue's URLs begin with this text. */
  readonly variablePrefix: string
  /** Limits of the function that consumes the queue. */
  readonly consumer: {
    readonly timeoutSeconds: number
    readonly concurrency: number
    /** How long an invocation waits for more records. @default 0 */
    readonly batchingWindowSeconds?: number
    /** Most records of an invocation. @default 50 with a window, otherwise ten */
    readonly batchSize?: number
  }
}

/**
 * Lambda gathers more than ten messages only in a batching window of a second or more
 * (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html). A quiet queue may make a message
 * wait for 20 seconds, whatever the window (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
 */
const defaultBatchSize = (batchingWindowSeconds: number): number => (batchingWindowSeconds > 0 ? 50 : 10)

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
    const common = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod,
      // The only record of mail that is accepted and not yet decided.
      removalPolicy: retained,
    }
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      redriveAllowPolicy: { redrivePermission: RedrivePermission.ALLOW_ALL },
    })
    this.queue = new Queue(this, 'Queue', {
      ...common,
      visibilityTimeout: Duration.seconds(
        props.consumer.timeoutSeconds * visibilityTimeoutFactor + (props.consumer.batchingWindowSeconds ?? 0),
      ),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: maxReceives },
    })
    for (const queue of [this.queue, this.deadLetters]) this.setKey(queue)
    acknowledge(this.deadLetters, 'This queue is itself the dead-letter queue.', 'SQS3')
  }

  /** Lets the unit send. */
  grantSend(unit: Unit): void {
    this.queue.grantSendMessages(unit)
    this.grantKey(unit)
    this.setUrl(unit)
  }

  /**
   * Invokes the function for each batch. Records that the function reports as failed reappear. The function delays them,
   * and sends records that cannot be read to the dead letters.
   */
  consume(consumer: UnitFunction): void {
    this.setUrl(consumer)
    this.deadLetters.grantSendMessages(consumer)
    this.grantKey(consumer)
    this.setDeadLettersUrl(consumer)
    const {
      concurrency,
      batchingWindowSeconds = 0,
      batchSize = defaultBatchSize(batchingWindowSeconds),
    } = this.props.consumer
    consumer.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize,
        ...(batchingWindowSeconds > 0 && { maxBatchingWindow: Duration.seconds(batchingWindowSeconds) }),
        reportBatchItemFailures: true,
        maxConcurrency: concurrency,
      }),
    )
  }

  /** Lets the unit read dead letters, and send them to their queue again. */
  grantRedrive(unit: UnitFunction): void {
    this.grantSend(unit)
    this.deadLetters.grant(unit, 'sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage')
    this.setDeadLettersUrl(unit)
  }

  /** Lets the unit read, delete and replace dead letters. */
  grantDeadLetters(unit: Unit): void {
    this.deadLetters.grant(
      unit,
      'sqs:ReceiveMessage',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:SendMessage',
    )
    this.grantKey(unit)
    this.setDeadLettersUrl(unit)
  }

  /** Sets the customer's key in the template, because the CDK would grant each sender wildcard actions on the key. */
  private setKey(queue: Queue): void {
    const { encryptionKeyArn } = this.props.config
    if (encryptionKeyArn === undefined) return
    const resource = queue.node.defaultChild as CfnQueue
    resource.sqsManagedSseEnabled = undefined
    resource.kmsMasterKeyId = encryptionKeyArn
    resource.kmsDataKeyReusePeriodSeconds = dataKeyReuseSeconds
  }

  /** SQS verifies a new data key before it encrypts, so a sender needs both calls; Lambda reads with the consumer's role. */
  private grantKey(unit: Unit): void {
    grantKeyUse(unit, this.props.config, 'sqs', 'GenerateDataKey', 'Decrypt')
  }

  private setUrl(unit: Unit): void {
    unit.addEnvironment(`${this.props.variablePrefix}_QUEUE_URL`, this.queue.queueUrl)
  }

  private setDeadLettersUrl(unit: Unit): void {
    unit.addEnvironment(`${this.props.variablePrefix}_DEAD_LETTERS_URL`, this.deadLetters.queueUrl)
  }
}
