import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { hasDates, validFrom, validTo } from '../../../shared/tls/validity.ts'
import { createPki, daysFromNow, withoutDates } from '../../support/pki.ts'

const { ca } = await createPki()

test('validFrom and validTo return the dates of a certificate', () => {
  const certificate = new X509Certificate(ca)
  assert.ok(hasDates(certificate))
  assert.deepEqual(
    [validFrom(certificate), validTo(certificate)],
    [certificate.validFrom, certificate.validTo].map((text) => new Date(text)),
  )
})

test('a certificate whose notBefore is invalid has no dates, and validFrom is an invalid date', () => {
  const certificate = new X509Certificate(withoutDates(ca))
  assert.match(certificate.validFrom, /^Bad time value/)
  assert.ok(!hasDates(certificate))
  assert.throws(() => validFrom(certificate).toISOString(), RangeError)
  assert.ok(validTo(certificate) > daysFromNow(0), 'the other date stays valid')
})

test('an invalid date is recognised by its text, although Node returns any date for it', () => {
  const { validTo: text, validToDate } = new X509Certificate(ca)
  const found = { validFrom: 'Bad time value', validFromDate: daysFromNow(-1), validTo: text, validToDate }
  assert.ok(!hasDates(found))
  assert.ok(!(validFrom(found) <= daysFromNow(0)))
  assert.ok(
    !hasDates({ validFrom: text, validFromDate: validToDate, validTo: 'Bad time value', validToDate }),
  )
})
