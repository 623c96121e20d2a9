/**
 * A client's certificate in a few lines, for people. The attack: a certificate is its owner's own words, and a
 * subject with line breaks or writing directions of its own could forge what a mail or a terminal says around it.
 * The defence: what is no visible character becomes `?`, and everything is bounded. Its limit: visible words stay.
 */
import type { CertificateSummary } from '../contract/certificate.ts'
import type { ClientCertificate } from '../contract/message.ts'

const maximumNames = 20
const maximumName = 255

/** Controls, formats such as a change of direction, surrogates, what is unassigned; separators of lines. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu

export const visible = (text: string): string => text.replace(invisible, '?')

export function summaryOf(certificate: ClientCertificate): CertificateSummary {
  const { subject, issuer, subjectAltNames, serial, fingerprint256, notBefore, notAfter } = certificate
  return {
    subject: bounded(subject),
    issuer: bounded(issuer),
    subjectAltNames: subjectAltNames.slice(0, maximumNames).map(bounded),
    serial: bounded(serial),
    fingerprint256,
    notBefore,
    notAfter,
  }
}

const bounded = (text: string): string => visible(text.slice(0, maximumName))
