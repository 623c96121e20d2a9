/** Findings about the URLs in the certificates: revocation sources and issuer certificates. Pure. */

import { countText } from '../../../shared/policy/text-lists.ts'
import type { ReportedRevocation } from '../../../shared/tls/revocation/reported-revocation.ts'
import type { RevocationSource } from '../../../shared/tls/revocation/status.ts'
import { formatTime } from '../../text/format.ts'
import { isIssuedBy } from '../facts/certificate-path.ts'
import type { CertificateFacts, IssuerFacts, SourceFacts, Trust } from '../facts/facts.ts'
import { subjectOf } from './certificate-names.ts'
import { chainRevocation, deferralByRevocation } from './connector-deferral.ts'
import { type Check, type Finding, fail, ok, warn } from './finding.ts'

export function revocationFindings({ sources, staple, presented, trust }: CertificateFacts): Finding[] {
  const [leaf] = presented
  return [
    ...(staple && leaf ? [stapleFinding(staple, subjectOf(leaf))] : []),
    ...sources.flatMap(sourceFindings),
    ...(sources.some(({ urlCount }) => urlCount > 0) ? [verdictFinding(sources, trust)] : []),
  ]
}

function verdictFinding(sources: readonly SourceFacts[], { tls }: Trust): Finding {
  const revocation = chainRevocation(sources)
  const { status, detail } = revocation
  const observation = `${detail}${tls ? deferralByRevocation(revocation) : ''}`
  if (status === 'Good') return ok('revocation', observation)
  return (status === 'Revoked' ? fail : warn)(
    'revocation',
    observation,
    'See the lines `ocsp` and `crl` above',
  )
}

function sourceFindings({ certificate, urlCount, sources }: SourceFacts): Finding[] {
  const subject = subjectOf(certificate)
  if (urlCount === 0)
    return [
      warn(
        'revocation',
        'the certificate has no HTTP URL of a CRL or OCSP responder',
        'Clients cannot detect a revocation. Ask the authority to include the URL of its CRL in its certificates',
        subject,
      ),
    ]
  if (sources === null)
    return [
      warn(
        'revocation',
        `not fetched, because the issuer is unknown: ${countText(urlCount, 'URL')}`,
        'See the lines `chain` and `root`',
        subject,
      ),
    ]
  // A verifier needs only one source that answers.
  const alternative = (source: RevocationSource) =>
    sources.find((candidate) => candidate !== source && candidate.status === 'Good')
  return sources.map((source) => sourceFinding(source, subject, alternative(source)))
}

const checkOf: Readonly<Record<RevocationSource['kind'], Check>> = { Crl: 'crl', Ocsp: 'ocsp' }

function sourceFinding(
  source: RevocationSource,
  subject: string,
  alternative: RevocationSource | undefined,
): Finding {
  const { kind, url, status, detail } = source
  const check = checkOf[kind]
  switch (status) {
    case 'Good':
      return ok(check, `${url}: ${goodText(source)}`, subject)
    case 'Revoked':
      return fail(check, `${url}: ${detail}`, replaceAdvice, subject)
    case 'Unknown':
      return alternative
        ? warn(
            check,
            `${url}: ${detail}`,
            `${adviceFor(detail, url)}. Until then clients can use ${alternative.url}`,
            subject,
          )
        : fail(check, `${url}: ${detail}`, `${adviceFor(detail, url)}. No other source is available`, subject)
  }
}

const replaceAdvice =
  'Get a new certificate for a new key and install it: clients that check revocation reject this one'

const goodText = ({ detail, nextUpdate }: ReportedRevocation): string =>
  [
    'fetched',
    'signature valid',
    nextUpdate === null ? 'without nextUpdate' : `fresh until ${formatTime(nextUpdate)}`,
    detail,
  ].join(', ')

/** Details that begin with "The" describe a response that was received but is unusable. */
const isResponseFault = (detail: string): boolean => /^The /.test(detail)

function adviceFor(detail: string, url: string): string {
  if (isResponseFault(detail)) return 'The authority must fix this, unless a proxy sent the response'
  const { host = url, protocol = 'http:', port = '' } = URL.parse(url) ?? {}
  const location = port === '' ? `${host}, port ${protocol === 'https:' ? 443 : 80}` : host
  return `Allow this machine to reach ${location} (DNS, firewall). Every machine that checks revocation needs this access`
}

function stapleFinding(staple: ReportedRevocation, subject: string): Finding {
  switch (staple.status) {
    case 'Good':
      return ok('staple', `stapled OCSP response: ${goodText(staple).replace('fetched, ', '')}`, subject)
    case 'Revoked':
      return fail('staple', `stapled OCSP response: ${staple.detail}`, replaceAdvice, subject)
    case 'Unknown':
      return warn(
        'staple',
        `stapled OCSP response, unusable: ${staple.detail}`,
        'Make the server fetch a new response, or disable stapling',
        subject,
      )
  }
}

/** The issuer URLs in certificates matter only when a server omits an intermediate certificate. */
export const issuerFindings = ({ issuers }: CertificateFacts): Finding[] => issuers.map(issuerFinding)

function issuerFinding({ certificate, url, result }: IssuerFacts): Finding {
  const subject = subjectOf(certificate)
  if (result.kind === 'Failed')
    return warn(
      'issuer',
      `${url}: ${result.detail}`,
      'Not needed while the server sends its whole chain. Allow this machine to reach the URL, or inform the authority',
      subject,
    )
  const issuer = result.certificates.find((candidate) => isIssuedBy(certificate, candidate))
  return issuer
    ? ok('issuer', `${url}: fetched; the issuer is "${subjectOf(issuer)}"`, subject)
    : warn(
        'issuer',
        `${url}: fetched, but it does not contain the issuer's certificate`,
        'The authority must fix this',
        subject,
      )
}
