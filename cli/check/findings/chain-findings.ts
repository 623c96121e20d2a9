/** Findings about the chain: order, missing certificates, root, trust. Pure. */
import type { X509Certificate } from 'node:crypto'
import { isSelfSigned } from '../../../shared/tls/unreadable-key.ts'
import { validTo } from '../../../shared/tls/validity.ts'
import { formatTime } from '../../text/format.ts'
import { type Anchor, isOfSameAuthority, isSame } from '../facts/certificate-path.ts'
import type { CertificateFacts, IssuerFacts, Trust } from '../facts/facts.ts'
import { shortName, subjectOf } from './certificate-names.ts'
import { deferralByTls } from './connector-deferral.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { explainOpenSslError } from './openssl-reasons.ts'

export function chainFindings(facts: CertificateFacts, at: Date): Finding[] {
  return [chainFinding(facts), rootFinding(facts, at), trustFinding(facts.trust, at)]
}

/** Checks that the presented chain is complete and in order (RFC 8446 §4.4.2). */
function chainFinding(facts: CertificateFacts): Finding {
  const { presented, path } = facts
  const countText = `${presented.length} certificate${presented.length === 1 ? '' : 's'}`
  if (facts.trust.trusted) return orderFinding(facts, countText)
  // A server need not send the root.
  const missing = path.steps
    .filter(({ origin, certificate }) => origin === 'Fetched' && !isSelfSigned(certificate))
    .map(({ certificate }) => certificate)
  if (missing.length > 0)
    return fail(
      'chain',
      `${countText}; ${quoted(missing)} missing${whereFound(missing, facts.issuers)}`,
      'Append the missing certificates to the certificate file of the server: few clients fetch them',
    )
  const top = path.steps.at(-1)?.certificate
  if (top && !path.anchor && !isSelfSigned(top)) return incompleteChainFinding(top, facts, countText)
  return orderFinding(facts, countText)
}

/** The chain ends below a root: either an intermediate certificate is missing, or the root is unknown. */
function incompleteChainFinding(
  top: X509Certificate,
  { presented, path }: CertificateFacts,
  countText: string,
): Finding {
  const subject = subjectOf(top)
  const issuer = shortName(top.issuer)
  const namesake = namesakeOf(top, presented)
  if (namesake)
    return fail(
      'chain',
      `${countText}; "${issuer}" is included, but ${namesake.ca ? `did not sign "${subject}"` : 'is not a certificate authority'}`,
      'The certificates do not belong together: install the chain from the certificate authority again',
    )
  const observation = `${countText}; "${issuer}", the issuer of "${subject}", is neither included nor in the trust store`
  const advice =
    'If the issuer is an intermediate authority, append its certificate on the server; if it is a root, see the line `root` below'
  return path.steps.length === 1 ? fail('chain', observation, advice) : warn('chain', observation, advice)
}

/** Finds a certificate with the issuer's name. It did not sign `top`, because the path would then continue with it. */
const namesakeOf = (top: X509Certificate, presented: readonly X509Certificate[]) =>
  presented.find((candidate) => !isSame(candidate, top) && top.checkIssued(candidate))

const maxNames = 4

function quoted(certificates: readonly X509Certificate[]): string {
  const names = [...new Set(certificates.map((certificate) => `"${subjectOf(certificate)}"`))]
  const omittedCount = names.length - maxNames
  return [...names.slice(0, maxNames), ...(omittedCount > 0 ? [`${omittedCount} more`] : [])].join(', ')
}

function whereFound(fetched: readonly X509Certificate[], issuers: readonly IssuerFacts[]): string {
  const urls = issuers.flatMap(({ url, result }) =>
    result.kind === 'Found' &&
    result.certificates.some((certificate) => fetched.some((missing) => isSame(missing, certificate)))
      ? [url]
      : [],
  )
  return urls.length === 0 ? '' : `; available at ${[...new Set(urls)].join(' and ')}`
}

function orderFinding({ presented, path }: CertificateFacts, countText: string): Finding {
  const usedCertificates = path.steps
    .filter(({ origin }) => origin === 'Presented')
    .map(({ certificate }) => certificate)
  const neededCertificates = path.anchor ? [...usedCertificates, path.anchor.certificate] : usedCertificates
  // Cross-certificates are fine: they serve clients that know only the older root.
  const unused = presented.filter(
    (certificate) => !neededCertificates.some((needed) => isOfSameAuthority(needed, certificate)),
  )
  const positions = usedCertificates.map((used) =>
    presented.findIndex((certificate) => isSame(certificate, used)),
  )
  const inOrder = positions.every((position, index) => index === 0 || position > (positions[index - 1] ?? 0))
  if (!inOrder)
    return warn(
      'chain',
      `${countText}, complete, but not in order: ${quoted(presented)}`,
      'Put each issuer directly after the certificate that it issued (RFC 8446 §4.4.2): old clients rely on the order',
    )
  if (unused.length > 0)
    return warn(
      'chain',
      `${countText}, complete; not needed: ${quoted(unused)}`,
      'Remove what is not needed, unless old clients use it for another path to a root',
    )
  return ok('chain', `${countText}, complete and in order`)
}

/** Where private authorities are configured. */
const privateRootAdvice = '(--ca in this command, certificateAuthorities in the connector)'

function rootFinding({ presented, path, trust }: CertificateFacts, at: Date): Finding {
  const { anchor, steps } = path
  if (anchor) return anchorFinding(anchor, at)
  // OpenSSL finds more paths than certificate-path.ts.
  if (trust.trusted) return ok('root', 'OpenSSL found a root in the trust store')
  const top = steps.at(-1)?.certificate
  if (top && isSelfSigned(top) && steps.length === 1)
    return fail(
      'root',
      'the certificate is self-signed',
      `Use a certificate of an authority that both sides trust, or trust this certificate ${privateRootAdvice}`,
    )
  const isBroken = top !== undefined && namesakeOf(top, presented) !== undefined
  if (top && !isSelfSigned(top) && (isBroken || steps.length === 1))
    return fail(
      'root',
      `no root was reached: the chain ends at "${subjectOf(top)}"`,
      isBroken
        ? 'See the line `chain` above'
        : `See the line \`chain\` above; if "${shortName(top.issuer)}" is a root that you trust, add its certificate ${privateRootAdvice}`,
    )
  const name = top && isSelfSigned(top) ? subjectOf(top) : shortName(top?.issuer)
  return fail(
    'root',
    `"${name}" is not in the trust store`,
    `If you trust that authority, add its root certificate ${privateRootAdvice}; else use a certificate of a public authority`,
  )
}

function anchorFinding({ certificate, store, isTrustedByDeployment }: Anchor, at: Date): Finding {
  const observation = `"${subjectOf(certificate)}" is in the trust store (${store})`
  if (validTo(certificate) < at)
    return fail(
      'root',
      `${observation}, but expired on ${formatTime(validTo(certificate).toISOString())}`,
      'Ask the authority for its new root, and for a certificate issued under it',
    )
  return isTrustedByDeployment
    ? ok('root', observation)
    : warn(
        'root',
        observation,
        'Only this machine trusts the root: add it to certificateAuthorities of the connector, because deliveries trust only the public roots',
      )
}

function trustFinding(trust: Trust, at: Date): Finding {
  if (trust.trusted)
    return ok(
      'trust',
      trust.tls
        ? 'OpenSSL trusts the chain; so does a delivery that trusts this root'
        : 'the chain is trusted',
    )
  const { text, advice } = explainOpenSslError(trust.error)
  const observation = `${text} (${trust.error ?? 'no reason given'})`
  return fail('trust', `${observation}${deferralByTls('CertificateValidation', [], trust, at)}`, advice)
}
