/** What is said of each address in the certificates: who tells whether they were revoked, and where issuers are. Pure. */
import type { RevocationSource } from '../../../shared/tls/revocation/status.ts'
import type { Told } from '../../../shared/tls/revocation/told.ts'
import { timeOf } from '../../text/words.ts'
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
    ...(sources.some(({ places }) => places > 0) ? [verdictFinding(sources, trust)] : []),
  ]
}

function verdictFinding(sources: readonly SourceFacts[], { tls }: Trust): Finding {
  const revocation = chainRevocation(sources)
  const { status, detail } = revocation
  const seen = `${detail}${tls ? deferralByRevocation(revocation) : ''}`
  if (status === 'Good') return ok('revocation', seen)
  return (status === 'Revoked' ? fail : warn)('revocation', seen, 'See the lines of ocsp and crl')
}

function sourceFindings({ certificate, places, sources }: SourceFacts): Finding[] {
  const subject = subjectOf(certificate)
  if (places === 0)
    return [
      warn(
        'revocation',
        'it names no address of HTTP where to ask whether it was revoked',
        'Nobody learns of it when it is. Have the authority put the address of its CRL into what it issues',
        subject,
      ),
    ]
  if (sources === null)
    return [
      warn(
        'revocation',
        `${places} addresses were not asked, since its issuer is not known`,
        'See the lines of chain and root',
        subject,
      ),
    ]
  // Whoever verifies is content with one of them that answers.
  const another = (source: RevocationSource) => sources.find((one) => one !== source && one.status === 'Good')
  return sources.map((source) => sourceFinding(source, subject, another(source)))
}

const checkOf: Readonly<Record<RevocationSource['kind'], Check>> = { Crl: 'crl', Ocsp: 'ocsp' }

function sourceFinding(
  source: RevocationSource,
  subject: string,
  another: RevocationSource | undefined,
): Finding {
  const { kind, url, status, detail } = source
  const check = checkOf[kind]
  switch (status) {
    case 'Good':
      return ok(check, `${url}: ${goodWords(source)}`, subject)
    case 'Revoked':
      return fail(check, `${url}: ${detail}`, replace, subject)
    case 'Unknown':
      return another
        ? warn(
            check,
            `${url}: ${detail}`,
            `${adviceFor(detail, url)}. Until then ${another.url} answers`,
            subject,
          )
        : fail(
            check,
            `${url}: ${detail}`,
            `${adviceFor(detail, url)}. Until then nobody answers for it`,
            subject,
          )
  }
}

const replace = 'Have a new one issued for a new key, and serve it: whoever asks takes this one for stolen'

const goodWords = ({ detail, nextUpdate }: Told): string =>
  [
    'fetched',
    'signed by the issuer or for it',
    nextUpdate === null ? 'of today' : `fresh until ${timeOf(nextUpdate)}`,
    detail,
  ].join(', ')

/** What came, and was of no use, is told in sentences about it. */
const wasAnswered = (detail: string): boolean => /^The /.test(detail)

function adviceFor(detail: string, url: string): string {
  if (wasAnswered(detail))
    return 'The authority has to mend that, unless a proxy on the way has answered in its place'
  const { host = url, protocol = 'http:', port = '' } = URL.parse(url) ?? {}
  const at = port === '' ? `${host}, port ${protocol === 'https:' ? 443 : 80}` : host
  return `Let this machine reach ${at}: DNS, firewall. Every server that verifies has to`
}

function stapleFinding(staple: Told, subject: string): Finding {
  switch (staple.status) {
    case 'Good':
      return ok(
        'staple',
        `an OCSP answer came with the handshake: ${goodWords(staple).replace('fetched, ', '')}`,
        subject,
      )
    case 'Revoked':
      return fail('staple', `an OCSP answer came with the handshake: ${staple.detail}`, replace, subject)
    case 'Unknown':
      return warn(
        'staple',
        `an OCSP answer came with the handshake, and is of no use: ${staple.detail}`,
        'Have the server fetch it anew, or send none',
        subject,
      )
  }
}

/** Nobody needs these as long as servers send what is between them and the root. */
export const issuerFindings = ({ issuers }: CertificateFacts): Finding[] => issuers.map(issuerFinding)

function issuerFinding({ of, url, answer }: IssuerFacts): Finding {
  const subject = subjectOf(of)
  if (answer.kind === 'Failed')
    return warn(
      'issuer',
      `${url}: ${answer.detail}`,
      'Nobody needs it while the server sends its whole chain; let this machine reach it all the same, or tell the authority',
      subject,
    )
  const issuer = answer.certificates.find((each) => isIssuedBy(of, each))
  return issuer
    ? ok('issuer', `${url}: fetched, and it is "${subjectOf(issuer)}"`, subject)
    : warn('issuer', `${url}: fetched, but it is not the issuer`, 'The authority has to mend that', subject)
}
