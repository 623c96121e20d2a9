/** Looks at a server, or at a file, and brings back what is to be judged. */
import { X509Certificate } from 'node:crypto'
import { certificateFacts } from '../../../shared/tls/facts.ts'
import type { EstablishedTls } from '../../../shared/tls/server-certificate.ts'
import { addressesOf, mostAddresses } from './addresses.ts'
import type { CertificateFacts, Extra, Facts, Opening, ServerFacts, Trust } from './facts.ts'
import { askForStaple, tryAnything, tryOldVersions } from './handshake.ts'
import { pathOf } from './path.ts'
import { openLike } from './session.ts'
import { nameOf, type Target } from './target.ts'
import type { TrustStore } from './trust-store.ts'

export interface Looking {
  /** What the certificate is to be for, in comparable form. */
  readonly serverName: string | null
  readonly store: TrustStore
  /** Milliseconds of each step. */
  readonly timeout: number
  readonly at: Date
}

/** Never throws. */
export async function lookAtServer(target: Target, looking: Looking): Promise<Facts> {
  const { at, timeout } = looking
  const expected = looking.serverName ?? nameOf(target)
  const addresses = await addressesOf(target.host, timeout)
  const openings = await openFirst(ipsOf(target, addresses), target, expected, looking)
  const opening = openings.at(-1)
  const extra = opening ? await lookFurther(opening, target, expected, timeout) : null
  const tls = opening?.outcome.kind === 'Tls' ? opening.outcome.tls : null
  return {
    at,
    expected,
    server: { target, addresses, openings, extra },
    certificates: tls?.kind === 'Established' ? await presentedBy(tls, looking) : null,
  }
}

export async function lookAtFile(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  looking: Looking,
): Promise<Facts> {
  const { at, store, serverName } = looking
  const roots = store.anchors.map(({ certificate }) => certificate.toString())
  const { trusted, trustError } = certificateFacts(presented, { publicRoots: roots, at })
  const trust = { trusted, error: trustError, tls: null }
  return {
    at,
    server: null,
    expected: serverName,
    certificates: await certificatesOf(presented, trust, looking),
  }
}

function ipsOf({ host }: Target, addresses: ServerFacts['addresses']): readonly string[] {
  if (addresses.kind === 'Given') return [host]
  return addresses.kind === 'Found' ? addresses.ips.slice(0, mostAddresses) : []
}

/** Tries addresses as a delivery does, until one takes the connection. */
async function openFirst(
  ips: readonly string[],
  { host, port }: Target,
  serverName: string | null,
  { store, timeout }: Looking,
): Promise<Opening[]> {
  const openings: Opening[] = []
  for (const ip of ips) {
    const opening = await openLike({ host, ip, port }, { serverName, roots: store.given, timeout })
    openings.push(opening)
    if (opening.reached !== 'Dialled') break
  }
  return openings
}

async function lookFurther(
  { ip, outcome }: Opening,
  { host, port }: Target,
  serverName: string | null,
  timeout: number,
): Promise<Extra | null> {
  const endpoint = { host, ip, port }
  if (outcome.kind !== 'Tls' || outcome.tls.kind === 'NotOffered') return null
  if (outcome.tls.kind === 'HandshakeFailed')
    return { old: await tryAnything(endpoint, { serverName, timeout }), staple: null }
  const [old, staple] = await Promise.all([
    tryOldVersions(endpoint, { serverName, timeout }),
    askForStaple(endpoint, { serverName, timeout }),
  ])
  return { old, staple }
}

async function presentedBy(tls: EstablishedTls, looking: Looking): Promise<CertificateFacts | null> {
  const [leaf, ...others] = tls.chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  if (!leaf) return null
  return certificatesOf([leaf, ...others], { trusted: tls.trusted, error: tls.trustError, tls }, looking)
}

async function certificatesOf(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  trust: Trust,
  { store, at }: Looking,
): Promise<CertificateFacts> {
  return { presented, trust, path: pathOf(presented, [], store.anchors, at), issuers: [] }
}
