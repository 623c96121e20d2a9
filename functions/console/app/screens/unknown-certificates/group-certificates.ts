/** Groups unknown certificates by connector. Pure. */
import type { UnknownCertificate } from '../../api/types.ts'

export interface CertificateGroup {
  connector: UnknownCertificate['connector']
  /** In the order of the list. */
  certificates: UnknownCertificate[]
}

/** @param certificates the last presented first; so is the order of the groups */
export function groupByConnector(certificates: readonly UnknownCertificate[]): CertificateGroup[] {
  const groups = new Map<string, CertificateGroup>()
  for (const certificate of certificates) {
    const { connector } = certificate
    const group = groups.get(connector.id)
    if (group === undefined) groups.set(connector.id, { connector, certificates: [certificate] })
    else group.certificates.push(certificate)
  }
  return [...groups.values()]
}
