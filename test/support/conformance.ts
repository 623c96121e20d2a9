/**
 * Measures the ingress and a delivery for the page docs/generated/conformance.md. Run as a program, this file records
 * the measurement; `npm run docs` writes the page from it.
 */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { gatherServerConformance } from '../../cli/check/conformance/check-conformance.ts'
import { gatherServerFacts } from '../../cli/check/facts/gather-facts.ts'
import type { MeasuredFacts, TlsClientFacts } from '../../shared/conformance/facts.ts'
import { groupName, suiteName } from '../../shared/conformance/suite-names.ts'
import { clientTlsOptions, establishedTls } from '../../shared/net/tls-client.ts'
import { assessServerTls } from '../../shared/tls/assess-server-tls.ts'
import { type HopRequirement, opportunistic } from '../../shared/tls/requirement.ts'
import { extensionTypes, type Hello, helloFor, listIn } from './hello.ts'
import { startTestIngress, type TestIngress } from './ingress/ingress.ts'
import { listen } from './listen.ts'
import { createPki, type Identity } from './pki.ts'
import { within } from './within.ts'

export const ingressName = 'mx.ours.example'

export interface MeasuredIngress {
  ingress: TestIngress
  /** The authority of its certificates, PEM. */
  ca: string
}

/** Starts an ingress with an ECDSA and an RSA certificate, which serves any number of connections per minute. */
export async function startMeasuredIngress(): Promise<MeasuredIngress> {
  const pki = await createPki()
  const [ec, rsa] = await Promise.all(
    [false, true].map((rsa) => pki.issue({ names: [ingressName], purposes: ['serverAuth'], rsa })),
  )
  const ingress = await startTestIngress({
    settings: {
      TLS_PRIVATE_KEY: `${ec?.key}\n${rsa?.key}`,
      TLS_CERTIFICATE: `${ec?.cert}\n${rsa?.cert}`,
      MAX_CONNECTION_RATE_PER_ADDRESS: 0,
    },
  })
  return { ingress, ca: pki.ca }
}

export async function measureConformance({ ingress, ca }: MeasuredIngress): Promise<MeasuredFacts> {
  const target = { host: '127.0.0.1', port: ingress.smtpPort }
  const timeout = 10_000
  const anchor = { certificate: new X509Certificate(ca), isTrustedByDeployment: false, store: '' }
  const facts = await gatherServerFacts(target, {
    serverName: ingressName,
    store: { authorities: [ca], anchors: [anchor] },
    timeout,
    at: new Date(),
  })
  const server = await gatherServerConformance(facts, target, timeout)
  if (server === null) throw new Error('the ingress offers no TLS')
  return { server, client: await measureClient() }
}

const forced: HopRequirement = {
  ...opportunistic,
  level: 'DomainValidation',
  source: 'Connector',
  names: [ingressName],
}

async function measureClient(): Promise<TlsClientFacts> {
  const hello = await helloFor(opportunistic)
  const tls13 = await helloFor({ ...forced, minimumTlsVersion: 'TLSv1.3' })
  return {
    versions: { byDefault: versionsIn(hello), tls13Required: versionsIn(tls13) },
    suites: hello.suites.filter((suite) => suite !== renegotiationSignal).map(suiteName),
    groups: listIn(hello, extensionTypes.supportedGroups).map(groupName),
    signatures: listIn(hello, extensionTypes.signatureAlgorithms),
    compressionMethods: hello.compressionMethods,
    extensions: [...hello.extensions.keys()],
    verification: await measureVerification(),
  }
}

/** TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3). */
const renegotiationSignal = 0x00ff

const versionNames: Record<number, string> = { 771: 'TLSv1.2', 772: 'TLSv1.3' }
const versionsIn = (hello: Hello): string[] =>
  listIn(hello, extensionTypes.supportedVersions, 1).map(
    (version) => versionNames[version] ?? version.toString(16),
  )

async function measureVerification(): Promise<TlsClientFacts['verification']> {
  const [pki, elsewhere] = await Promise.all([createPki(), createPki('Elsewhere')])
  const codeFor = async (identity: Identity) => verificationCode(identity, pki.ca)
  return {
    good: await codeFor(await pki.issue({ names: [ingressName] })),
    untrusted: await codeFor(await elsewhere.issue({ names: [ingressName] })),
    otherName: await codeFor(await pki.issue({ names: ['mx.other.example'] })),
  }
}

/** @returns the code with which a delivery with DomainValidation is deferred; null when it sends */
async function verificationCode({ cert, key }: Identity, ca: string): Promise<string | null> {
  const server = createServer({ cert, key }, (socket) => socket.on('error', () => {}))
  const { port, stop } = await listen(server)
  const requirement = { ...forced, certificateAuthorities: [ca] }
  const socket = connect({ port, host: '127.0.0.1', ...clientTlsOptions(requirement, [ca], null) })
  await within(10_000, once(socket, 'secureConnect'), 'the handshake')
  const fault = assessServerTls(requirement, establishedTls(socket, [ca]), new Date())
  socket.destroy()
  await stop()
  return fault?.reply.enhanced ?? null
}

const recordedFactsFile = join(import.meta.dirname, '../../shared/conformance/recorded-facts.ts')
const recordedFactsHead = `/** The TLS of this version's ingress and of its deliveries, as \`node test/support/conformance.ts\` measured it. */
import type { MeasuredFacts } from './facts.ts'
`

if (import.meta.main) {
  const measured = await startMeasuredIngress()
  const facts = JSON.stringify(await measureConformance(measured), null, 2)
  writeFileSync(
    recordedFactsFile,
    `${recordedFactsHead}\nexport const recordedFacts: MeasuredFacts = ${facts}\n`,
  )
  await measured.ingress.drain()
}
