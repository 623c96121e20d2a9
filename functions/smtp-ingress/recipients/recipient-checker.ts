/**
 * Checks at RCPT TO whether a recipient exists. The attack: mail to recipients that do not exist makes mailflow send DSNs
 * to a victim. The defence: such a recipient is refused in session, for every client, and nothing is accepted for it. A
 * check that fails accepts the recipient, because mail must not stop with a list or a mailbox server. Not covered: a
 * domain with `recipients: Any`, and a mailbox server that accepts every recipient.
 */
import { isSharedAddress } from '../../../shared/connectors/shared-providers.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import {
  type RecipientCheck,
  type RecipientCheckSettings,
  recipientCheckOf,
} from '../../../shared/policy/check-recipient.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { UnknownRecipientLimiter } from '../limits/unknown-recipient-limiter.ts'
import type { Metrics } from '../metrics.ts'
import {
  type Refusal,
  tooManyRecipientChecks,
  tooManyUnknownRecipients,
  unknownRecipient,
  unknownRecipientsLimited,
} from '../replies.ts'
import type { CalloutAnswer, Callouts } from './callouts.ts'
import type { ListCache } from './list-cache.ts'

export interface RecipientCheckerParts {
  lists: Pick<ListCache, 'get'>
  callouts: Pick<Callouts, 'check'>
  unknownRecipients: UnknownRecipientLimiter
  metrics: Metrics
  settings: RecipientCheckSettings
}

export interface CheckedRecipient {
  snapshot: Snapshot
  /** As `resolvePostmaster` returns it. */
  address: string
  /** The client's address. */
  ip: string
  /** Whether an `OnPremises` connector identifies the client. Its guesses are not limited. */
  isOwnServer: boolean
  /** Whether the read of the snapshot began after the command. */
  isLatest: boolean
}

/** Null: the recipient is accepted. `NeedsLatest`: a refusal must be decided with the latest connectors. */
export type RecipientCheckResult = Refusal | 'NeedsLatest' | null

export class RecipientChecker {
  readonly #parts: RecipientCheckerParts

  constructor(parts: RecipientCheckerParts) {
    this.#parts = parts
  }

  /** Never rejects. */
  check(recipient: CheckedRecipient): RecipientCheckResult | Promise<RecipientCheckResult> {
    const { snapshot, address, ip } = recipient
    const check = recipientCheckOf(snapshot, address, this.#parts.settings)
    if (check === null) return null
    if (isLimited(recipient) && this.#parts.unknownRecipients.isExceeded(ip)) return unknownRecipientsLimited
    const answer = this.#find(check, address, ip)
    return answer instanceof Promise
      ? answer.then((found) => this.#toResult(found, recipient))
      : this.#toResult(answer, recipient)
  }

  #find(check: RecipientCheck, address: string, ip: string): CalloutAnswer | Promise<CalloutAnswer> {
    if (check.kind === 'SmtpCallout') return this.#parts.callouts.check(address, ip)
    const list = this.#parts.lists.get(check.domain, check.version)
    const find = (set: Awaited<typeof list>): CalloutAnswer => {
      if (set === null) return 'Undetermined'
      return check.localParts.some((localPart) => set.has(localPart)) ? 'Exists' : 'Unknown'
    }
    return list instanceof Promise ? list.then(find) : find(list)
  }

  #toResult(answer: CalloutAnswer, recipient: CheckedRecipient): RecipientCheckResult {
    if (answer === 'Exists') return null
    // A device of the organisation may not send again, and a DSN to its sender harms no stranger.
    if (answer === 'Busy' && !recipient.isOwnServer) return tooManyRecipientChecks
    if (answer !== 'Unknown') {
      this.#parts.metrics.count(Metric.recipientChecksFailed)
      return answer === 'Throttled' && !recipient.isOwnServer ? tooManyRecipientChecks : null
    }
    if (!recipient.isLatest) return 'NeedsLatest'
    if (isLimited(recipient) && this.#parts.unknownRecipients.count(recipient.ip))
      return tooManyUnknownRecipients
    return unknownRecipient
  }
}

/**
 * The guesses of one customer must not stop the mail of a provider's other customers. The provider limits what a customer
 * sends, and the limit of errors ends each session.
 */
const isLimited = ({ ip, isOwnServer }: CheckedRecipient): boolean => !isOwnServer && !isSharedAddress(ip)
