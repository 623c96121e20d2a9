/** Builds the trust store: the roots that deliveries trust, and the authorities from --ca. */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import type { Io } from '../../command.ts'
import type { Anchor } from './certificate-path.ts'
import { readCertificates } from './read-certificates.ts'

export interface TrustStore {
  readonly anchors: readonly Anchor[]
  /** PEM, for the handshake; empty means the public roots alone. */
  readonly authorities: readonly string[]
}

/**
 * @param file additional authorities, PEM or DER
 * @throws CommandError for a file without a certificate
 */
export async function loadTrustStore(file: string | undefined, io: Io): Promise<TrustStore> {
  const roots = publicRoots()
  if (file === undefined) return { anchors: roots, authorities: [] }
  const additional = (await readCertificates(file, io)).map((certificate) => ({
    certificate,
    store: file,
    isTrustedByDeployment: true,
  }))
  return {
    anchors: [...additional, ...roots],
    authorities: [...additional, ...roots].map(({ certificate }) => certificate.toString()),
  }
}

/** Returns Node's bundled roots, which a deployment also trusts, then the roots that only this process trusts. */
function publicRoots(): Anchor[] {
  const bundled = new Set(getCACertificates('bundled'))
  const additionalRoots = getCACertificates().filter((pem) => !bundled.has(pem))
  return [
    ...anchorsOf([...bundled], "Node's bundled roots", true),
    ...anchorsOf(additionalRoots, 'NODE_EXTRA_CA_CERTS, or the system', false),
  ]
}

const anchorsOf = (pems: readonly string[], store: string, isTrustedByDeployment: boolean): Anchor[] =>
  pems.map((pem) => ({ certificate: new X509Certificate(pem), store, isTrustedByDeployment }))
