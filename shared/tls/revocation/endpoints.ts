/** Reads the addresses for CRL, OCSP and issuer from a certificate. The addresses are untrusted. */
import type { X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate, CRLDistributionPoints, id_ce_cRLDistributionPoints } from '@peculiar/asn1-x509'

export interface RevocationEndpoints {
  /** RFC 5280 §4.2.1.13 */
  crl: string[]
  /** RFC 5280 §4.2.2.1 */
  ocsp: string[]
  /** Addresses of the issuer's certificate. */
  issuers: string[]
}

/** Limit for the addresses of each kind. */
const maxAddresses = 8

/** In characters. Limited because addresses are cached and displayed. */
const maxUrlLength = 2_048

/** Accepts HTTP and HTTPS URLs without invisible characters. LDAP is rare, and firewalls do not allow it. */
const isHttpUrl = (url: string): boolean => url.length <= maxUrlLength && /^https?:\/\/[!-~]+$/i.test(url)

export function readRevocationEndpoints(certificate: X509Certificate): RevocationEndpoints {
  const access = accessOf(certificate)
  const addressesFor = (accessMethod: string) =>
    access.flatMap(([method, url]) => (method === accessMethod ? [url] : []))
  return {
    crl: crlOf(certificate).filter(isHttpUrl).slice(0, maxAddresses),
    ocsp: addressesFor('OCSP').slice(0, maxAddresses),
    issuers: addressesFor('CA Issuers').slice(0, maxAddresses),
  }
}

/**
 * Node writes one access description on each line, `OCSP - URI:http://…`. It quotes ambiguous ones, which are ignored.
 */
function accessOf({ infoAccess }: X509Certificate): [method: string, url: string][] {
  const lines = (infoAccess ?? '').split('\n')
  return lines.flatMap((line): [string, string][] => {
    const [, method, url] = /^(OCSP|CA Issuers) - URI:([^"\s]+)$/.exec(line) ?? []
    return method !== undefined && url !== undefined && isHttpUrl(url) ? [[method, url]] : []
  })
}

function crlOf(certificate: X509Certificate): string[] {
  try {
    const { extensions = [] } = AsnConvert.parse(certificate.raw, Certificate).tbsCertificate
    const extension = extensions.find(({ extnID }) => extnID === id_ce_cRLDistributionPoints)
    if (!extension) return []
    const points = [...AsnConvert.parse(extension.extnValue, CRLDistributionPoints)]
    return points.flatMap(({ distributionPoint }) =>
      (distributionPoint?.fullName ?? []).flatMap(({ uniformResourceIdentifier: uri }) => uri ?? []),
    )
  } catch {
    return []
  }
}
