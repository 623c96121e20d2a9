/** The finding about the names in a certificate. Pure. */
import type { X509Certificate } from 'node:crypto'
import { replaceInvisible } from '../../../shared/mail/peer-text.ts'
import {
  type CertificateNames,
  certificateHasName,
  commonNameOf,
  dnsNames,
} from '../../../shared/tls/names.ts'
import type { CertificateFacts, Trust } from '../facts/facts.ts'
import { subjectOf } from './certificate-names.ts'
import { deferralByTls } from './connector-deferral.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Compares names by RFC 9525, like connectors. */
export function nameFinding(
  { presented, trust }: CertificateFacts,
  expected: string | null,
  at: Date,
): Finding {
  const [leaf] = presented
  const names = {
    subjectAltNames: dnsNames(leaf?.subjectAltName ?? ''),
    commonName: leaf ? commonNameOf(leaf) : null,
  }
  const certificateNames = namesText(names)
  if (expected === null) return uncomparedFinding(leaf, certificateNames, trust)
  if (!certificateHasName(names, [expected]))
    return fail(
      'name',
      `for ${certificateNames}, not for ${expected}${deferralByTls('DomainValidation', [expected], trust, at)}`,
      `Get a certificate with the DNS name ${expected}, or set tlsDomain of the connector to the certificate's name`,
    )
  if (names.subjectAltNames.length === 0)
    return warn(
      'name',
      `for ${expected}, but only as the common name`,
      'MTA-STS and most clients read only subject alternative names: have the certificate reissued with a subject alternative name',
    )
  return ok('name', `for ${expected}${certificateNames === expected ? '' : ` (${certificateNames})`}`)
}

function uncomparedFinding(
  leaf: X509Certificate | undefined,
  certificateNames: string,
  { tls }: Trust,
): Finding {
  if (!tls)
    return ok(
      'name',
      `for ${certificateNames}; not compared because --servername was not given`,
      leaf && subjectOf(leaf),
    )
  return warn(
    'name',
    `for ${certificateNames}; not compared because HOST is an IP address`,
    'With --servername, give the name of the MX host or smart host',
  )
}

const maxNames = 10

/** Lists the names as the certificate has them, including invalid host names; replaces invisible characters. */
function namesText({ subjectAltNames, commonName }: CertificateNames): string {
  const names = subjectAltNames.length > 0 ? subjectAltNames : commonName === null ? [] : [commonName]
  const omittedCount = names.length - maxNames
  const listedNames = names.slice(0, maxNames).map((name) => replaceInvisible(name.slice(0, 255)))
  return [...listedNames, ...(omittedCount > 0 ? [`${omittedCount} more`] : [])].join(', ') || 'no name'
}
