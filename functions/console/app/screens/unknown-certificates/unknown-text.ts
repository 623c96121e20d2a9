/** Says what unknown certificates do to mail, and what acts admit. Pure. */
import type { UnknownCertificate } from '../../api/types.ts'

export type Effect = UnknownCertificate['effects'][number]
export type Proposal = UnknownCertificate['proposals'][number]
export type UnknownState = UnknownCertificate['state']

export const states: readonly UnknownState[] = ['Open', 'Resolved', 'Dismissed']

/** In the address: certificates of each state. */
export const everyState = 'All'

export const stateTexts: Readonly<Record<UnknownState, string>> = {
  Open: 'the connector does not accept the certificate',
  Resolved: 'the connector accepts the certificate now, or no longer requires one',
  Dismissed: 'an administrator said that the certificate is not the partner’s',
}

export const effectTexts: Readonly<Record<Effect['effect'], string>> = {
  Refused: 'The mail was refused. The sender’s server notifies the sender.',
  Held: 'The mail waits, and bounces at its expiry.',
  RecordedOnly: 'The mail was accepted, because the connector is in ReportOnly mode.',
  RelayDenied:
    'The mail was treated as mail from the internet: accepted for accepted domains, and not relayed.',
}

/** For tables. */
export const effectWords: Readonly<Record<Effect['effect'], string>> = {
  Refused: 'refused',
  Held: 'held',
  RecordedOnly: 'accepted and recorded',
  RelayDenied: 'relay denied',
}

/** What the person must verify before an act that admits mail. */
export const verificationText = ({ connectorType }: UnknownCertificate['connector']): string =>
  connectorType === 'Partner'
    ? 'Ask the partner by a way that you know from before (telephone), not by a reply to this mail. Compare the SHA-256 fingerprint.'
    : 'Ask who runs the server by a way that you know from before (telephone), not by a reply to this mail. Compare the SHA-256 fingerprint.'

export const proposalTitle = ({ field }: Pick<Proposal, 'field'>): string =>
  field === 'certificateFingerprints' ? 'Add the fingerprint' : 'Add the name'

/** What the connector accepts after the addition. */
export function admitsText({ add, admits }: Pick<Proposal, 'add' | 'admits'>): string {
  const names = add.startsWith('*.') ? 'a name that the wildcard matches' : 'this name'
  switch (admits) {
    case 'ThisCertificate':
      return 'Admits only this certificate and its key, and not its renewal.'
    case 'NameFromConnectorAuthority':
      return `Admits every certificate with ${names} from the connector’s own authorities, also renewals.`
    case 'NameFromPublicRoot':
      return `Admits every certificate with ${names} under a public root, also renewals. The owner of the domain can get one.`
  }
}

export const holdText = 'Admits nothing: mail of this partner that the connector would refuse waits instead.'

/** Whether mail could wait instead of being refused. */
export const mayHold = ({
  connectorType,
  mode,
  onViolation,
  version,
}: UnknownCertificate['connector']): boolean =>
  version !== null && connectorType === 'Partner' && mode === 'Enforce' && onViolation === 'Bounce'

export const dismissText =
  'Changes no connector: the certificate stays unknown, and its mail is handled as before. It causes no notice at this connector for 90 days. Metrics still count it.'

/** The view with the mail of an effect. */
export function mailPath(
  { effect, firstSeen }: Pick<Effect, 'effect' | 'firstSeen'>,
  { connector, senderDomain }: Pick<UnknownCertificate, 'connector' | 'senderDomain'>,
  now: number,
): string {
  if (effect === 'Held')
    return `/queues?${new URLSearchParams({ connector: connector.id, reason: 'InboundCertificateRestriction' })}`
  const period = { from: firstSeen, to: new Date(now).toISOString() }
  if (effect === 'RelayDenied' && senderDomain !== null)
    return `/messages?${new URLSearchParams({ domain: senderDomain, ...period })}`
  const state = effect === 'Refused' ? { state: 'Rejected' } : {}
  return `/messages?${new URLSearchParams({ ...state, connector: connector.id, ...period })}`
}

export const mailLinkTexts: Readonly<Record<Effect['effect'], string>> = {
  Refused: 'Refused mail in the trace',
  Held: 'Held mail',
  RecordedOnly: 'Mail in the trace',
  RelayDenied: 'Mail of the sender’s domain in the trace',
}

const shownCharacters = 120

/** A text for a table, where a long one would fill the page. */
export const shortText = (text: string): string =>
  text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
