/** Connectors of every kind in any number, and messages that match them or do not match them. */
import { X509Certificate } from 'node:crypto'
import type { InboundConnector, OutboundConnector } from '../../shared/connectors/schema.ts'
import { type Message, noTls, type Recipient } from '../../shared/contract/message.ts'
import type { ConnectorSet } from '../../shared/policy/snapshot.ts'
import { inbound, message, outbound, overTls, overTlsWith, recipient } from '../support/fixtures.ts'
import { createPki } from '../support/pki.ts'

export interface Mail {
  message: Message
  recipient: Recipient
}

/**
 * Half of the connectors are inbound. Each connector has its own copies of all values, as when it is read from the
 * store.
 */
export function connectorSet(size: number): ConnectorSet {
  const half = size / 2
  return deepCopy({
    version: 1,
    inbound: Array.from({ length: half }, (_, index) => inboundOf(index)),
    outbound: Array.from({ length: half }, (_, index) => outboundOf(index)),
    acceptedDomains: Array.from({ length: 20 }, (_, index) => ({ domain: `ours${index}.example` })),
  })
}

const deepCopy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

const domainOf = (index: number): string => `partner${index}.example`
/** A /24 network for each of the first 65,536 connectors. */
const networkOf = (index: number): string => `10.${(index >> 8) & 0xff}.${index & 0xff}`

const partner = inbound()
const onPremises = inbound({
  connectorType: 'OnPremises',
  senderDomains: ['ours0.example'],
  senderIpAddresses: ['192.0.2.1'],
})

/**
 * Of ten connectors, four have exact domains, two have a wildcard and require a certificate, two are for the
 * organisation's own servers, one is report-only, and one is disabled. The first of all is for `*`.
 */
function inboundOf(index: number): InboundConnector {
  const domain = domainOf(index)
  const identity = { id: `inbound-${index}`, name: `Inbound ${index}` }
  switch (index % 10) {
    case 0:
      return index === 0
        ? { ...partner, ...identity, senderDomains: ['*'], requireTls: false }
        : { ...partner, ...identity, senderDomains: [domain, `mail.${domain}`] }
    case 1:
      return { ...onPremises, ...identity, senderIpAddresses: [`${networkOf(index)}.0/24`] }
    case 2:
    case 7:
      return {
        ...partner,
        ...identity,
        senderDomains: [`*.${domain}`],
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: [`*.${domain}`],
      }
    case 3:
      return {
        ...onPremises,
        ...identity,
        senderIpAddresses: [],
        tlsSenderCertificateNames: [`gateway${index}.ours0.example`],
      }
    case 4:
      return { ...partner, ...identity, senderDomains: [domain], mode: 'ReportOnly' }
    case 5:
      return { ...partner, ...identity, senderDomains: [domain], enabled: false }
    default:
      return { ...partner, ...identity, senderDomains: [domain, `mail.${domain}`] }
  }
}

const remote = outbound()

function outboundOf(index: number): OutboundConnector {
  const domain = domainOf(index)
  const identity = { id: `outbound-${index}`, name: `Outbound ${index}` }
  switch (index % 10) {
    case 0:
      return index === 0
        ? { ...remote, ...identity, recipientDomains: ['*'] }
        : { ...remote, ...identity, recipientDomains: [domain], tlsSettings: 'EncryptionOnly' }
    case 1:
      return {
        ...remote,
        ...identity,
        connectorType: 'OnPremises',
        recipientDomains: index === 1 ? [] : [`branch${index}.ours0.example`],
        allAcceptedDomains: index === 1,
        route: 'SmartHosts',
        smartHosts: [{ host: 'mailbox.ours0.example', port: 25 }],
        tlsSettings: 'CertificateValidation',
      }
    case 2:
    case 7:
      return {
        ...remote,
        ...identity,
        recipientDomains: [`*.${domain}`],
        tlsSettings: 'DomainValidation',
        tlsDomain: `*.${domain}`,
      }
    case 4:
      return {
        ...remote,
        ...identity,
        recipientDomains: [domain],
        tlsSettings: 'EncryptionOnly',
        mode: 'ReportOnly',
      }
    case 5:
      return { ...remote, ...identity, recipientDomains: [domain], enabled: false }
    default:
      return { ...remote, ...identity, recipientDomains: [domain], tlsSettings: 'CertificateValidation' }
  }
}

/**
 * Mail in four parts: from partners that meet their connector, from partners that do not, from other domains, and
 * from the organisation's own servers, identified by certificate or by address.
 * @param partners the number of inbound connectors to choose from
 */
export function mailFor(partners: number, count: number): Mail[] {
  const random = generator(42)
  const below = (limit: number) => Math.floor(random() * limit)
  return Array.from({ length: count }, (_, number) => {
    const index = below(partners)
    const domain = domainOf(index)
    const certified = overTlsWith({ subjectAltNames: [`mail.${domain}`, domain] })
    const elsewhere = `someone${number}@mail.elsewhere${below(1000)}.example`
    const toAcceptedDomain = recipient({ address: `user${number}@ours${below(20)}.example` })
    const toPartner = recipient({
      address: `user${number}@${below(2) ? 'mail.' : ''}${domainOf(below(partners))}`,
    })
    const toOtherDomain = recipient({ address: elsewhere })
    const fromPartner = `sender${number}@${below(2) ? 'mail.' : ''}${domain}`
    const ip = `198.51.100.${below(256)}`
    switch (number % 4) {
      case 0:
        return { message: mail(fromPartner, ip, certified), recipient: toAcceptedDomain }
      case 1:
        return { message: mail(fromPartner, ip, below(2) ? noTls : overTls), recipient: toAcceptedDomain }
      case 2:
        return { message: mail(elsewhere, ip, below(2) ? certified : overTls), recipient: toAcceptedDomain }
      default: {
        const tens = index - (index % 10)
        const gateway = overTlsWith({ subjectAltNames: [`gateway${tens + 3}.ours0.example`] })
        const from = `employee${number}@ours0.example`
        const to = below(2) ? toPartner : toOtherDomain
        return below(2)
          ? { message: mail(from, ip, gateway), recipient: to }
          : { message: mail(from, `${networkOf(tens + 1)}.${below(256)}`, overTls), recipient: to }
      }
    }
  })
}

const mail = (mailFrom: string, ip: string, tls: Message['tls']): Message =>
  message({ mailFrom, tls, source: { ip, port: 40_000, helo: 'client.example' } })

/** Generates the same numbers each time (Lehmer's generator, modulus 2^31 - 1). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/**
 * Connectors whose warnings are computed on save: one for a new domain and a domain that has a connector, and one for
 * every domain.
 */
export const savedConnectors = {
  onePartner: inbound({ id: 'saved', name: 'Saved', senderDomains: ['new.example', '*.partner12.example'] }),
  everyDomain: inbound({ id: 'saved', name: 'Saved', senderDomains: ['*'] }),
}

/** Chains that a partner with its own authority presents. */
export async function privateChains() {
  const root = await createPki()
  const intermediate = await root.subordinate('Intermediate')
  const chainOf = async (issuer: typeof root) => {
    const { cert } = await issuer.issue({ names: ['mail.contoso.example'] })
    const pems = cert.split(/(?=-----BEGIN)/)
    return pems.map((pem) => new X509Certificate(pem).raw.toString('base64'))
  }
  return [
    { name: 'issued by the root', chain: await chainOf(root), authorities: [root.ca] },
    { name: 'issued by an intermediate', chain: await chainOf(intermediate), authorities: [root.ca] },
  ]
}
