import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { ServedCertificates } from '../../../../functions/smtp-ingress/tls/served-certificates.ts'
import type { CertificatesAndKeys } from '../../../../shared/tls/certificate-choice.ts'
import { createPki, daysFromNow, type Identity } from '../../../support/pki.ts'

const pki = await createPki()
const names = ['mx.ours.example']
const [first, second, wrongName, expired, small] = await Promise.all([
  pki.issue({ names, commonName: 'one' }),
  pki.issue({ names, commonName: 'two' }),
  pki.issue({ names: ['mail.ours.example'], commonName: 'wrong' }),
  pki.issue({ names, commonName: 'over', notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
  pki.issue({ names, commonName: 'small', rsa: 1024 }),
])
const pairOf = ({ cert, key }: Identity) => ({ certificate: cert, privateKey: key })
const text = (current: Identity, more: object = {}) => JSON.stringify({ ...pairOf(current), ...more })
const in7Days = daysFromNow(7).toISOString()

/** @param secret whose text is read each time; an Error is thrown */
async function open(secret: { text: string | Error }, now = () => new Date()) {
  const metrics = new Metrics()
  const logged: { level: string; message: string; [field: string]: unknown }[] = []
  const usedCertificates: CertificatesAndKeys[] = []
  const served = await ServedCertificates.open({
    async read() {
      if (secret.text instanceof Error) throw secret.text
      return secret.text
    },
    hostname: 'mx.ours.example',
    readIntervalMs: 3_600_000,
    metrics,
    log: (level, message, fields) => void logged.push({ level, message, ...fields }),
    now,
  })
  const isUsed = ({ cert }: Identity) => usedCertificates.at(-1)?.certificate === cert
  const counts = () => Object.fromEntries(metrics.take().map(({ metric, count }) => [metric, count]))
  return {
    served,
    logged,
    usedCertificates,
    isUsed,
    counts,
    begin: () => served.begin({ use: (it) => void usedCertificates.push(it) }),
  }
}

test('the certificate of the secret is served; a new current certificate is served from the next read', async () => {
  const secret = { text: text(first) }
  const { served, usedCertificates, isUsed, logged, begin } = await open(secret)
  assert.equal(served.served.certificate, first.cert)
  begin()
  await served.refresh()
  assert.equal(usedCertificates.length, 0)
  secret.text = text(second)
  await served.refresh()
  assert.ok(isUsed(second))
  assert.equal(logged.at(-1)?.message, 'certificates switched: new sessions use these')
  served.stop()
})

const readFaults: [string, string | Error][] = [
  ['Secrets Manager does not respond', new Error('timed out')],
  ['the secret is not JSON', text(second).slice(0, -1)],
  ['the secret lacks a key', JSON.stringify({ certificate: second.cert })],
]

for (const [description, fault] of readFaults)
  test(`when ${description}, the served certificate stays, and this is logged and counted; the next read succeeds`, async () => {
    const secret: { text: string | Error } = { text: text(first) }
    const { served, usedCertificates, isUsed, logged, counts, begin } = await open(secret)
    begin()
    secret.text = fault
    await served.refresh()
    assert.equal(usedCertificates.length, 0)
    assert.equal(logged.at(-1)?.message, 'certificates cannot be read: the previous ones stay in use')
    assert.deepEqual(counts(), { CertificateReadsFailed: 1 })
    secret.text = text(second)
    await served.refresh()
    assert.ok(isUsed(second))
    served.stop()
  })

const refusals: [string, () => string, string][] = [
  ['a current certificate for another name', () => text(wrongName), 'Name'],
  ['an expired current certificate', () => text(expired), 'Expired'],
  ['a current certificate with another key', () => text({ cert: second.cert, key: first.key }), 'Unusable'],
  [
    'a next certificate for another name',
    () => text(first, { next: { ...pairOf(wrongName), servedFrom: in7Days } }),
    'Name',
  ],
  ['a next certificate without a date', () => text(first, { next: pairOf(second) }), 'Unusable'],
]

for (const [description, createText, reason] of refusals)
  test(`${description} is refused: the served certificate stays, and the refusal is logged once and counted at every read`, async () => {
    const secret = { text: text(first) }
    const { served, usedCertificates, logged, counts, begin } = await open(secret)
    begin()
    secret.text = createText()
    await served.refresh()
    await served.refresh()
    assert.equal(usedCertificates.length, 0)
    const errors = logged.filter(({ level }) => level === 'error')
    assert.deepEqual(
      errors.map(({ message, reason }) => [message, reason]),
      [['certificates are refused: the previous ones stay in use', reason]],
    )
    assert.deepEqual(counts(), { CertificatesRefused: 2 })
    assert.doesNotMatch(JSON.stringify(logged), /PRIVATE KEY|MII|MIG/)
    served.stop()
  })

/** Simulates time. @returns a function that returns the time this many milliseconds from now */
function simulatedClock(context: TestContext): (milliseconds: number) => string {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() })
  return (milliseconds) => new Date(Date.now() + milliseconds).toISOString()
}

test('the next certificate is served from its date, even when the secret cannot be read by then', async (context) => {
  const servedFrom = simulatedClock(context)(300)
  const secret: { text: string | Error } = { text: text(first, { next: { ...pairOf(second), servedFrom } }) }
  const { served, usedCertificates, isUsed, begin } = await open(secret)
  begin()
  secret.text = new Error('away')
  await served.refresh()
  context.mock.timers.tick(299)
  assert.equal(usedCertificates.length, 0)
  context.mock.timers.tick(1)
  assert.ok(isUsed(second))
  // The next certificate becomes the current certificate of the secret; it is already served, so nothing changes.
  secret.text = text(second)
  await served.refresh()
  assert.equal(usedCertificates.length, 1)
  served.stop()
})

for (const early of [1, 2, 3, 4, 5])
  test(`the next certificate is served although its date passes at reading ${early} of the clock`, async (context) => {
    const servedFrom = simulatedClock(context)(early)
    const started = Date.now()
    let readings = 0
    const secret = { text: text(first, { next: { ...pairOf(second), servedFrom } }) }
    const { served, isUsed, begin } = await open(secret, () => new Date(started + readings++))
    begin()
    context.mock.timers.tick(early)
    context.mock.timers.tick(early)
    assert.ok(isUsed(second))
    served.stop()
  })

test('a next certificate that was removed from the secret is not served', async (context) => {
  const servedFrom = simulatedClock(context)(200)
  const secret = { text: text(first, { next: { ...pairOf(second), servedFrom } }) }
  const { served, usedCertificates, begin } = await open(secret)
  begin()
  secret.text = text(first)
  await served.refresh()
  context.mock.timers.tick(300)
  assert.equal(usedCertificates.length, 0)
  served.stop()
})

test('at the start an expired certificate is served and logged, because without a certificate no mail would arrive', async () => {
  const { served, logged, counts, begin } = await open({ text: text(expired) })
  begin()
  assert.equal(served.served.certificate, expired.cert)
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error').map(({ message, reason }) => [message, reason]),
    [['certificates are faulty but served, because there are no others', 'Expired']],
  )
  assert.deepEqual(counts(), { CertificatesRefused: 1 })
  served.stop()
})

test('in place of an expired certificate, one for another name is served, but not one with another key', async () => {
  const secret = { text: text(expired) }
  const { served, usedCertificates, logged, begin } = await open(secret)
  begin()
  for (const [current, message] of [
    [wrongName, 'certificates are faulty but served, because there are no others'],
    [first, 'certificates switched: new sessions use these'],
  ] as const) {
    secret.text = text(current)
    await served.refresh()
    assert.equal(usedCertificates.at(-1)?.certificate, current.cert)
    assert.equal(logged.at(-1)?.message, message)
  }
  secret.text = text({ cert: second.cert, key: first.key })
  await served.refresh()
  assert.equal(usedCertificates.length, 2)
  served.stop()
})

test('a next certificate whose date passes between open and begin is served from begin', async (context) => {
  const servedFrom = simulatedClock(context)(100)
  const { served, isUsed, begin } = await open({
    text: text(first, { next: { ...pairOf(second), servedFrom } }),
  })
  assert.equal(served.served.certificate, first.cert)
  context.mock.timers.tick(100)
  begin()
  assert.ok(isUsed(second))
  served.stop()
})

test('at the start the next certificate is served when the current one has expired', async () => {
  const { served } = await open({
    text: text(expired, { next: { ...pairOf(second), servedFrom: in7Days } }),
  })
  assert.equal(served.served.certificate, second.cert)
})

test('a next certificate that OpenSSL rejects is refused at a start after its date, and the current one is served', async () => {
  const servedFrom = new Date(Date.now() - 1000).toISOString()
  const secret = { text: text(first, { next: { ...pairOf(small), servedFrom } }) }
  const { served, usedCertificates, logged, begin } = await open(secret)
  begin()
  assert.equal(served.served.certificate, first.cert)
  await served.refresh()
  assert.equal(usedCertificates.length, 0)
  assert.deepEqual(
    logged.filter(({ level }) => level === 'error').map(({ certificates, reason }) => [certificates, reason]),
    [['Next', 'Unusable']],
  )
  served.stop()
})

const startFailures: [string, string | Error, RegExp][] = [
  ['the secret cannot be read', new Error('Secrets Manager is away'), /^Secrets Manager is away$/],
  [
    'the key belongs to another certificate',
    text({ cert: second.cert, key: first.key }),
    /^certificates of the secret cannot be served: certificate: no certificate matches key 1 \(EC\) in privateKey$/,
  ],
  ['the secret is not JSON', 'x', /^the secret is not JSON$/],
]

for (const [description, secret, message] of startFailures)
  test(`ServedCertificates.open rejects when ${description}`, async () => {
    await assert.rejects(open({ text: secret }), { message })
  })
