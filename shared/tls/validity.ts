/**
 * Between which instants a certificate is valid. OpenSSL reads certificates whose dates are none. Of such a one
 * Node's `validFromDate` and `validToDate` are whatever was in memory, so they count only where the text says that
 * there is a date.
 */
import type { X509Certificate } from 'node:crypto'

type Dates = Pick<X509Certificate, 'validFrom' | 'validFromDate' | 'validTo' | 'validToDate'>

/** @returns an invalid Date when there is none: it is neither before nor after anything, and has no ISO form */
export const validFrom = (certificate: Dates): Date =>
  orNone(certificate.validFrom, certificate.validFromDate)

/** @returns as validFrom */
export const validTo = (certificate: Dates): Date => orNone(certificate.validTo, certificate.validToDate)

export const hasDates = (certificate: Dates): boolean =>
  !Number.isNaN(validFrom(certificate).getTime() + validTo(certificate).getTime())

/** What OpenSSL's ASN1_TIME_print writes for a date that is none. */
const none = 'Bad time value'

const orNone = (text: string, date: Date): Date => (text.startsWith(none) ? new Date(Number.NaN) : date)
