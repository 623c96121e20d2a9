/** The roots that a delivery trusts, and those that were given beside them. */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import type { World } from '../command.ts'
import type { Anchor } from './path.ts'
import { readCertificates } from './read.ts'

export interface TrustStore {
  readonly anchors: readonly Anchor[]
  /** PEM, as a handshake takes them: empty where nothing was given beside the public roots. */
  readonly given: readonly string[]
}

/**
 * @param file of further authorities, PEM or DER
 * @throws Fault for a file without a certificate
 */
export async function trustStore(file: string | undefined, world: World): Promise<TrustStore> {
  const roots = getCACertificates()
  const known = roots.map((pem) => ({ certificate: new X509Certificate(pem), store: "Node's" }))
  if (file === undefined) return { anchors: known, given: [] }
  const own = (await readCertificates(file, world)).map((certificate) => ({ certificate, store: file }))
  return {
    anchors: [...own, ...known],
    given: [...own.map(({ certificate }) => certificate.toString()), ...roots],
  }
}
