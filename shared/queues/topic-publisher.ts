/** Publishes administrators' notices to an SNS topic. */
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns'

export interface Announcement {
  /** At most 100 characters of printable ASCII. */
  subject: string
  text: string
  attributes: Readonly<Record<string, string>>
}

/** The timeout of one notice, including all retries. Mail jobs in the same batch wait until then. */
const publishTimeoutMs = 8_000

/** @returns a function that publishes a notice and returns its SNS message id */
export const topicPublisher =
  (sns: SNSClient, topicArn: string, timeoutMs = publishTimeoutMs) =>
  async ({ subject, text, attributes }: Announcement): Promise<string> => {
    const command = new PublishCommand({
      TopicArn: topicArn,
      Subject: subject,
      Message: text,
      MessageAttributes: Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]),
      ),
    })
    const { MessageId = '' } = await sns.send(command, { abortSignal: AbortSignal.timeout(timeoutMs) })
    return MessageId
  }
