/** Names of certificates and issuers in findings. Pure. */
import type { X509Certificate } from 'node:crypto'
import { printable } from '../../text/format.ts'

/** Returns a name that is short enough for the beginning of a line. */
export function subjectOf(certificate: X509Certificate): string {
  return (
    shortName(certificate.subject) || (certificate.subjectAltName ?? '').slice(0, maxNameLength) || 'no name'
  )
}

/** Limit in characters. */
const maxNameLength = 80

/** Returns the common name, else the whole name in one line. */
export function shortName(name: string | undefined): string {
  const parts = (name ?? '').split('\n')
  const common = parts.findLast((part) => part.startsWith('CN='))?.slice('CN='.length)
  return printable(common ?? parts.join(', '))
    .slice(0, maxNameLength)
    .toWellFormed()
}

export const wholeName = (name: string | undefined): string =>
  printable((name ?? '').replaceAll('\n', ', '))
    .slice(0, 255)
    .toWellFormed() || 'an empty name'
