/** Gathers the facts about a server or a file. */
import { X509Certificate } from 'node:crypto'
import type { EstablishedTls } from '../../../shared/tls/assess-server-tls.ts'
import { predictCertificateFacts } from '../../../shared/tls/facts.ts'
import { statusInOcsp } from '../../../shared/tls/revocation/ocsp.ts'
import { type ReportedRevocation, undetermined } from '../../../shared/tls/revocation/reported-revocation.ts'
import { hasDates, validFrom, validTo } from '../../../shared/tls/validity.ts'
import { expectedNameOf, type Target } from '../target.ts'
import type { Path } from './certificate-path.ts'
import { ehloName, openDeliverySession } from './delivery-session.ts'
import type { CertificateFacts, Facts, HandshakeProbes, ServerFacts, SessionAttempt, Trust } from './facts.ts'
import { followPath } from './follow-path.ts'
import { hostAddresses, maxAddresses } from './host-addresses.ts'
import { connectAnyVersion, probeLegacyTls, requestStaple } from './probe-handshakes.ts'
import type { CertificateChain } from './read-certificates.ts'
import { querySources } from './revocation-sources.ts'
import type { TrustStore } from './trust-store.ts'

export interface GatherOptions {
  /** The name that the certificate must have, in comparable form. */
  readonly serverName: string | null
  readonly store: TrustStore
  /** Timeout of each step in milliseconds. */
  readonly timeout: number
  readonly at: Date
}

/** Never throws. */
export async function gatherServerFacts(target: Target, options: GatherOptions): Promise<Facts> {
  const { at, timeout } = options
  const expected = options.serverName ?? expectedNameOf(target)
  const addresses = await hostAddresses(target.host, timeout)
  const attempts = await openSessions(ipsOf(target, addresses), target, expected, options)
  const lastAttempt = attempts.at(-1)
  const probes = lastAttempt ? await probeHandshakes(lastAttempt, target, expected, timeout) : null
  const tls = lastAttempt?.outcome.kind === 'Tls' ? lastAttempt.outcome.tls : null
  return {
    at,
    expected,
    server: { target, addresses, attempts, probes },
    certificates:
      tls?.kind === 'Established' ? await gatherPresented(tls, options, probes?.staple ?? null) : null,
  }
}

/** Never throws. */
export async function gatherFileFacts(presented: CertificateChain, options: GatherOptions): Promise<Facts> {
  const certificates = await gatherCertificates(presented, null, options, null)
  return { at: options.at, server: null, expected: options.serverName, certificates }
}

function ipsOf({ host }: Target, addresses: ServerFacts['addresses']): readonly string[] {
  if (addresses.kind === 'Given') return [host]
  return addresses.kind === 'Found' ? addresses.ips.slice(0, maxAddresses) : []
}

/** Tries addresses like a delivery, until a server accepts the connection. */
async function openSessions(
  ips: readonly string[],
  { host, port }: Target,
  serverName: string | null,
  { store, timeout }: GatherOptions,
): Promise<SessionAttempt[]> {
  const attempts: SessionAttempt[] = []
  for (const ip of ips) {
    const attempt = await openDeliverySession(
      { host, ip, port },
      { serverName, roots: store.authorities, timeout },
    )
    attempts.push(attempt)
    if (attempt.reached !== 'Dialled') break
  }
  return attempts
}

async function probeHandshakes(
  { ip, outcome }: SessionAttempt,
  { host, port }: Target,
  serverName: string | null,
  timeout: number,
): Promise<HandshakeProbes | null> {
  const endpoint = { host, ip, port }
  const probe = { serverName, timeout, ehloName: ehloName() }
  if (outcome.kind !== 'Tls' || outcome.tls.kind === 'NotOffered') return null
  if (outcome.tls.kind === 'HandshakeFailed')
    return { legacyTls: await connectAnyVersion(endpoint, probe), staple: null }
  // One after another: some servers limit concurrent connections from one address.
  const legacyTls = await probeLegacyTls(endpoint, probe)
  return { legacyTls, staple: await requestStaple(endpoint, probe) }
}

async function gatherPresented(
  tls: EstablishedTls,
  options: GatherOptions,
  staple: Buffer | null,
): Promise<CertificateFacts | null> {
  const [leaf, ...others] = tls.chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  if (!leaf) return null
  return gatherCertificates([leaf, ...others], tls, options, staple)
}

async function gatherCertificates(
  presented: CertificateChain,
  established: EstablishedTls | null,
  options: GatherOptions,
  staple: Buffer | null,
): Promise<CertificateFacts> {
  const { store, at, timeout } = options
  const { path, issuers } = await followPath(presented, store.anchors, at, timeout)
  return {
    presented,
    trust: established
      ? { trusted: established.trusted, error: established.trustError, tls: established }
      : predictTrust(path, options, presented),
    path,
    issuers,
    sources: await querySources(path, at, timeout),
    staple: staple && readStaple(staple, path, at),
  }
}

function readStaple(staple: Buffer, { steps, anchor }: Path, at: Date): ReportedRevocation {
  const certificate = steps[0]?.certificate
  const issuer = steps[1]?.certificate ?? anchor?.certificate
  return certificate && issuer
    ? statusInOcsp(staple, { certificate, issuer, at })
    : undetermined('the response cannot be verified because the issuer of the certificate is unknown')
}

/** Predicts OpenSSL's error for a handshake with these certificates. */
function predictTrust(
  { steps, anchor }: Path,
  { store, at }: GatherOptions,
  presented: CertificateChain,
): Trust {
  const error = (reason: string): Trust => ({ trusted: false, error: reason, tls: null })
  const certificates = steps.map(({ certificate }) => certificate)
  if (!certificates.every(hasDates)) return error('ERROR_IN_CERT_NOT_BEFORE_FIELD')
  const roots = store.anchors.map(({ certificate }) => certificate.toString())
  const { trusted, trustError } = predictCertificateFacts(presented, { publicRoots: roots, at })
  if (trusted) return { trusted, error: null, tls: null }
  if (anchor && certificates.some((certificate) => at > validTo(certificate)))
    return error('CERT_HAS_EXPIRED')
  if (anchor && certificates.some((certificate) => at < validFrom(certificate)))
    return error('CERT_NOT_YET_VALID')
  return error(trustError ?? 'UNSPECIFIED')
}
