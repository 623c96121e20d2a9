import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewObservation, Observation } from '../../../../shared/tls/observed/observation.ts'
import { addObservation } from '../../../../shared/tls/observed/observe.ts'
import { minutesLater, receivedAt } from '../../../support/fixtures.ts'
import { newObservation, observedCertificate } from '../../../support/observed.ts'

/** Applies the observations in order. */
function observeAll(...newObservations: NewObservation[]) {
  let observation: Observation | null = null
  const changes: string[] = []
  for (const one of newObservations) {
    const update = addObservation(observation, one)
    if (update === null) changes.push('not stored')
    else {
      observation = update.observation
      changes.push(update.change === null ? 'stored' : update.change.what.join('+'))
    }
  }
  return { observation: observation as Observation | null, changes }
}

const hours = (count: number): Date => minutesLater(count * 60)
const a = observedCertificate('a')

test('the first certificate of an endpoint is stored, and is no change', () => {
  const { observation, changes } = observeAll(newObservation(a, receivedAt))
  assert.deepEqual(changes, ['stored'])
  assert.deepEqual(observation?.changes, [])
  const at = receivedAt.toISOString()
  assert.deepEqual(observation?.certificates, [
    { ...a, verifiedBy: 'Connector', facts: null, firstSeen: at, lastSeen: at },
  ])
})

test('an observation of a certificate within an hour of the last stored one is not stored; a later observation is', () => {
  const { observation, changes } = observeAll(
    newObservation(a, receivedAt),
    newObservation(a, minutesLater(59)),
    newObservation(a, minutesLater(60)),
  )
  assert.deepEqual(changes, ['stored', 'not stored', 'stored'])
  const [only, ...others] = observation?.certificates ?? []
  assert.deepEqual([only?.firstSeen, only?.lastSeen], [receivedAt.toISOString(), hours(1).toISOString()])
  assert.deepEqual(others, [])
})

const issuer = 'CN=Issuer Two'
for (const [difference, next, expected] of [
  ['renewed with the same key', { publicKeyFingerprint256: a.publicKeyFingerprint256 }, 'Certificate'],
  ['with another key', {}, 'Key'],
  ['with another issuer', { issuer, publicKeyFingerprint256: a.publicKeyFingerprint256 }, 'Issuer'],
  ['with another issuer and key', { issuer }, 'Issuer+Key'],
  ['with an unreadable key', { keyType: null, publicKeyFingerprint256: null }, 'Certificate'],
] as const)
  test(`the next certificate of an endpoint, ${difference}, is the change ${expected}`, () => {
    const b = observedCertificate('b', next)
    const { observation, changes } = observeAll(newObservation(a, receivedAt), newObservation(b, hours(1)))
    assert.deepEqual(changes, ['stored', expected])
    const [change] = observation?.changes ?? []
    assert.equal(change?.at, hours(1).toISOString())
    assert.deepEqual(
      [change?.from.fingerprint256, change?.to.fingerprint256],
      [a.fingerprint256, b.fingerprint256],
    )
    assert.deepEqual(
      observation?.certificates.map(({ fingerprint256 }) => fingerprint256),
      [b.fingerprint256, a.fingerprint256],
    )
  })

test('two certificates that alternate at one endpoint cause one change, not one per observation', () => {
  const b = observedCertificate('b')
  const { changes } = observeAll(
    ...[0, 1, 2, 3, 4, 5].map((hour) => newObservation(hour % 2 === 0 ? a : b, hours(hour * 2))),
  )
  assert.deepEqual(changes, ['stored', 'Key', 'stored', 'stored', 'stored', 'stored'])
})

test('of an endpoint, the latest six certificates and five changes are stored', () => {
  const { observation } = observeAll(
    ...[...'0123456789'].map((letter, index) => newObservation(observedCertificate(letter), hours(index))),
  )
  assert.deepEqual(
    observation?.certificates.map(({ fingerprint256 }) => fingerprint256.charAt(0)).join(''),
    '987654',
  )
  assert.deepEqual(observation?.changes.map(({ to }) => to.fingerprint256.charAt(0)).join(''), '98765')
})

test('an observation that is stored after a later one keeps its own time, and causes no change', () => {
  const { observation, changes } = observeAll(
    newObservation(observedCertificate('b'), hours(5)),
    newObservation(a, hours(1)),
  )
  assert.deepEqual(changes, ['stored', 'stored'])
  assert.deepEqual(
    observation?.certificates.map(({ lastSeen }) => lastSeen),
    [hours(5).toISOString(), hours(1).toISOString()],
  )
})

test("the ingress's certificates of two key types do not replace each other", () => {
  const ingress = { kind: 'Own' as const, connector: null, domain: null, host: 'mx.ours.example' }
  const rsa = observedCertificate('b', { keyType: 'RSA' })
  const renewed = observedCertificate('c', { keyType: 'RSA' })
  const { observation, changes } = observeAll(
    newObservation(a, hours(0), ingress),
    newObservation(rsa, hours(0), ingress),
    newObservation(a, hours(24), ingress),
    newObservation(renewed, hours(24), ingress),
  )
  assert.deepEqual(changes, ['stored', 'stored', 'stored', 'Key'])
  assert.equal(observation?.changes[0]?.from.fingerprint256, rsa.fingerprint256)
})
