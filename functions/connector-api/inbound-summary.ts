/** Describes the result of an inbound validation to the administrator. Pure. */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { Reason } from '../../shared/policy/reasons.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'

/** `NotIdentified`: an OnPremises connector did not identify the client as one of the organisation's own servers. */
export type FailureReason = Reason | 'NotIdentified'

export interface FailingMessages {
  reason: FailureReason
  count: number
  explanation: string
  latest: string
  messages: string[]
  /** Client address of the latest message. */
  ip: string
}

interface ValidationCounts {
  messages: number
  passing: number
  failing: readonly FailingMessages[]
}

/**
 * @param searchedBackTo oldest time of receipt that the search covered before its time ran out; null when it covered
 * all days
 */
export function summaryOf(
  connector: InboundConnector,
  days: number,
  searchedBackTo: string | null,
  { messages, passing, failing }: ValidationCounts,
): string {
  const span =
    searchedBackTo === null
      ? `in ${countText(days, 'day')}`
      : `since ${searchedBackTo} (the search ran out of time before it covered all days)`
  const resultText =
    messages === 0
      ? `No message came from ${firstNames(connector.senderDomains, 3)} ${span}, so the connector could not be checked.`
      : `Of ${countText(messages, 'message')} ${span}, ${passing || 'none'} would pass${failing.map(failureText).join('')}.`
  const additions = [
    ...(failing.length > 0 && hasWildcard(connector) ? [othersNotConsidered] : []),
    ...(refusesInSession(connector) ? [refusedNotCounted] : []),
  ]
  return [resultText, ...additions].join(' ')
}

/** A more specific connector may decide the mail that a wildcard matches. */
const othersNotConsidered = 'The check ignores other connectors, which may decide some of these messages.'
const hasWildcard = ({ senderDomains }: InboundConnector): boolean =>
  senderDomains.some((pattern) => pattern.startsWith('*'))

/** Without this sentence, a connector that refuses much mail would seem to accept all of it. */
const refusedNotCounted =
  'Messages that the connector refused in session are not stored, so they are not counted.'

const refusesInSession = ({ enabled, mode, onViolation }: InboundConnector): boolean =>
  enabled && mode === 'Enforce' && onViolation === 'Bounce'

const failureText = ({ reason, count, latest, ip }: FailingMessages): string =>
  `; ${count} ${faultTexts[reason] ?? `would fail with ${reason}`}, ${count === 1 ? '' : 'the latest '}on ${latest} from ${ip}`

const faultTexts: Partial<Record<FailureReason, string>> = {
  InboundTlsRequired: 'came without TLS',
  InboundTlsVersion: 'came over a TLS version below the minimum',
  InboundCertificateRestriction: 'came without an accepted certificate',
  InboundAddressRestriction: 'came from addresses that are not listed',
  InboundDmarcRequired: 'did not pass DMARC',
  NotIdentified: 'came from clients that are not identified as your own servers',
}
