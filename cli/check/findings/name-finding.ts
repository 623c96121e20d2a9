/** What is said of the names in a certificate. Pure. */
import type { X509Certificate } from 'node:crypto'
import { visible } from '../../../shared/mail/peer-words.ts'
import { commonNameOf, dnsNames } from '../../../shared/tls/facts.ts'
import { type CertificateNames, certificateHasName } from '../../../shared/tls/names.ts'
import type { CertificateFacts, Trust } from '../facts/facts.ts'
import { subjectOf } from './certificate-names.ts'
import { deferralByTls } from './connector-deferral.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** RFC 9525, as connectors go by it. */
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
  const shown = shownNames(names)
  if (expected === null) return unnamed(leaf, shown, trust)
  if (!certificateHasName(names, [expected]))
    return fail(
      'name',
      `for ${shown}, not for ${expected}${deferralByTls('DomainValidation', [expected], trust, at)}`,
      `Have a certificate issued with the DNS name ${expected}, or name in the connector (tlsDomain) what it is for`,
    )
  if (names.subjectAltNames.length === 0)
    return warn(
      'name',
      `for ${expected}, but as a common name only`,
      'MTA-STS and most clients read the alternative names only: have it issued with one',
    )
  return ok('name', `for ${expected}${shown === expected ? '' : ` (${shown})`}`)
}

function unnamed(leaf: X509Certificate | undefined, shown: string, { tls }: Trust): Finding {
  if (!tls)
    return ok(
      'name',
      `for ${shown}; compared with nothing, since no --servername was given`,
      leaf && subjectOf(leaf),
    )
  return warn(
    'name',
    `for ${shown}; compared with nothing, since an address has no name`,
    'Give the name in the MX record or of the smart host by --servername',
  )
}

const mostNames = 10

/** As they are written, be they host names or not. */
function shownNames({ subjectAltNames, commonName }: CertificateNames): string {
  const names = subjectAltNames.length > 0 ? subjectAltNames : commonName === null ? [] : [commonName]
  const more = names.length - mostNames
  const shown = names.slice(0, mostNames).map((name) => visible(name.slice(0, 255)))
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ') || 'no name'
}
