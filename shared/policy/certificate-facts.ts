/**
 * Lists what is true of a client certificate at a connector. An administrator must distinguish a certificate from the
 * connector's own authority from one under the public roots, which anyone can get for a domain of their own. The
 * attack: a chain below an ordinary certificate of the authority, or under an authority with the same name. The
 * defence: the path is checked like that of an accepted certificate, except for its dates.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { CertificateFacts } from '../contract/certificate.ts'
import type { ClientCertificate } from '../contract/message.ts'
import { replaceInvisible } from '../mail/peer-text.ts'
import { chainFault } from '../tls/chain.ts'
import { mailPurposes } from '../tls/purpose.ts'
import {
  dateErrorCodes,
  hasName,
  isForPurpose,
  isPinned,
  type PresentedCertificate,
  trustFaultOf,
} from './client-certificate.ts'

/** In characters. */
const maxFaultLength = 300

export function certificateFacts(
  connector: InboundConnector,
  presented: PresentedCertificate,
): CertificateFacts {
  const { certificate } = presented
  const { certificateAuthorities: authorities, tlsSenderCertificateNames: expected } = connector
  const trustFault = trustFaultOf(connector, presented)
  return {
    pinned: isPinned(connector, presented),
    issuedByConnectorAuthority:
      authorities.length === 0
        ? null
        : chainFault(mailPurposes, certificate.chain, authorities, null) === null,
    issuedByPublicRoot: isIssuedByPublicRoot(certificate),
    trustFault: trustFault && replaceInvisible(trustFault).slice(0, maxFaultLength),
    nameListed: expected.length === 0 ? null : hasName(connector, presented),
    nameInSenderDomains: isInSenderDomains(connector, presented),
    validity: validityOf(presented),
    clientAuth: connector.requireClientAuthEku ? isForPurpose(connector, presented) : null,
    revocation: certificate.revocation?.status ?? null,
  }
}

/**
 * @param names in comparable form
 * @param domains as in `senderDomains`; nothing is within `*`, because `replace` leaves `*` unchanged, and no name ends
 * with `.*`
 */
export const namesInDomains = (names: readonly string[], domains: readonly string[]): string[] =>
  names.filter((name) => domains.some((domain) => `.${name}`.endsWith(`.${domain.replace('*.', '')}`)))

function isInSenderDomains(
  { senderDomains }: InboundConnector,
  { names }: PresentedCertificate,
): boolean | null {
  if (namesInDomains(names, senderDomains).length > 0) return true
  return senderDomains.includes('*') ? null : false
}

/** Node reports OpenSSL's last error only, so an error of dates may have replaced that of a self-signed certificate. */
const isIssuedByPublicRoot = ({ trusted, trustError }: ClientCertificate): boolean | null =>
  trusted || (dateErrorCodes.has(trustError ?? '') ? null : false)

function validityOf({ certificate, at }: PresentedCertificate): CertificateFacts['validity'] {
  if (at > new Date(certificate.notAfter)) return 'Expired'
  return at < new Date(certificate.notBefore) ? 'NotYetValid' : 'Valid'
}
