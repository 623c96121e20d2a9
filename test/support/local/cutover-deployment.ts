/**
 * A gateway beside a tenant of Exchange Online, with the partners of test/fixtures/exchange-export: their servers and
 * certificates, and the result of each message that was sent.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPki, type Pki } from '../pki.ts'
import { type Partner, type PartnerOptions, startPartner } from '../smtp-partner.ts'
import {
  Api,
  type ClientTls,
  launchTrusting,
  type RunnerProcess,
  sendMessage,
  startRunner,
} from './runner.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/exchange-export')

type Server = 'tenant' | 'bank' | 'tailspin' | 'fabrikam'
type Client = 'bank' | 'impostor' | 'ourServer'

export interface CutoverDeployment {
  /** Has inbound.json, outbound.json and domains.json. */
  readonly folder: string
  readonly runner: RunnerProcess
  readonly api: Api
  readonly certificates: Readonly<Record<Client, ClientTls>>
  /** The bank's server presents the certificate that is here at the time; when absent, it offers no STARTTLS. */
  readonly bankOptions: PartnerOptions
  readonly servers: Readonly<Record<Server, Partner>>
  /** @returns the first negative reply, or the reply to the message */
  send(from: string, to: string, tls?: ClientTls): Promise<string>
  /** For each message that was sent: `delivered`, `returned`, `refused`, or several of them. */
  results(): string[]
  stop(): Promise<number | null>
}

export async function startCutoverDeployment(): Promise<CutoverDeployment> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-cutover-'))
  for (const name of ['inbound.json', 'outbound.json', 'domains.json'])
    writeFileSync(join(folder, name), readFileSync(join(fixtures, name)))
  const pki = await createPki()
  const certificates = {
    bank: await pki.issue({ names: ['mx.bank.example'] }),
    impostor: await pki.issue({ names: ['mx.impostor.example'] }),
    ourServer: await pki.issue({ names: ['mail.ours.example'] }),
  }
  const bankOptions: PartnerOptions = { tls: certificates.bank }
  const servers = await startServers(pki, bankOptions)
  const args = ['--no-demo', '--secrets', await writeSecrets(folder, pki)]
  const runner = await startRunner(zoneOf(servers), args, launchTrusting(pki.ca))
  const sent: { subject: string; reply: string }[] = []
  let serial = 0
  return {
    folder,
    runner,
    api: new Api(runner.endpoints),
    certificates,
    bankOptions,
    servers,
    async send(from, to, tls) {
      serial += 1
      const subject = `cutover ${serial}.`
      const content = `From: <${from}>\r\nTo: <${to}>\r\nSubject: ${subject}\r\n\r\nsecret ${subject}\r\n`
      const reply = await sendMessage(runner.endpoints, from, to, content, tls)
      sent.push({ subject, reply })
      return reply
    },
    results: () => sent.map(({ subject, reply }) => resultOf(subject, reply, Object.values(servers))),
    async stop() {
      const code = await runner.stop()
      await Promise.all(Object.values(servers).map((server) => server.stop()))
      rmSync(folder, { recursive: true })
      return code
    },
  }
}

/** Tailspin's server offers no STARTTLS; Fabrikam's has a certificate of an unknown authority. */
async function startServers(pki: Pki, bankOptions: PartnerOptions): Promise<Record<Server, Partner>> {
  const unknownAuthority = await createPki('Unknown CA')
  return {
    tenant: await startPartner({ tls: await pki.issue({ names: ['ours.mail.protection.outlook.com'] }) }),
    bank: await startPartner(bankOptions),
    tailspin: await startPartner(),
    fabrikam: await startPartner({ tls: await unknownAuthority.issue({ names: ['mx.fabrikam.example'] }) }),
  }
}

/** The client certificate that the gateway presents to the tenant. */
async function writeSecrets(folder: string, pki: Pki): Promise<string> {
  const secrets = join(folder, 'secrets')
  const { cert, key } = await pki.issue({ names: ['mx.ours.example'] })
  mkdirSync(secrets)
  writeFileSync(join(secrets, 'exchange-online.json'), JSON.stringify({ certificate: cert, privateKey: key }))
  return secrets
}

function zoneOf({ tenant, bank, tailspin, fabrikam }: Record<Server, Partner>) {
  const hosts = [
    ['ours.mail.protection.outlook.com', '127.0.0.21', tenant],
    ['mx.bank.example', '127.0.0.22', bank],
    ['mx.tailspin.example', '127.0.0.23', tailspin],
    ['mx.fabrikam.example', '127.0.0.24', fabrikam],
  ] as const
  const domains = ['bank.example', 'tailspin.example', 'fabrikam.example']
  return {
    names: {
      ...Object.fromEntries(hosts.map(([host, address]) => [host, { A: [address] }])),
      ...Object.fromEntries(domains.map((domain) => [domain, { MX: [[10, `mx.${domain}`]] }])),
    },
    ports: Object.fromEntries(hosts.map(([, address, { port }]) => [address, `127.0.0.1:${port}`])),
  }
}

function resultOf(subject: string, reply: string, servers: readonly Partner[]): string {
  const copies = servers
    .flatMap(({ received }) => received)
    .filter(({ content }) => content.includes(`Subject: ${subject}`))
    .map(({ mail }) => (mail.startsWith('MAIL FROM:<>') ? 'returned' : 'delivered'))
  return [...copies, ...(reply.startsWith('5') ? ['refused'] : [])].join(', ')
}
