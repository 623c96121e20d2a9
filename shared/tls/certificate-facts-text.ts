/** Writes the facts of a client certificate at a connector for administrators. Pure. */
import type { CertificateFacts, CertificateSummary } from '../contract/certificate.ts'

/** One clause for each fact, such as `issued by the connector's authority, under another name`. */
export function factsSummary(facts: CertificateFacts): string {
  const { pinned, validity, clientAuth, revocation } = facts
  return [
    issuerSummary(facts),
    nameSummary(facts),
    ...(validity === 'Valid' ? [] : [validity === 'Expired' ? 'expired' : 'not valid yet']),
    ...(clientAuth === false ? ['not for client authentication'] : []),
    ...(revocation === 'Revoked' ? ['revoked'] : []),
    ...(pinned ? ['pinned'] : []),
  ].join(', ')
}

function issuerSummary({
  issuedByConnectorAuthority,
  issuedByPublicRoot,
  trustFault,
}: CertificateFacts): string {
  if (issuedByConnectorAuthority) {
    if (trustFault !== null) return "issued by the connector's authority but not trusted"
    return `issued by the connector's authority${issuedByPublicRoot ? ' and by a public root' : ''}`
  }
  if (issuedByConnectorAuthority === false)
    return `not issued by the connector's authority${issuedByPublicRoot ? ' but by a public root' : ''}`
  if (issuedByPublicRoot === null) return 'issuer not verified'
  return issuedByPublicRoot ? 'issued by a public root' : 'not issued by a public root'
}

function nameSummary({ nameListed, nameInSenderDomains }: CertificateFacts): string {
  if (nameListed) return 'under a listed name'
  const name = nameListed === null ? 'under a name' : 'under another name'
  if (nameInSenderDomains === null) return name
  return `${name} ${nameInSenderDomains ? 'in' : 'outside'} the sender domains`
}

/** One row for each fact, for notices: what it is about, and the fact. */
export function factRows(
  facts: CertificateFacts,
  { notBefore, notAfter }: Pick<CertificateSummary, 'notBefore' | 'notAfter'>,
): [string, string][] {
  const { pinned, clientAuth, revocation, validity } = facts
  return [
    ['Issuer', issuerText(facts)],
    ['Name', nameText(facts)],
    ['Dates', datesText(validity, notBefore, notAfter)],
    ['Revocation', revocation === null ? 'not checked' : revocationTexts[revocation]],
    ...(clientAuth === null
      ? []
      : [['Purpose', `${clientAuth ? '' : 'not '}for client authentication`] as [string, string]]),
    ['Fingerprint', pinned ? 'pinned' : 'not pinned'],
  ]
}

const publicRootText = 'anyone can get a certificate under a public root for a domain of their own'

function issuerText({
  issuedByConnectorAuthority,
  issuedByPublicRoot,
  trustFault,
}: CertificateFacts): string {
  if (issuedByConnectorAuthority) {
    if (trustFault !== null) return `the connector's own authority, but not trusted: ${trustFault}`
    return `the connector's own authority${issuedByPublicRoot ? `, and also a public root: ${publicRootText}` : ''}`
  }
  const fault = trustFault === null ? '' : ` (${trustFault})`
  if (issuedByConnectorAuthority === false)
    return issuedByPublicRoot
      ? `a public root, and not the connector's own authority: ${publicRootText}`
      : `not the connector's own authority${fault}: anyone can create such a certificate`
  if (issuedByPublicRoot) return `a public root: ${publicRootText}`
  return issuedByPublicRoot === null
    ? `not verified, because a certificate of the chain is outside its dates: anyone can create such a certificate`
    : `no public root${fault}: anyone can create such a certificate`
}

function nameText({ nameListed, nameInSenderDomains }: CertificateFacts): string {
  if (nameListed) return 'one that the connector lists'
  const name = nameListed === null ? 'the connector lists no names' : 'none that the connector lists'
  if (nameInSenderDomains === null) return `${name}; the connector is for every sender domain`
  return `${name}; ${nameInSenderDomains ? 'one' : 'none'} is in its sender domains`
}

function datesText(validity: CertificateFacts['validity'], notBefore: string, notAfter: string): string {
  if (validity === 'Valid') return 'valid'
  return validity === 'Expired' ? `expired on ${notAfter}` : `not valid before ${notBefore}`
}

const revocationTexts = { Good: 'not revoked', Revoked: 'revoked', Unknown: 'undetermined' } as const
