/** What validating an inbound connector found, in sentences for the administrator. Pure. */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { Reason } from '../../shared/policy/reasons.ts'
import { counted, firstOf } from '../../shared/policy/words.ts'

/** `NotIdentified` is of an OnPremises connector: the peer is not known as our own server. */
export type Failure = Reason | 'NotIdentified'

export interface FailingMessages {
  reason: Failure
  count: number
  explanation: string
  latest: string
  messages: string[]
  /** Of the latest. */
  ip: string
}

interface Seen {
  messages: number
  passing: number
  failing: readonly FailingMessages[]
}

/** @param lookedBackTo when there was not time for all of the days; null when there was */
export function summaryOf(
  connector: InboundConnector,
  days: number,
  lookedBackTo: string | null,
  { messages, passing, failing }: Seen,
): string {
  const span =
    lookedBackTo === null
      ? `in ${counted(days, 'day')}`
      : `since ${lookedBackTo} (there was no time to look further back)`
  const found =
    messages === 0
      ? `No message came from ${firstOf(connector.senderDomains, 3)} ${span}, so nothing is known.`
      : `Of ${counted(messages, 'message')} ${span}, ${passing || 'none'} would pass${failing.map(clause).join('')}.`
  return refusesInSession(connector) ? `${found} ${notSeen}` : found
}

/** Otherwise a connector that refuses everything would seem to be met by all. */
const notSeen = 'What the connector refused in session never came in and is not counted.'

const refusesInSession = ({ enabled, mode, onViolation }: InboundConnector): boolean =>
  enabled && mode === 'Enforce' && onViolation === 'Bounce'

const clause = ({ reason, count, latest, ip }: FailingMessages): string =>
  `; ${count} ${faults[reason] ?? `would fail by ${reason}`}, ${count === 1 ? '' : 'the latest '}on ${latest} from ${ip}`

const faults: Partial<Record<Failure, string>> = {
  InboundTlsRequired: 'came without TLS',
  InboundTlsVersion: 'came over a TLS version below the minimum',
  InboundCertificateRestriction: 'came without a certificate that is accepted',
  InboundAddressRestriction: 'came from addresses that are not listed',
  NotIdentified: 'came from peers that are not known as our own servers',
}
