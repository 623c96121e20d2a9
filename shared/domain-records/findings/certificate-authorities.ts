/** Public certificate authorities by the names that they recognise in CAA records. Pure. */
import { X509Certificate } from 'node:crypto'
import type { PublishedCertificate } from '../../contract/certificates.ts'
import { certificatesIn } from '../../tls/pem.ts'

export interface CertificateAuthority {
  /** The organisation in the issuer's name. */
  organization: string
  /** The names of the authority in CAA records, the usual one first; empty for an authority that is not in the list. */
  caaNames: readonly string[]
}

/** Source: https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html. */
export const amazon: CertificateAuthority = {
  organization: 'Amazon',
  caaNames: ['amazon.com', 'amazontrust.com', 'awstrust.com', 'amazonaws.com'],
}

const sectigo = ['sectigo.com', 'comodoca.com', 'comodo.com', 'usertrust.com', 'trust-provider.com']
const sectigoAndEntrust = [...sectigo, 'entrust.net', 'affirmtrust.com']
const digicert = [
  ...['digicert.com', 'www.digicert.com', 'digicert.ne.jp', 'cybertrust.ne.jp', 'thawte.com', 'geotrust.com'],
  ...['rapidssl.com', 'symantec.com', 'digitalcertvalidation.com', 'quovadisglobal.com'],
  ...amazon.caaNames,
]
const goDaddy = ['godaddy.com', 'starfieldtech.com']

/**
 * CAA names by the organisation of the issuer, in lower case. Source: the report "CAA Identifiers" of the Common CA
 * Database (https://ccadb.my.salesforce-sites.com/ccadb/AllCAAIdentifiersReportCSVV2).
 */
const caaNamesByOrganization = new Map<string, readonly string[]>([
  ['amazon', amazon.caaNames],
  ['actalis s.p.a.', ['actalis.it']],
  ['asseco data systems s.a.', ['certum.pl', 'certum.eu']],
  ['buypass as-983163327', ['buypass.com']],
  ['d-trust gmbh', ['d-trust.net', 'dtrust.de', 'd-trust.de']],
  ['deutsche telekom security gmbh', ['telesec.de', 'pki.dfn.de', 'dfn.de']],
  ['digicert inc', digicert],
  ['digicert, inc.', digicert],
  ['globalsign nv-sa', ['globalsign.com']],
  ['godaddy.com, inc.', goDaddy],
  ['google trust services', ['pki.goog']],
  ['google trust services llc', ['pki.goog']],
  ['hellenic academic and research institutions ca', ['harica.gr']],
  ['identrust', ['identrust.com']],
  ["let's encrypt", ['letsencrypt.org']],
  ['sectigo limited', sectigoAndEntrust],
  ['ssl corporation', ['ssl.com', 'entrust.net', 'affirmtrust.com']],
  ['starfield technologies, inc.', goDaddy],
  ['swisssign ag', ['swisssign.com']],
  ['zerossl', sectigoAndEntrust],
])

/** Returns the authority that issued the certificate. Without an organisation, its name is the issuer's whole name. */
export function issuerOf({ chain, issuer }: PublishedCertificate): CertificateAuthority {
  const [leaf = ''] = certificatesIn(chain)
  const { O: names } = new X509Certificate(leaf).toLegacyObject().issuer
  const organization = [names].flat().at(-1) ?? issuer
  return { organization, caaNames: caaNamesByOrganization.get(organization.toLowerCase()) ?? [] }
}
