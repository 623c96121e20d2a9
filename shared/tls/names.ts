/**
 * Matches names in certificates. The attack: a valid certificate for a name that only resembles the partner's. The
 * defence: the rules of RFC 9525: whole labels, `*` only as the complete leftmost label and for one label, dNSName
 * entries only. The subject's CN is used if there is no alternative name, as Exchange still allows.
 */
import type { X509Certificate } from 'node:crypto'
import { normaliseDomainPattern } from '../mail/domain.ts'

export interface CertificateNames {
  subjectAltNames: readonly string[]
  commonName: string | null
}

/** More characters than any host name with a wildcard, so that a cut name never matches one. */
export const maxNameLength = 300

/**
 * The dNSName entries of Node's text, `DNS:a.example, IP Address:192.0.2.1, DNS:"odd, value"`. Node quotes entries with
 * separators in them, so a quoted text is one entry, and never a host name.
 */
export function dnsNames(subjectAltName: string): string[] {
  const entries = subjectAltName.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g)
  return [...entries].flatMap(([, kind, value]) => (kind === 'DNS' && value ? [value] : []))
}

/**
 * The subject's common name. It is used as the host name if the certificate has no alternative names. Null if there are
 * alternative names without a host name among them: an S/MIME certificate may bear any common name. Of several common
 * names the last is returned, which is the most specific.
 */
export function commonNameOf(certificate: X509Certificate): string | null {
  const alternatives = certificate.subjectAltName
  if (alternatives !== undefined && dnsNames(alternatives).length === 0) return null
  const names = (certificate.subject ?? '').split('\n').filter((part) => part.startsWith('CN='))
  return names.at(-1)?.slice('CN='.length, maxNameLength).toWellFormed() ?? null
}

/** A dNSName is an IA5String of A-labels (RFC 5280 §4.2.1.6). */
const dnsName = /^[A-Za-z0-9*_.-]+$/

/**
 * The certificate's host names in comparable form; other names are left out. So are names that end in a dot: OpenSSL
 * compares them with the dot, so they escape the name constraints of a CA (RFC 5280 §4.2.1.10).
 */
export function presentedNames({ subjectAltNames, commonName }: CertificateNames): string[] {
  const names = subjectAltNames.length > 0 ? subjectAltNames : commonName === null ? [] : [commonName]
  return names
    .filter((name) => dnsName.test(name) && !name.endsWith('.'))
    .map(normaliseDomainPattern)
    .filter((name): name is string => name !== null && name !== '*')
}

/**
 * Whether a certificate's name matches an expected name. Either may begin with `*.`. The presented names
 * `mail.example.com` and `*.example.com` match an expected `*.example.com`; `a.b.example.com` does not. A presented
 * `*.example.com` matches an expected `mail.example.com`.
 */
export function certificateNameMatches(presented: string, expected: string): boolean {
  if (presented === expected) return true
  if (presented.startsWith('*.') === expected.startsWith('*.')) return false
  const [wildcard, name] = presented.startsWith('*.') ? [presented, expected] : [expected, presented]
  return name.slice(name.indexOf('.')) === wildcard.slice(1)
}

export function certificateHasName(certificate: CertificateNames, expected: readonly string[]): boolean {
  return anyNameMatches(presentedNames(certificate), expected)
}

/** @param presented in comparable form, from presentedNames */
export function anyNameMatches(presented: readonly string[], expected: readonly string[]): boolean {
  return presented.some((name) => expected.some((expectedName) => certificateNameMatches(name, expectedName)))
}
