/**
 * Starts the demo's mailbox server and the partners' mail servers, each with different TLS. All listen on loopback; the
 * zone gives each server a name and an address.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { type CertificateAndKey, type LocalAuthority, selfSigned } from '../certificates.ts'
import type { Records } from '../dns/zone.ts'
import type { PartnerNetwork } from '../runner.ts'
import { startMailServer } from './mail-server.ts'

/** The host name of the mailbox server for ours.example, behind the gateway. */
export const mailboxName = 'mailbox.ours.example'

export const bankName = 'mx.bank.example'

/** The host name of the gateway in cdk.json. */
const gatewayName = 'mail.example.com'

export interface DemoNetwork extends PartnerNetwork {
  /** Address and port at which the bank's server listens. */
  readonly bankServer: string
}

/** Partners with a certificate of the local authority, the bank first. The last two are for manual tests. */
const trustedPartners = ['bank.example', 'northwind.example', 'contoso.example']

export async function startDemoPartners(authority: LocalAuthority): Promise<DemoNetwork> {
  const startTrusted = async (name: string) => startMailServer(name, await authority.issue(name))
  const mailbox = await startTrusted(mailboxName)
  const paper = await startMailServer('mx.paper.example', null)
  const workshop = await startMailServer('mx.workshop.example', await selfSigned('mx.workshop.example'))
  const trustedServers = await Promise.all(trustedPartners.map((domain) => startTrusted(`mx.${domain}`)))
  const archiveCertificate = await selfSigned('mx.archive.example')
  const archive = await startMailServer('mx.archive.example', archiveCertificate)
  const servers = [mailbox, paper, workshop, ...trustedServers, archive]
  const archiveAddress = 3 + trustedServers.length
  const address = (index: number) => `127.0.0.${10 + index}`
  return {
    bankServer: `127.0.0.1:${trustedServers[0]?.port}`,
    zone: {
      names: {
        ...organisation,
        [mailboxName]: { A: [address(0)] },
        'mx.paper.example': { A: [address(1)] },
        'paper.example': { MX: [[10, 'mx.paper.example']] },
        'clinic.example': { MX: [[10, 'mx.clinic.example']] },
        // The clinic's server is that of paper.example, and the vault's is that of the workshop.
        'mx.clinic.example': { A: [address(1)] },
        'mx.workshop.example': { A: [address(2)] },
        'workshop.example': { MX: [[10, 'mx.workshop.example']] },
        'vault.example': { MX: [[10, 'mx.vault.example']] },
        'mx.vault.example': { A: [address(2)] },
        // Two domains with signed TLSA records and one server, whose certificate matches only archive.example's record.
        'archive.example': { MX: [[10, 'mx.archive.example']], secure: true },
        'mx.archive.example': { A: [address(archiveAddress)], secure: true },
        '_25._tcp.mx.archive.example': { TLSA: [tlsaOf(archiveCertificate)], secure: true },
        'museum.example': { MX: [[10, 'mx.museum.example']], secure: true },
        'mx.museum.example': { A: [address(archiveAddress)], secure: true },
        '_25._tcp.mx.museum.example': { TLSA: [tlsaOf(await selfSigned('mx.museum.example'))], secure: true },
        ...Object.fromEntries(
          trustedPartners.flatMap((domain, index) => [
            [domain, { MX: [[10, `mx.${domain}`]] }],
            [`mx.${domain}`, { A: [address(3 + index)] }],
          ]),
        ),
      },
      ports: Object.fromEntries(servers.map(({ port }, index) => [address(index), `127.0.0.1:${port}`])),
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}

/**
 * What the organisation publishes. It has forgotten its DKIM key, its CAA records, and the server of its MTA-STS policy, so
 * that a check of the domain finds something.
 */
const organisation: Readonly<Record<string, Records>> = {
  'ours.example': { MX: [[10, gatewayName]], TXT: ['v=spf1 include:amazonses.com -all'] },
  [gatewayName]: { A: ['203.0.113.25'] },
  '_dmarc.ours.example': { TXT: ['v=DMARC1; p=quarantine; rua=mailto:dmarc@ours.example'] },
  '_mta-sts.ours.example': { TXT: ['v=STSv1; id=20260101000000;'] },
  '_smtp._tls.ours.example': { TXT: ['v=TLSRPTv1; rua=mailto:tls-reports@ours.example'] },
  'amazonses.com': { TXT: ['v=spf1 ip4:199.255.192.0/22 -all'] },
}

/** Returns a TLSA record 3 1 1: DANE-EE, public key, SHA-256 (RFC 7672 §3.1). */
function tlsaOf({ certificate }: CertificateAndKey): [number, number, number, string] {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  return [3, 1, 1, createHash('sha256').update(key).digest('hex')]
}
