/** The finding about the names in a certificate. Pure. */
import type { X509Certificate } from 'node:crypto'
import { replaceInvisible } from '../../../shared/mail/peer-text.ts'
import { commonNameOf, dnsNames } from '../../../shared/tls/facts.ts'
import { type CertificateNames, certificateHasName } from '../../../shared/tls/names.ts'
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
  const shown = namesText(names)
  if (expected === null) return uncomparedFinding(leaf, shown, trust)
  if (!certificateHasName(names, [expected]))
    return fail(
      'name',
      `for ${shown}, not for ${expected}${deferralByTls('DomainValidation', [expected], trust, at)}`,
      `Get a certificate with the DNS name ${expected}, or set tlsDomain of the connector to the certificate's name`,
    )
  if (names.subjectAltNames.length === 0)
    return warn(
      'name',
      `for ${expected}, but only as common name`,
      'MTA-STS and most clients read only subject alternative names: have it reissued with one',
    )
  return ok('name', `for ${expected}${shown === expected ? '' : ` (${shown})`}`)
}

function uncomparedFinding(leaf: X509Certificate | undefined, shown: string, { tls }: Trust): Finding {
  if (!tls)
    return ok(
      'name',
      `for ${shown}; not compared because --servername was not given`,
      leaf && subjectOf(leaf),
    )
  return warn(
    'name',
    `for ${shown}; not compared because HOST is an IP address`,
    'Give the host name of the MX record or of the smart host with --servername',
  )
}

const maxNames = 10

/** Shows names as written, also invalid host names. */
function namesText({ subjectAltNames, commonName }: CertificateNames): string {
  const names = subjectAltNames.length > 0 ? subjectAltNames : commonName === null ? [] : [commonName]
  const more = names.length - maxNames
  const shown = names.slice(0, maxNames).map((name) => replaceInvisible(name.slice(0, 255)))
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ') || 'no name'
}
