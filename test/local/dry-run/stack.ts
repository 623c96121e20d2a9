/** The stack of the proof: the runner, next hops with different certificates, the clients' certificates, connectors. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Api,
  type ClientTls,
  launchTrusting,
  type RunnerProcess,
  startRunner,
} from '../../support/local/runner.ts'
import {
  createPki,
  daysFromNow,
  fingerprintOf,
  type Identity,
  type Pki,
  selfSigned,
} from '../../support/pki.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'
import { type CertificateName, type Client, ourTenant, reportAddress } from './planned-mail.ts'

export interface Stack {
  runner: RunnerProcess
  api: Api
  /** PEM. */
  authorities: { public: string; contoso: string; partner: string }
  fingerprints: Record<CertificateName, string>
  ports: Record<PartnerName, number>
  /** @returns undefined without TLS */
  clientTls(client: Client): ClientTls | undefined
  stop(): Promise<void>
}

type PartnerName =
  | 'mailbox'
  | 'otherMailbox'
  | 'plain'
  | 'good'
  | 'strange'
  | 'tls12'
  | 'privateCa'
  | 'refusing'
  | 'temporary'

/** The address of each next hop, which stands for its port. */
const addresses: Record<string, PartnerName> = {
  '127.0.0.21': 'plain',
  '127.0.0.22': 'good',
  '127.0.0.23': 'strange',
  '127.0.0.24': 'tls12',
  '127.0.0.25': 'privateCa',
  '127.0.0.26': 'refusing',
  '127.0.0.27': 'temporary',
}

export async function startStack(): Promise<Stack> {
  const [publicCa, contosoCa, partnerCa, unknownCa] = await Promise.all(
    ['Public CA', 'Contoso CA', 'Partner CA', 'Unknown CA'].map((name) => createPki(name)),
  )
  if (!publicCa || !contosoCa || !partnerCa || !unknownCa) throw new Error('no authorities')
  const partners = await startPartners(publicCa, partnerCa, unknownCa)
  const certificates = await clientCertificates(publicCa, contosoCa)
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-dry-run-'))
  const settings = join(folder, 'settings.json')
  writeFileSync(settings, JSON.stringify({ tlsReportAddress: reportAddress }))
  const args = ['--no-demo', '--settings', settings]
  const runner = await startRunner(zoneOf(partners), args, launchTrusting(publicCa.ca))
  const ports = Object.fromEntries(Object.entries(partners).map(([name, { port }]) => [name, port]))
  const stack: Stack = {
    runner,
    api: new Api(runner.endpoints),
    authorities: { public: publicCa.ca, contoso: contosoCa.ca, partner: partnerCa.ca },
    fingerprints: mapValues(certificates, fingerprintOf),
    ports: ports as Stack['ports'],
    clientTls({ tls, certificate }) {
      if (tls === 'None') return undefined
      const identity = certificate === undefined ? {} : certificates[certificate]
      return { ...identity, minVersion: tls, maxVersion: tls }
    },
    async stop() {
      await runner.stop()
      await Promise.all(Object.values(partners).map((partner) => partner.stop()))
      rmSync(folder, { recursive: true })
    },
  }
  await writeConnectors(stack)
  return stack
}

const mapValues = <K extends string, V, W>(record: Record<K, V>, value: (item: V) => W): Record<K, W> =>
  Object.fromEntries(Object.entries<V>(record).map(([key, item]) => [key, value(item)])) as Record<K, W>

async function startPartners(
  publicCa: Pki,
  partnerCa: Pki,
  unknownCa: Pki,
): Promise<Record<PartnerName, Partner>> {
  const answering = (reply: string): PartnerOptions => ({
    answer: (command) => (command.startsWith('RCPT') ? reply : undefined),
  })
  const mailbox = await publicCa.issue({ names: ['mailbox.ours.example'] })
  const options: Record<PartnerName, PartnerOptions> = {
    mailbox: { tls: mailbox },
    otherMailbox: { tls: mailbox },
    plain: {},
    good: { tls: await publicCa.issue({ names: ['mx.good.example'] }) },
    strange: { tls: await unknownCa.issue({ names: ['mx.strange.example'] }) },
    tls12: { tls: { ...(await publicCa.issue({ names: ['mx.tls12.example'] })), maxVersion: 'TLSv1.2' } },
    privateCa: { tls: await partnerCa.issue({ names: ['mx.privateca.example'] }) },
    refusing: answering('550 5.1.1 No such user'),
    temporary: answering('450 4.2.0 Try again later'),
  }
  const started = await Promise.all(
    Object.entries(options).map(async ([name, each]) => [name, await startPartner(each)] as const),
  )
  return Object.fromEntries(started) as Record<PartnerName, Partner>
}

async function clientCertificates(publicCa: Pki, contosoCa: Pki): Promise<Record<CertificateName, Identity>> {
  const names = ['mail.contoso.example']
  return {
    contoso: await publicCa.issue({ names }),
    contosoOwnAuthority: await contosoCa.issue({ names }),
    contosoSelfSigned: await selfSigned({ names }),
    contosoExpired: await publicCa.issue({ names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }),
    contosoWildcard: await publicCa.issue({ names: ['*.contoso.example'] }),
    ourServer: await publicCa.issue({ names: ['mailbox.ours.example'] }),
    exchangeOnline: await publicCa.issue({ names: ['mail.protection.outlook.com'] }),
  }
}

function zoneOf(partners: Record<PartnerName, Partner>): object {
  const toHost = (...hosts: string[]) => ({ MX: hosts.map((host) => [10, host]) })
  const hosts = {
    'mx.plain.example': '127.0.0.21',
    'mx.good.example': '127.0.0.22',
    'mx.strange.example': '127.0.0.23',
    'mx.tls12.example': '127.0.0.24',
    'mx.privateca.example': '127.0.0.25',
    'mx.refusing.example': '127.0.0.26',
    'mx.temporary.example': '127.0.0.27',
  }
  const single = Object.keys(hosts).map((host) => [host.replace('mx.', ''), toHost(host)])
  return {
    names: {
      ...Object.fromEntries(single),
      ...mapValues(hosts, (address) => ({ A: [address] })),
      'misnamed.example': toHost('mx.good.example'),
      'double.example': toHost('mx.good.example', 'mx.plain.example'),
      'nomail.example': { MX: [[0, '']] },
      // Mail of contoso.example passes DMARC from one address only.
      'contoso.example': { TXT: ['v=spf1 ip4:127.0.0.2 -all'] },
      '_dmarc.contoso.example': { TXT: ['v=DMARC1; p=reject'] },
    },
    ports: mapValues(addresses, (name) => `127.0.0.1:${partners[name].port}`),
  }
}

async function writeConnectors({ api, authorities, ports }: Stack): Promise<void> {
  for (const domain of ['ours.example', 'second.example'])
    await api.call('PUT', `/accepted-domains/${domain}`, {})
  const partner = { connectorType: 'Partner' }
  const own = { connectorType: 'OnPremises' }
  const inbound = [
    {
      ...partner,
      name: 'from contoso',
      senderDomains: ['contoso.example'],
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
    },
    { ...partner, name: 'from fabrikam', senderDomains: ['fabrikam.example'] },
    {
      ...partner,
      name: 'from bank',
      senderDomains: ['bank.example'],
      requireTls: false,
      restrictDomainsToIpAddresses: true,
      senderIpAddresses: ['127.0.0.3'],
      onViolation: 'Defer',
    },
    {
      ...own,
      name: 'our server',
      senderDomains: ['ours.example', 'second.example'],
      tlsSenderCertificateNames: ['mailbox.ours.example'],
    },
    {
      ...own,
      name: 'our printer',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['127.0.0.4'],
      requireTls: false,
    },
    {
      ...own,
      name: 'our tenant',
      senderDomains: ['*'],
      tlsSenderCertificateNames: ['mail.protection.outlook.com'],
      exchangeOnline: { tenantIds: [ourTenant], originatorOrganizations: [] },
    },
  ]
  const verified = (domain: string, tlsDomain: string, certificateAuthorities: string[] = []) => ({
    ...partner,
    name: `to ${domain}`,
    recipientDomains: [domain],
    tlsSettings: 'DomainValidation',
    tlsDomain,
    certificateAuthorities,
  })
  const outbound = [
    {
      ...own,
      name: 'our mailboxes',
      allAcceptedDomains: true,
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: ports.mailbox }],
    },
    verified('good.example', 'mx.good.example'),
    verified('misnamed.example', 'mx.misnamed.example'),
    verified('privateca.example', 'mx.privateca.example', [authorities.partner]),
    {
      ...partner,
      name: 'to strange.example',
      recipientDomains: ['strange.example'],
      tlsSettings: 'EncryptionOnly',
    },
  ]
  for (const connector of inbound) await api.create('inbound', connector)
  for (const connector of outbound) await api.create('outbound', connector)
}
