/** Connectors, messages and attempts with defaults: a test names only the fields that matter to it. */
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import type { AuthenticationResult, MessageAuthentication } from '../../shared/contract/authentication.ts'
import type { CertificateFacts } from '../../shared/contract/certificate.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import {
  type Attempt,
  type ClientCertificate,
  type Message,
  noTls,
  type Recipient,
  type TlsFacts,
} from '../../shared/contract/message.ts'
import type { DecisionContext } from '../../shared/messages/trace.ts'
import type { Outcome } from '../../shared/net/smtp-delivery.ts'
import { compileSnapshot, type DomainIndex, type Snapshot } from '../../shared/policy/snapshot.ts'
import { summaryOf } from '../../shared/tls/certificate-summary.ts'
import { inboundInput, outboundInput } from './connectors.ts'

export const receivedAt = new Date('2026-01-15T12:00:00.000Z')
export const minutesLater = (minutes: number): Date => new Date(receivedAt.getTime() + minutes * 60_000)

const stored = { createdAt: '2026-01-01T00:00:00.000Z', updatedAt: '2026-01-01T00:00:00.000Z', version: 1 }
const idOf = (name: string): string => `id-${name.toLowerCase()}`

/** A Partner connector for contoso.example. Its id is `id-` and its name in lower case. */
export function inbound(fields: Partial<InboundConnector> = {}): InboundConnector {
  const { id, createdAt, updatedAt, version, ...input } = fields
  const parsed = inboundInput(input)
  return { ...parsed, ...stored, id: id ?? idOf(parsed.name) }
}

/** A Partner connector for northwind.example, with MX lookup. Its id is `id-` and its name in lower case. */
export function outbound(fields: Partial<OutboundConnector> = {}): OutboundConnector {
  const { id, createdAt, updatedAt, version, validation, ...input } = fields
  const parsed = outboundInput(input)
  return { ...parsed, ...stored, id: id ?? idOf(parsed.name), validation: null }
}

export function snapshot(connectors: {
  inbound?: InboundConnector[]
  outbound?: OutboundConnector[]
  acceptedDomains?: string[]
}): Snapshot {
  return compileSnapshot({
    version: 1,
    inbound: connectors.inbound ?? [],
    outbound: connectors.outbound ?? [],
    acceptedDomains: (connectors.acceptedDomains ?? ['ours.example']).map((domain) => ({ domain })),
  })
}

/** Every connector of a snapshot, by its id. */
export function connectorsIn({ partners, onPremises, outbound, disabled }: Snapshot) {
  const rules = [...[partners.Enforce, partners.ReportOnly].flatMap(inIndex), ...onPremises.rules]
  const outboundConnectors = [outbound.Enforce, outbound.ReportOnly, disabled.outbound].flatMap((index) => [
    ...inIndex(index.byDomain),
    ...index.allAcceptedDomains,
  ])
  const all = [
    ...rules.map(({ connector }) => connector),
    ...inIndex(disabled.inbound),
    ...outboundConnectors,
  ]
  return new Map(all.map((connector) => [connector.id, connector]))
}

const inIndex = <T>({ exact, wildcard, catchAll }: DomainIndex<T>): T[] =>
  [...exact.values(), ...wildcard.values(), catchAll].flat()

export const overTls: TlsFacts = {
  negotiated: true,
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  forwardSecrecy: true,
  serverName: 'mail.ours.example',
  clientCertificate: null,
}

/** A trusted certificate for mail.contoso.example, valid at `receivedAt`. */
export function clientCertificate(fields: Partial<ClientCertificate> = {}): ClientCertificate {
  return {
    subject: 'CN=mail.contoso.example',
    commonName: 'mail.contoso.example',
    subjectAltNames: ['mail.contoso.example'],
    issuer: 'CN=Some Public CA',
    serial: '01',
    fingerprint256: 'ab'.repeat(32),
    notBefore: '2025-12-01T00:00:00.000Z',
    notAfter: '2026-12-01T00:00:00.000Z',
    trusted: true,
    trustError: null,
    clientAuth: true,
    chain: [],
    ...fields,
  }
}

export const overTlsWith = (fields: Partial<ClientCertificate> = {}): TlsFacts => ({
  ...overTls,
  clientCertificate: clientCertificate(fields),
})

export function message(fields: Partial<Message> & { mailFrom?: string } = {}): Message {
  const { mailFrom = 'a@elsewhere.example', ...rest } = fields
  return {
    id: '01KF0CVZT0ABCDEFGHJKMNPQRS',
    receivedAt: receivedAt.toISOString(),
    source: { ip: '192.0.2.1', port: 40_000, helo: 'client.example' },
    direction: 'Incoming',
    attributedTo: null,
    tls: noTls,
    envelope: {
      mailFrom,
      smtpUtf8: false,
      eightBitMime: false,
      requireTls: false,
      dsn: { ret: null, envid: null },
    },
    size: 1000,
    content: { bucket: 'content', key: 'segments/1', offset: 0, length: 1000, sha256: '0'.repeat(64) },
    ...rest,
  }
}

/** A message that evaluate-policy decides without its authentication. */
export const authenticatedMessage = (fields: Parameters<typeof message>[0] = {}): Message =>
  message({ authentication: authenticated('none', 'elsewhere.example'), ...fields })

/** @param fromDomain the domain of From: */
export const authenticated = (
  result: AuthenticationResult,
  fromDomain: string | null,
): MessageAuthentication => ({
  at: receivedAt.toISOString(),
  internal: null,
  spf: null,
  dkim: [],
  dmarc: { result, fromDomain, policy: 'none', alignedBy: [] },
  arc: null,
  fields: '',
})

export function recipient(fields: Partial<Recipient> = {}): Recipient {
  return {
    address: 'b@ours.example',
    notify: null,
    orcpt: null,
    attempts: fields.lastAttempt?.number ?? 0,
    lastAttempt: null,
    delayNotified: false,
    ...fields,
  }
}

/** The outcome of a recipient that was delivered without TLS. */
export const outcome = (fields: Partial<Outcome> = {}): Outcome => ({
  outcome: 'Delivered',
  host: 'mx.northwind.example',
  ip: null,
  tls: null,
  policy: 'Opportunistic',
  policySource: 'Opportunistic',
  reportOnlyLevel: null,
  tlsResult: null,
  reportOnly: null,
  reply: { code: 250, enhanced: '2.0.0', text: 'Ok' },
  ...fields,
})

/** A first attempt at `receivedAt` that failed temporarily after one second. */
export const attempt = (fields: Partial<Attempt> = {}): Attempt => ({
  ...outcome({
    outcome: 'TemporaryFailure',
    ip: '198.51.100.1',
    reply: { code: 451, enhanced: '4.3.0', text: 'Try again later' },
  }),
  number: 1,
  at: receivedAt.toISOString(),
  durationMs: 1000,
  ...fields,
})

/**
 * Circumstances of a verdict at `receivedAt`, from the first version of the connectors, with no connector considered.
 */
export const circumstances: DecisionContext = { at: receivedAt, connectorsVersion: 1, considered: () => [] }

/** The facts of a valid certificate under a public root, with another name in the sender domains. */
export const certificateFactsWith = (fields: Partial<CertificateFacts> = {}): CertificateFacts => ({
  pinned: false,
  issuedByConnectorAuthority: null,
  issuedByPublicRoot: true,
  trustFault: null,
  nameListed: false,
  nameInSenderDomains: true,
  validity: 'Valid',
  clientAuth: null,
  revocation: null,
  ...fields,
})

/** A notice about a certificate for mx1.contoso.example that was presented and refused at `receivedAt`. */
export function certificateNotice({
  connector = 'id-contoso',
  fingerprint256 = 'cd'.repeat(32),
  ...fields
}: Partial<Omit<CertificateNotice, 'connector'>> & {
  connector?: string
  fingerprint256?: string
} = {}): CertificateNotice {
  return {
    kind: 'UnknownCertificate',
    at: receivedAt.toISOString(),
    connector: {
      id: connector,
      name: 'Contoso',
      connectorType: 'Partner',
      mode: 'Enforce',
      onViolation: 'Bounce',
    },
    presented: summaryOf(
      clientCertificate({
        subject: 'CN=mx1.contoso.example',
        subjectAltNames: ['mx1.contoso.example'],
        fingerprint256,
      }),
    ),
    why: 'presented names [mx1.contoso.example], expected [mail.contoso.example]',
    facts: certificateFactsWith(),
    vouchedFor: true,
    consequence: 'RefusedInSession',
    heldUntil: null,
    remedies: [
      { field: 'certificateFingerprints', add: fingerprint256, admits: 'ThisCertificate' },
      { field: 'tlsSenderCertificateNames', add: 'mx1.contoso.example', admits: 'NameFromPublicRoot' },
    ],
    senderDomain: 'contoso.example',
    ip: '192.0.2.1',
    failures: 0,
    ...fields,
  }
}
