/**
 * Rounds of one load each: mail that a certificate alone identifies, mail that also shows its tenant of Exchange Online
 * by its id or by a DKIM signature, and mail that is authenticated in full before the 250.
 */
import { generateKeyPairSync } from 'node:crypto'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { inbound } from '../support/fixtures.ts'
import { type NameServer, soa, startNameServer } from '../support/name-server.ts'
import { createPki, type Identity, selfSigned } from '../support/pki.ts'
import type { Generators } from './generators.ts'
import { hostname, type Program, startIngress, startStorage } from './mailflow.ts'
import { type Measurement, measure } from './measure.ts'
import { median } from './median.ts'

export interface TenantOptions {
  rounds: number
  seconds: number
  connections: number
  storageMs: number
}

interface Variant {
  name: string
  program: Program
  identity: Identity
  message: Buffer
}

const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const exchangeName = 'mail.protection.outlook.com'
const ownName = 'mail.ours.example'
const octets = 16 * 1024

/** @returns a Markdown table; the ratios are medians of the ratios within a round */
export async function compareTenants(
  generators: Generators,
  options: TenantOptions,
  register: <T extends { stop(): Promise<void> }>(program: T) => T,
): Promise<string> {
  const variants = await startVariants(options, register)
  const results: Measurement[][] = variants.map(() => [])
  for (let round = -1; round < options.rounds; round++)
    for (const [index, variant] of variants.entries()) {
      const measured = await measureOne(generators, variant, options, round < 0 ? 1 : options.seconds)
      if (round >= 0) results[index]?.push(measured)
    }
  const rows = variants.map(({ name }, index) => rowOf(name, results[index] ?? [], results[0] ?? []))
  return [
    '| 16 KB by DATA | messages/s | of the first | p50 | p99 | server CPU per message | of the first | errors |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}

async function startVariants(
  { connections, storageMs }: TenantOptions,
  register: <T extends { stop(): Promise<void> }>(program: T) => T,
): Promise<Variant[]> {
  const pki = await createPki('Public CA')
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const nameServer = register(await startZone(publicKey.export({ type: 'spki', format: 'der' })))
  const own = { connectorType: 'OnPremises' as const, senderDomains: ['*'] }
  const inboundConnectors = [
    inbound({ ...own, name: 'own', tlsSenderCertificateNames: [ownName] }),
    inbound({
      ...{ ...own, name: 'tenant', tlsSenderCertificateNames: [exchangeName] },
      exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: [] },
    }),
  ].map((connector) => ({ sk: connector.id, ...connector }))
  const storage = register(await startStorage(storageMs, { inboundConnectors, publicRoot: pki.ca }))
  const identity = await selfSigned({ names: [hostname] })
  const start = async (program?: string) =>
    register(
      await startIngress({
        ...{ identity, storage, connections, nameServer: nameServer.address },
        ...(program !== undefined && { program }),
      }),
    )
  const [plain, authenticating] = [await start(), await start('test/bench/authenticating-ingress.ts')]
  const ownServer = await pki.issue({ names: [ownName] })
  const exchange = await pki.issue({ names: [exchangeName] })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const signed = await sign(messageWith(''), pem)
  const identified = messageWith(`X-MS-Exchange-CrossTenant-Id: ${tenantId}\r\n`)
  return [
    { name: 'certificate alone', program: plain, identity: ownServer, message: messageWith('') },
    { name: 'tenant id', program: plain, identity: exchange, message: identified },
    { name: 'DKIM signature', program: plain, identity: exchange, message: signed },
    { name: 'SPF, DKIM, DMARC and ARC', program: authenticating, identity: exchange, message: signed },
  ]
}

function startZone(key: Buffer): Promise<NameServer> {
  const records: Record<string, string> = {
    's._domainkey.ours.example': `v=DKIM1; k=rsa; p=${key.toString('base64')}`,
    '_dmarc.ours.example': 'v=DMARC1; p=reject',
    'ours.example': 'v=spf1 ip4:127.0.0.1 -all',
  }
  return startNameServer(({ name, type }) => {
    const text = type === 'TXT' ? records[name.toLowerCase()] : undefined
    if (text === undefined) return [{ rcode: 3, authorities: [soa] }]
    return [{ answers: [{ name, type: 'TXT', ttl: 300, data: text.match(/.{1,255}/g) ?? [] }] }]
  })
}

/** A header section of the usual number of fields, and a body in lines of usual length. */
function messageWith(fields: string): Buffer {
  const others = Array.from({ length: 40 }, (_, index) => `X-MS-Field-${index}: ${'x'.repeat(80)}\r\n`).join(
    '',
  )
  const head = `From: a@ours.example\r\nTo: b@ours.example\r\nSubject: load\r\n${others}${fields}\r\n`
  return Buffer.from(head + `${'x'.repeat(74)}\r\n`.repeat(Math.round((octets - head.length) / 76)))
}

async function sign(message: Buffer, privateKey: string): Promise<Buffer> {
  const signer = { signingDomain: 'ours.example', selector: 's', privateKey }
  const { signatures } = await dkimSign(message, { ...signer, signatureData: [signer] })
  return Buffer.concat([Buffer.from(signatures), message])
}

const measureOne = (
  generators: Generators,
  { program, identity, message }: Variant,
  { connections }: TenantOptions,
  seconds: number,
): Promise<Measurement> =>
  measure(generators, program, {
    ...{ port: program.port, connections, mode: 'Persistent', group: 'X25519MLKEM768', resume: false },
    ...{ identity, sender: 'a@ours.example', command: 'DATA' },
    message: Buffer.concat([message, Buffer.from('.\r\n')]),
    ...{ leadInMs: 300, durationMs: seconds * 1000 },
  })

function rowOf(name: string, measured: readonly Measurement[], first: readonly Measurement[]): string {
  const middle = (figure: (measurement: Measurement) => number) => median(measured.map(figure))
  const ratioOf = (figure: (measurement: Measurement) => number) =>
    median(measured.map((each, index) => figure(each) / figure(first[index] ?? each))).toFixed(2)
  const errors = measured.flatMap(({ errors }) => [...errors]).map(([cause, times]) => `${cause} × ${times}`)
  return `| ${[
    name,
    Math.round(middle(({ perSecond }) => perSecond)),
    ratioOf(({ perSecond }) => perSecond),
    `${middle(({ p50 }) => p50).toFixed(1)} ms`,
    `${middle(({ p99 }) => p99).toFixed(1)} ms`,
    `${Math.round(middle(({ processor }) => processor) * 1000)} µs`,
    ratioOf(({ processor }) => processor),
    errors.join(', ') || '0',
  ].join(' | ')} |`
}
