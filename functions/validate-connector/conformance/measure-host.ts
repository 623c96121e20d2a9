/**
 * Measures the TLS of one MX host. Attack: DNS names an address in the deployment's network, or a server answers without
 * end. Defence: addresses that DNS names must be public or listed; the time of the measurement is limited, as are the
 * octets of each answer. The gateway's own host is reached at the port for canaries, because Lambda functions outside a
 * VPC cannot connect to port 25; the same tasks serve both ports.
 */
import { X509Certificate } from 'node:crypto'
import { isIPv4 } from 'node:net'
import {
  certificateConformanceFacts,
  type PresentedCertificate,
} from '../../../shared/conformance/certificate-facts.ts'
import type { TlsServerFacts } from '../../../shared/conformance/facts.ts'
import { measureServer } from '../../../shared/conformance/measure-server.ts'
import { type ProbeOptions, StartTlsError, withTls } from '../../../shared/conformance/starttls.ts'
import { canaryPort } from '../../../shared/contract/canary.ts'
import { toSingleLine } from '../../../shared/mail/peer-text.ts'
import { createAddressFilter } from '../../../shared/net/address-filter.ts'
import { resolveAddresses } from '../../../shared/net/next-hops.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import type { Endpoint } from '../../../shared/net/smtp/connection.ts'
import { clientTlsOptions, establishedTls } from '../../../shared/net/tls-client.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'

export interface MeasureOptions {
  resolver: Resolver
  privateNetworks: readonly string[]
  /** Host name of this gateway, which is also the name in EHLO. */
  hostname: string
  /** Port of MX hosts other than this gateway. */
  smtpPort: number
  /** Milliseconds for all connections to a host. */
  totalMs: number
}

export interface HostMeasurement {
  host: string
  isGateway: boolean
  port: number
  state: 'Measured' | 'Partly' | 'NotMeasured'
  /** Why it was not measured, or not wholly. */
  detail: string | null
  /** Null when the host was not measured, or offers no TLS. */
  facts: TlsServerFacts | null
}

/** The longest silence of a host that is reachable. */
const stepTimeoutMs = 5_000

/** Never throws. */
export async function measureHost(host: string, options: MeasureOptions): Promise<HostMeasurement> {
  const { hostname, smtpPort, totalMs } = options
  const isGateway = host === hostname
  const port = isGateway ? canaryPort : smtpPort
  const endsAt = performance.now() + totalMs
  const common = { host, isGateway, port }
  const notMeasured = (detail: string): HostMeasurement => ({
    ...common,
    state: 'NotMeasured',
    detail,
    facts: null,
  })
  const ip = isGateway ? host : await addressOf(host, options)
  if (ip === null) return notMeasured(`${host} has no address that may be used`)
  const endpoint: Endpoint = { host, ip, port }
  const probe = { serverName: host, ehloName: hostname, timeout: Math.min(stepTimeoutMs, totalMs) }
  const presented = await readCertificate(endpoint, probe)
  if (presented.kind === 'NotReached')
    return notMeasured(`No session at port ${port} of ${host}: ${presented.cause}`)
  if (presented.kind === 'NoTls') return { ...common, state: 'Measured', detail: null, facts: null }
  const facts = await measureServer(endpoint, probe, endsAt - performance.now())
  const isOver = performance.now() >= endsAt
  return {
    ...common,
    state: isOver ? 'Partly' : 'Measured',
    detail: isOver ? `The time was over: ${host} answers slowly` : null,
    facts: {
      ...facts,
      certificate: presented.certificate && certificateConformanceFacts(presented.certificate, host),
    },
  }
}

async function addressOf(
  host: string,
  { resolver, privateNetworks }: Pick<MeasureOptions, 'resolver' | 'privateNetworks'>,
): Promise<string | null> {
  const signal = AbortSignal.timeout(stepTimeoutMs)
  const { ips } = await resolveAddresses(host, { query: (name, type) => resolver.query(name, type, signal) })
  const usable = ips.filter(createAddressFilter(privateNetworks))
  return usable.find(isIPv4) ?? usable[0] ?? null
}

type CertificateAnswer =
  | { kind: 'NotReached'; cause: string }
  | { kind: 'NoTls' }
  /** `certificate`: null when the handshake of a delivery fails. */
  | { kind: 'Tls'; certificate: PresentedCertificate | null }

async function readCertificate(endpoint: Endpoint, probe: ProbeOptions): Promise<CertificateAnswer> {
  let hasStarted = false
  let isStapled = false
  try {
    const options = { ...clientTlsOptions(opportunistic, [], null), requestOCSP: true }
    return await withTls(
      endpoint,
      probe,
      options,
      (socket) => {
        hasStarted = true
        socket.once('OCSPResponse', (response) => {
          isStapled = response !== null
        })
      },
      async (socket) => {
        const { chain, trusted } = establishedTls(socket, [])
        const [leaf, ...others] = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
        return {
          kind: 'Tls',
          certificate: leaf ? { chain: [leaf, ...others], isTrusted: trusted, isStapled } : null,
        }
      },
    )
  } catch (error) {
    if (hasStarted) return { kind: 'Tls', certificate: null }
    if (error instanceof StartTlsError && error.step === 'STARTTLS' && error.message.startsWith('5'))
      return { kind: 'NoTls' }
    return { kind: 'NotReached', cause: causeOf(error) }
  }
}

const causes: Readonly<Record<string, string>> = {
  ETIMEDOUT: 'no answer (ETIMEDOUT)',
  ECONNREFUSED: 'the connection was refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was closed (ECONNRESET)',
  ENOTFOUND: 'the name has no address (ENOTFOUND)',
}

function causeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return causes[code ?? ''] ?? toSingleLine(code ?? message ?? String(error), 100)
}
