/**
 * Reads a certificate's validity. OpenSSL accepts certificates with invalid dates, for which Node's `validFromDate` and
 * `validToDate` hold uninitialised memory. So a date is used only if the text form contains a date.
 */
import type { X509Certificate } from 'node:crypto'

type Dates = Pick<X509Certificate, 'validFrom' | 'validFromDate' | 'validTo' | 'validToDate'>

/**
 * @returns an invalid Date if the certificate's date is invalid: comparisons are false, toISOString throws RangeError
 */
export const validFrom = (certificate: Dates): Date =>
  dateOrInvalid(certificate.validFrom, certificate.validFromDate)

/** @returns an invalid Date if the certificate's date is invalid, as validFrom does */
export const validTo = (certificate: Dates): Date =>
  dateOrInvalid(certificate.validTo, certificate.validToDate)

export const hasDates = (certificate: Dates): boolean =>
  !Number.isNaN(validFrom(certificate).getTime() + validTo(certificate).getTime())

/** OpenSSL's ASN1_TIME_print writes this for an invalid date. */
const invalidDateText = 'Bad time value'

const dateOrInvalid = (text: string, date: Date): Date =>
  text.startsWith(invalidDateText) ? new Date(Number.NaN) : date
