/** What is said of certificates together: their order, what is missing, the root, the verdict. Pure. */
import type { X509Certificate } from 'node:crypto'
import { validTo } from '../../../shared/tls/validity.ts'
import { timeOf } from '../../text/words.ts'
import { type Anchor, isOfSameAuthority, isSame, isSelfSigned } from '../facts/certificate-path.ts'
import type { CertificateFacts, IssuerFacts, Trust } from '../facts/facts.ts'
import { shortName, subjectOf } from './certificate-names.ts'
import { deferralByTls } from './connector-deferral.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { openSslReason } from './openssl-reasons.ts'

export function chainFindings(facts: CertificateFacts, at: Date): Finding[] {
  return [chainFinding(facts), rootFinding(facts, at), trustFinding(facts.trust, at)]
}

/** Whether the certificates that came are all that is needed, in the order in which each vouches for the one before. */
function chainFinding(facts: CertificateFacts): Finding {
  const { presented, path } = facts
  const sent = `${presented.length} certificate${presented.length === 1 ? '' : 's'}`
  if (facts.trust.trusted) return orderFinding(facts, sent)
  // Nobody has to send a root.
  const missing = path.steps
    .filter(({ from, certificate }) => from === 'Fetched' && !isSelfSigned(certificate))
    .map(({ certificate }) => certificate)
  if (missing.length > 0)
    return fail(
      'chain',
      `${sent}; ${quoted(missing)} missing${whereFound(missing, facts.issuers)}`,
      'Append what is missing to the certificate in the server: few who connect to it go and fetch it',
    )
  const top = path.steps.at(-1)?.certificate
  if (top && !path.anchor && !isSelfSigned(top)) return endsEarly(top, facts, sent)
  return orderFinding(facts, sent)
}

/** Where nobody can tell whether an intermediate certificate is missing or a root unknown. */
function endsEarly(top: X509Certificate, { presented, path }: CertificateFacts, sent: string): Finding {
  const subject = subjectOf(top)
  const issuer = shortName(top.issuer)
  const namesake = namesakeOf(top, presented)
  if (namesake)
    return fail(
      'chain',
      `${sent}; "${issuer}" is among them, but ${namesake.ca ? `has not signed "${subject}"` : 'is not an authority'}`,
      'The certificates do not belong together: install the chain that the authority gave, anew',
    )
  const seen = `${sent}; "${issuer}", who issued "${subject}", is neither among them nor in the trust store`
  return path.steps.length === 1
    ? fail(
        'chain',
        seen,
        'Append the intermediate certificates of the authority to the certificate in the server',
      )
    : warn(
        'chain',
        seen,
        'If that is an intermediate authority, append its certificate in the server; if a root, see below',
      )
}

/** Whoever has the issuer's name, and has not issued it: or the way would go on there. */
const namesakeOf = (top: X509Certificate, presented: readonly X509Certificate[]) =>
  presented.find((other) => !isSame(other, top) && top.checkIssued(other))

const mostNamed = 4

function quoted(certificates: readonly X509Certificate[]): string {
  const names = [...new Set(certificates.map((each) => `"${subjectOf(each)}"`))]
  const more = names.length - mostNamed
  return [...names.slice(0, mostNamed), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

function whereFound(fetched: readonly X509Certificate[], issuers: readonly IssuerFacts[]): string {
  const urls = issuers.flatMap(({ url, answer }) =>
    answer.kind === 'Found' && answer.certificates.some((each) => fetched.some((one) => isSame(one, each)))
      ? [url]
      : [],
  )
  return urls.length === 0 ? '' : `; it is at ${[...new Set(urls)].join(' and ')}`
}

function orderFinding({ presented, path }: CertificateFacts, sent: string): Finding {
  const used = path.steps.filter(({ from }) => from === 'Presented').map(({ certificate }) => certificate)
  const needed = path.anchor ? [...used, path.anchor.certificate] : used
  // Authorities also send their certificate from another, older one, for clients that know only that.
  const idle = presented.filter((each) => !needed.some((one) => isOfSameAuthority(one, each)))
  const places = used.map((each) => presented.findIndex((one) => isSame(one, each)))
  const inOrder = places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0))
  if (!inOrder)
    return warn(
      'chain',
      `${sent}, complete, but not in order: ${quoted(presented)}`,
      'Put each issuer directly behind what it issued (RFC 8446 §4.4.2): old clients go by that',
    )
  if (idle.length > 0)
    return warn(
      'chain',
      `${sent}, complete, but with ${quoted(idle)} that nobody needs`,
      'Take it out, unless some old client needs it for another way to a root',
    )
  return ok('chain', `${sent}, complete and in order`)
}

/** Where authorities are named that are none of the public ones. */
const ownRoot = '--ca here, certificateAuthorities in the connector'

function rootFinding({ presented, path, trust }: CertificateFacts, at: Date): Finding {
  const { anchor, steps } = path
  if (anchor) return anchored(anchor, at)
  // OpenSSL knows more ways through a chain than are shown here.
  if (trust.trusted) return ok('root', 'OpenSSL has found one in the trust store')
  const top = steps.at(-1)?.certificate
  if (top && isSelfSigned(top) && steps.length === 1)
    return fail(
      'root',
      'the certificate is self-signed',
      `Have one issued by an authority that both sides trust, or give this one as an authority: ${ownRoot}`,
    )
  const broken = top !== undefined && namesakeOf(top, presented) !== undefined
  if (top && !isSelfSigned(top) && (broken || steps.length === 1))
    return fail(
      'root',
      `none was reached, since the chain ends at "${subjectOf(top)}"`,
      broken
        ? 'See the line of chain'
        : `See the line of chain; if "${shortName(top.issuer)}" is a root that you trust, give its certificate: ${ownRoot}`,
    )
  const name = top && isSelfSigned(top) ? subjectOf(top) : shortName(top?.issuer)
  return fail(
    'root',
    `"${name}" is not in the trust store`,
    `If you trust that authority, give its root certificate: ${ownRoot}; else ask for a certificate of a public authority`,
  )
}

function anchored({ certificate, store, everywhere }: Anchor, at: Date): Finding {
  const seen = `"${subjectOf(certificate)}" is in the trust store (${store})`
  if (validTo(certificate) < at)
    return fail(
      'root',
      `${seen}, but expired on ${timeOf(validTo(certificate).toISOString())}`,
      'Ask the authority for its newer root, and for a certificate below that',
    )
  return everywhere
    ? ok('root', seen)
    : warn(
        'root',
        seen,
        'Only this machine trusts it: name it in the connector (certificateAuthorities), for deliveries know the public roots',
      )
}

function trustFinding(trust: Trust, at: Date): Finding {
  if (trust.trusted)
    return ok('trust', trust.tls ? 'OpenSSL trusts the chain, as a delivery would' : 'the chain is trusted')
  const { words, advice } = openSslReason(trust.error)
  const seen = `${words} (${trust.error ?? 'no reason given'})`
  return fail('trust', `${seen}${deferralByTls('CertificateValidation', [], trust, at)}`, advice)
}
