/**
 * Requests to Amazon SES. `SendRawEmail` of API v1 carries most messages. A message that is too large for it goes through
 * `SendEmail` of API v2, whose client is loaded for the first such message.
 */
import {
  GetSendQuotaCommand,
  SESClient,
  type SESClientConfig,
  SendRawEmailCommand,
} from '@aws-sdk/client-ses'

/**
 * Octets of base64. AWS counts "10 MB per message (after base64 encoding)" for API v1
 * (docs.aws.amazon.com/ses/latest/dg/quotas.html) and does not say whether that includes the base64 of the request. This
 * code includes it, because API v2 also takes the messages between both readings.
 */
const maxV1Base64Octets = 10_485_760

/**
 * Octets of a message. AWS names 40 MB for API v2 (the same page), "after MIME encoding"
 * (docs.aws.amazon.com/ses/latest/DeveloperGuide/manage-sending-quotas.html): the base64 of attachments counts, that of
 * the request does not. A megabyte is read as a million octets, the smaller of its two meanings.
 */
export const maxSesMessageOctets = 40_000_000

const base64Octets = (octets: number): number => Math.ceil(octets / 3) * 4

/** Returns the API that carries a message of this size; null when none does. */
export function sesApiFor(octets: number): 'V1' | 'V2' | null {
  if (octets > maxSesMessageOctets) return null
  return base64Octets(octets) <= maxV1Base64Octets ? 'V1' : 'V2'
}

export interface SesMail {
  /** Reverse path; empty for a DSN. */
  mailFrom: string
  /** At most 50 addresses. */
  recipients: string[]
  content: Buffer
  configurationSet: string
}

/** The quota of the account in its Region. SES counts recipients. */
export interface SesQuota {
  /** Recipients per second. */
  maxSendRate: number
  /** Recipients in 24 hours; -1 means no limit. */
  max24HourSend: number
  sentLast24Hours: number
}

/** What the clients of both APIs have in common. */
type Configuration = Pick<
  SESClientConfig,
  'region' | 'credentials' | 'endpoint' | 'maxAttempts' | 'requestHandler'
>

export class SesApi {
  readonly #config: Configuration
  readonly #v1: SESClient
  #v2: ReturnType<typeof loadV2> | null = null

  constructor(config: Configuration) {
    this.#config = config
    this.#v1 = new SESClient(config)
  }

  /**
   * @returns the id that SES gave the message
   * @throws the error of SES or of the network
   */
  async send(mail: SesMail, signal: AbortSignal): Promise<string> {
    const { MessageId = '' } = await (sesApiFor(mail.content.length) === 'V1'
      ? this.#sendByV1(mail, signal)
      : this.#sendByV2(mail, signal))
    return MessageId
  }

  /** @throws the error of SES or of the network */
  async readQuota(signal: AbortSignal): Promise<SesQuota> {
    const { MaxSendRate, Max24HourSend, SentLast24Hours } = await this.#v1.send(new GetSendQuotaCommand({}), {
      abortSignal: signal,
    })
    if (MaxSendRate === undefined || Max24HourSend === undefined || SentLast24Hours === undefined)
      throw new Error('Amazon SES returned an incomplete quota')
    return { maxSendRate: MaxSendRate, max24HourSend: Max24HourSend, sentLast24Hours: SentLast24Hours }
  }

  #sendByV1({ mailFrom, recipients, content, configurationSet }: SesMail, signal: AbortSignal) {
    const command = new SendRawEmailCommand({
      // SES accepts no null reverse path; without Source it takes the sender from the From field.
      ...(mailFrom === '' ? {} : { Source: mailFrom }),
      Destinations: recipients,
      RawMessage: { Data: content },
      ConfigurationSetName: configurationSet,
    })
    return this.#v1.send(command, { abortSignal: signal })
  }

  async #sendByV2({ mailFrom, recipients, content, configurationSet }: SesMail, signal: AbortSignal) {
    this.#v2 ??= loadV2(this.#config)
    const { client, SendEmailCommand } = await this.#v2
    const command = new SendEmailCommand({
      // FromEmailAddress is no reverse path: it replaces the message's From field
      // (github.com/laravel/framework/pull/37881).
      ...(mailFrom === '' ? {} : { FeedbackForwardingEmailAddress: mailFrom }),
      Destination: { ToAddresses: recipients },
      Content: { Raw: { Data: content } },
      ConfigurationSetName: configurationSet,
    })
    return client.send(command, { abortSignal: signal })
  }
}

async function loadV2(config: Configuration) {
  const { SESv2Client, SendEmailCommand } = await import('@aws-sdk/client-sesv2')
  return { client: new SESv2Client(config), SendEmailCommand }
}
