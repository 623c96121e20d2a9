/** Derives events and notices from the changes since the last notices. Pure; it gets no private key. */
import type { PublishedCertificate, PublishedCertificates } from '../../shared/contract/certificates.ts'
import type { Announcement } from '../../shared/queues/topic-publisher.ts'
import type { Refusal } from './plan.ts'

/** The state that the last notices described. */
export interface NotifiedState {
  /** State of each certificate, by its fingerprint. */
  states: Readonly<Record<string, string>>
  /** Text about refused certificates; empty when none is refused. */
  refused: string
}

export interface CertificateChange {
  detailType:
    | 'Certificate Announced'
    | 'Certificate Switched'
    | 'Certificate Withdrawn'
    | 'Certificate Refused'
  detail: Readonly<Record<string, unknown>>
  /** For partners; null when only the administrator can act. */
  notice: Announcement | null
}

/**
 * When only the EC or only the RSA certificate changes, `published` lists the other certificate twice, as Current and
 * as Next. The last state wins, so the order is reversed to make that certificate's state Current.
 */
export const notifiedStateOf = (
  published: PublishedCertificates,
  refused: readonly Refusal[],
): NotifiedState => ({
  states: Object.fromEntries(
    published.certificates.map(({ fingerprint256, state }) => [fingerprint256, state]).toReversed(),
  ),
  refused: refusalText(refused),
})

/** @param notified null before the first notices: the certificates served at that time cause no notice */
export function changesSince(
  notified: NotifiedState | null,
  published: PublishedCertificates,
  refused: readonly Refusal[],
): CertificateChange[] {
  const { hostname, certificates } = published
  const previousStates = notified?.states ?? {}
  const inState = (state: string) => certificates.filter((each) => each.state === state)
  const current = inState('Current')
  const isStillCurrent = ({ fingerprint256 }: PublishedCertificate) =>
    current.some((each) => each.fingerprint256 === fingerprint256)
  const next = inState('Next').filter((each) => !isStillCurrent(each))
  const announced = next.some(({ fingerprint256 }) => previousStates[fingerprint256] !== 'Next')
  const switched =
    notified === null ? [] : current.filter((each) => previousStates[each.fingerprint256] !== 'Current')
  const publishedFingerprints = new Set(certificates.map(({ fingerprint256 }) => fingerprint256))
  const withdrawn = Object.keys(previousStates).filter(
    (fingerprint) => previousStates[fingerprint] === 'Next' && !publishedFingerprints.has(fingerprint),
  )
  const currentRefusalText = refusalText(refused)
  return [
    ...(withdrawn.length > 0 && next.length === 0 ? [withdrawnChange(hostname, withdrawn, current)] : []),
    ...(switched.length > 0 ? [switchedChange(hostname, switched)] : []),
    ...(announced ? [announcedChange(hostname, next)] : []),
    ...(currentRefusalText !== '' && currentRefusalText !== (notified?.refused ?? '')
      ? [refusedChange(hostname, refused)]
      : []),
  ]
}

function announcedChange(hostname: string, next: readonly PublishedCertificate[]): CertificateChange {
  const from = next[0]?.servedFrom ?? null
  const text = `From ${instant(from)} on, the mail server ${hostname} presents a new certificate. Until then it presents the current one.`
  return {
    detailType: 'Certificate Announced',
    detail: { hostname, servedFrom: from, certificates: next.map(eventFields) },
    notice: notice('Announced', `${hostname}: new TLS certificate from ${day(from)}`, [
      text,
      certificateTexts(next),
      instructions(hostname, next, `before ${instant(from)}`),
    ]),
  }
}

/** @param current the certificates that became current */
function switchedChange(hostname: string, current: readonly PublishedCertificate[]): CertificateChange {
  const from = current[0]?.servedFrom ?? null
  return {
    detailType: 'Certificate Switched',
    detail: { hostname, servedFrom: from, certificates: current.map(eventFields) },
    notice: notice('Switched', `${hostname}: the new TLS certificate is in use`, [
      `The mail server ${hostname} has presented a new certificate since ${instant(from)}. The previous one is no longer presented.`,
      certificateTexts(current),
      instructions(hostname, current, 'now, if you have not'),
    ]),
  }
}

function withdrawnChange(
  hostname: string,
  fingerprints: readonly string[],
  current: readonly PublishedCertificate[],
): CertificateChange {
  return {
    detailType: 'Certificate Withdrawn',
    detail: { hostname, fingerprints },
    notice: notice('Withdrawn', `${hostname}: the announced TLS certificate is withdrawn`, [
      `The mail server ${hostname} will not present the announced certificate (SHA-256 ${fingerprints.join(', ')}). It keeps the current one.`,
      certificateTexts(current),
      'What to do: nothing. Another certificate is announced before it is presented.',
    ]),
  }
}

const refusedChange = (hostname: string, refused: readonly Refusal[]): CertificateChange => ({
  detailType: 'Certificate Refused',
  detail: { hostname, refused },
  notice: null,
})

const notice = (kind: string, subject: string, paragraphs: readonly string[]): Announcement => ({
  subject: subject.replace(/[^ -~]/g, '?').slice(0, 100),
  text: `${paragraphs.join('\n\n')}\n`,
  attributes: { kind },
})

function certificateTexts(certificates: readonly PublishedCertificate[]): string {
  return certificates
    .map((each) =>
      [
        `  Name        ${each.certificateName}`,
        `  Key         ${each.keyType}, ${each.keyStrength} bits`,
        `  SHA-256     ${each.fingerprint256}`,
        `  Key SHA-256 ${each.publicKeyFingerprint256}`,
        `  Serial      ${each.serial}`,
        `  Issuer      ${each.issuer}`,
        `  Root        ${each.rootIssuer}`,
        `  Valid       ${each.validFrom} to ${each.validUntil}`,
      ].join('\n'),
    )
    .join('\n\n')
}

function instructions(hostname: string, certificates: readonly PublishedCertificate[], when: string): string {
  const distinct = (valuesOf: (certificate: PublishedCertificate) => readonly string[]) => [
    ...new Set(certificates.flatMap(valuesOf)),
  ]
  const addresses = distinct(({ crlAddresses, ocspAddresses }) => [...crlAddresses, ...ocspAddresses])
  return [
    `What to do, ${when}:`,
    `- Nothing, if your server checks our certificate by its name (${hostname}) and trusts its root: ${distinct(({ rootIssuer }) => [rootIssuer]).join(', ')}.`,
    '- If your server pins our certificate by its SHA-256, its key or its serial number: add the new one beside the old one, and remove the old one when the new one is in use.',
    addresses.length === 0
      ? '- The certificate names no CRL or OCSP address.'
      : `- If your firewall limits outgoing connections: let your mail server reach ${addresses.join(', ')}.`,
    '- If you do not know which of these applies, forward this to the administrator of your mail server.',
  ].join('\n')
}

const eventFields = (each: PublishedCertificate) => ({
  certificateName: each.certificateName,
  issuer: each.issuer,
  rootIssuer: each.rootIssuer,
  keyType: each.keyType,
  serial: each.serial,
  fingerprint256: each.fingerprint256,
  publicKeyFingerprint256: each.publicKeyFingerprint256,
  validFrom: each.validFrom,
  validUntil: each.validUntil,
})

/** A refusal with the same text as the last refusal causes no further event. */
const refusalText = (refused: readonly Refusal[]): string =>
  refused.map(({ certificates, reason, detail }) => `${certificates} ${reason} ${detail}`).join('; ')

const day = (at: string | null): string => at?.slice(0, 10) ?? 'now'
const instant = (at: string | null): string =>
  at === null ? 'now' : `${at.slice(0, 16).replace('T', ' ')} UTC`
