/**
 * The notation of the chapters. A case names only the values that it tests. The defaults: mail from an unknown client
 * at 192.0.2.1, in the clear, to b@ours.example, which is an accepted domain. The connector "Mailboxes" reaches its
 * mailboxes.
 */
import { X509Certificate } from 'node:crypto'
import type { InboundConnector, OutboundConnector } from '../../../../shared/connectors/schema.ts'
import type {
  ExchangeOnlineFields,
  MessageAuthentication,
} from '../../../../shared/contract/authentication.ts'
import {
  type Attempt,
  type ClientCertificate,
  noTls,
  type Recipient,
  type TlsFacts,
} from '../../../../shared/contract/message.ts'
import type { EarlierFacts } from '../../../../shared/policy/evaluate.ts'
import type { Considered } from '../../../../shared/policy/explain/considered.ts'
import { predictCertificateFacts } from '../../../../shared/tls/facts.ts'
import { attempt, inbound, outbound, overTls } from '../../../support/fixtures.ts'
import { createPki, type LeafOptions, type Pki, selfSigned } from '../../../support/pki.ts'

export interface Chapter {
  title: string
  cases: readonly Case[]
}

export interface Case {
  /** A sentence that names the behaviour. */
  name: string
  connectors?: readonly (InboundConnector | OutboundConnector)[]
  /** False removes the connector "Mailboxes". */
  mailboxes?: boolean
  acceptedDomains?: string[]
  /** The reverse path; empty for the null reverse path. */
  from?: string
  ip?: string
  tls?: TlsFacts
  to?: string
  /** What the message shows of its tenant. */
  exchangeOnline?: ExchangeOnlineFields
  /** Results of SPF, DKIM and DMARC. */
  authentication?: MessageAuthentication
  /** True for a message that mailflow created, such as a DSN, and that has no client. */
  createdByMailflow?: boolean
  defaultRoute?: 'Mx' | 'Ses'
  /** The address for reports on TLS. */
  tlsReportAddress?: string | null
  /** The configured mailbox for mail to the gateway's postmaster. */
  postmaster?: string
  /** Minutes between receipt and the decision. */
  minutes?: number
  /** The result of the last attempt. */
  lastAttempt?: Attempt
  recipient?: Partial<Recipient>
  /** An administrator requests the next attempt immediately. */
  retry?: boolean
  /** Facts from earlier decisions and requests; default: none. */
  earlier?: EarlierFacts
  expected: Expected
  /** The inbound connectors considered, in order; default: none. */
  inbound?: Outcomes
  /** The outbound connectors; default: "Mailboxes" decides for an accepted domain, and none elsewhere. */
  outbound?: Outcomes
  /** The inbound connector of the verdict; default: the one of `inbound` that decides, else reports, else grants. */
  decidedBy?: string | null
  /** The outbound connector of the verdict; default: the one of `outbound` that decides, else reports. */
  outboundConnector?: string
  /** A text that the explanation of the verdict or of a considered connector contains. */
  why?: string
}

export type Outcomes = Record<string, Considered['outcome']>

export interface Expected {
  /** The reply to RCPT TO; null without a session, or after it. */
  inSession: string | null
  /** In the format of `verdictText` in cases.test.ts. */
  verdict: string
}

// Connectors

/** A Partner connector: `partner('contoso.example')` requires TLS and has the name "From contoso.example". */
export function partner(
  domains: string | string[],
  fields: Partial<InboundConnector> = {},
): InboundConnector {
  const senderDomains = [domains].flat()
  return inbound({ name: `From ${senderDomains[0]}`, senderDomains, ...fields })
}

/** The connector "Our server": a server of the organisation, for every sender domain. */
export const organisationServer = (fields: Partial<InboundConnector>): InboundConnector =>
  inbound({ name: 'Our server', connectorType: 'OnPremises', senderDomains: ['*'], ...fields })

/** An outbound connector with the name "To northwind.example", route Mx and opportunistic TLS. */
export function outboundTo(
  domains: string | string[],
  fields: Partial<OutboundConnector> = {},
): OutboundConnector {
  const recipientDomains = [domains].flat()
  return outbound({ name: `To ${recipientDomains[0]}`, recipientDomains, ...fields })
}

/** The connector "Mailboxes", to the organisation's mailboxes. */
export const mailboxes = (fields: Partial<OutboundConnector> = {}): OutboundConnector =>
  outbound({
    name: 'Mailboxes',
    connectorType: 'OnPremises',
    recipientDomains: [],
    allAcceptedDomains: true,
    ...viaSmartHosts('mbx.ours.example'),
    ...fields,
  })

export const viaSmartHosts = (...hosts: string[]): Pick<OutboundConnector, 'route' | 'smartHosts'> => ({
  route: 'SmartHosts',
  smartHosts: hosts.map((host) => ({ host, port: 25 })),
})

/** Fields that require a certificate with one of these names. */
export const requiringCertificate = (...names: string[]): Partial<InboundConnector> => ({
  tlsSenderCertificateNames: names,
  restrictDomainsToCertificate: true,
})

/** Fields that require one of these certificates. */
export const requiringPinned = (...certificates: ClientCertificate[]): Partial<InboundConnector> => ({
  certificateFingerprints: certificates.map(({ fingerprint256 }) => fingerprint256),
  restrictDomainsToCertificate: true,
})

export const requiringAddresses = (...senderIpAddresses: string[]): Partial<InboundConnector> => ({
  senderIpAddresses,
  restrictDomainsToIpAddresses: true,
})

// Sessions

export const inTheClear = noTls
export const tls13 = overTls
export const tls12: TlsFacts = { ...overTls, protocol: 'TLSv1.2' }

/** A TLS session in which the client presented a certificate. */
export const tlsWithCertificate = (clientCertificate: ClientCertificate, tls = tls13): TlsFacts => ({
  ...tls,
  clientCertificate,
})

/** The time at which all messages were received; the certificates of test/support/pki.ts are valid around today. */
export const receivedAt = new Date(Math.floor(Date.now() / 1000) * 1000)

/** Represents the public roots. */
export const publicCa = await createPki('Public CA')
/** Not among the public roots. */
export const contosoCa = await createPki('Contoso CA')
export const untrustedCa = await createPki('Strange CA')

/** Always the same array, because parsed certificates are cached by array identity. */
const publicRoots = [publicCa.ca]

/** The facts that the ingress records about a certificate of the authority. */
export async function certificate(
  authority: Pki,
  names: string | string[],
  options: Omit<LeafOptions, 'names'> = {},
): Promise<ClientCertificate> {
  return factsOf((await authority.issue({ names: [names].flat(), ...options })).cert)
}

export async function selfSignedCertificate(name: string): Promise<ClientCertificate> {
  return factsOf((await selfSigned({ names: [name] })).cert)
}

function factsOf(pem: string): ClientCertificate {
  const blocks = pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []
  const [leaf, ...others] = blocks.map((block) => new X509Certificate(block))
  if (leaf === undefined) throw new Error('no certificate in PEM')
  return predictCertificateFacts([leaf, ...others], { publicRoots, at: receivedAt })
}

export const contosoMail = await certificate(publicCa, 'mail.contoso.example')

// Attempts

/** A failed attempt of no duration, made this many minutes after receipt. */
export function failedAttempt(minute: number, number: number, fields: Partial<Attempt>): Attempt {
  const at = new Date(receivedAt.getTime() + minute * 60_000).toISOString()
  return attempt({ number, at, durationMs: 0, ...fields })
}

export const temporaryFailure: Partial<Attempt> = {
  outcome: 'TemporaryFailure',
  reply: { code: 451, enhanced: '4.3.0', text: 'Try again later' },
}

export const noStartTls: Partial<Attempt> = {
  outcome: 'TlsNotMet',
  policy: 'EncryptionOnly',
  reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS not offered' },
}

// Expected results

export const accepted = '250 2.1.5 Accepted'
const toMailboxes = 'Deliver ConnectorMatched by mbx.ours.example:25 with opportunistic TLS'
const restricted = '550 5.7.51 Sender domain is restricted to its own servers'

/** The message is accepted and delivered to the organisation's mailboxes. */
export const acceptedAndDelivered: Expected = { inSession: accepted, verdict: toMailboxes }

export const mustStartTls: Expected = {
  inSession: '530 5.7.0 Must issue a STARTTLS command first',
  verdict: 'Bounce InboundTlsRequired: 550 5.7.10 Encryption needed',
}

export const tlsVersionTooOld: Expected = {
  inSession: '550 5.7.10 Encryption needed: TLSv1.3 or later',
  verdict: 'Bounce InboundTlsVersion: 550 5.7.10 Encryption needed: TLSv1.3 or later',
}

export const wrongCertificate: Expected = {
  inSession: restricted,
  verdict: `Bounce InboundCertificateRestriction: ${restricted}`,
}

export const wrongAddress: Expected = {
  inSession: restricted,
  verdict: `Bounce InboundAddressRestriction: ${restricted}`,
}

export const relayDenied: Expected = {
  inSession: '550 5.7.64 Relay access denied',
  verdict: 'Bounce RelayDenied: 550 5.7.64 Relay access denied',
}

export const unreadableSender: Expected = {
  inSession: '553 5.1.7 Sender address has no valid domain',
  verdict: 'Bounce UnreadableSender: 553 5.1.7 Sender address has no valid domain',
}

export const notRoutable: Expected = {
  inSession: '550 5.1.2 Recipient has no domain name',
  verdict: 'Bounce NotRoutable: 550 5.1.2 Recipient has no domain name',
}

/** The message is accepted; the case tests its route and TLS. */
export const deliversBy = (verdict: string): Expected => ({
  inSession: accepted,
  verdict: `Deliver ${verdict}`,
})

/** The message is accepted, and not delivered now. */
export const defers = (verdict: string): Expected => ({ inSession: accepted, verdict: `Defer ${verdict}` })

/** The verdict of a decision after the session. */
export const afterSession = (verdict: string): Expected => ({ inSession: null, verdict })

/** The message is accepted, and a report-only connector would have refused it. */
export const acceptedAndReported = (reason: string): Expected => ({
  inSession: accepted,
  verdict: `${toMailboxes} (would refuse: ${reason})`,
})
