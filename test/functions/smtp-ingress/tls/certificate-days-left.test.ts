import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishDaysLeft } from '../../../../functions/smtp-ingress/tls/certificate-days-left.ts'
import { createTlsService } from '../../../../functions/smtp-ingress/tls/tls-service.ts'
import { createPki, daysFromNow } from '../../../support/pki.ts'

const day = 86_400_000

test('publishDaysLeft writes CertificateDaysLeft every minute until it is stopped', (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 0 })
  const published: unknown[] = []
  const expires = new Date(2 * day)
  const write = (line: string) => void published.push(JSON.parse(line).CertificateDaysLeft)
  const stop = publishDaysLeft({ expiresAt: () => expires, write, now: () => new Date() })
  t.mock.timers.tick(120_000)
  assert.deepEqual(published, [1, 1])
  t.mock.timers.tick(2 * day)
  assert.equal(published.at(-1), -1)
  stop()
  const { length } = published
  t.mock.timers.tick(day)
  assert.equal(published.length, length)
})

test('expiresAt of the TLS service is the earlier expiry of its two certificates', async () => {
  const pki = await createPki()
  const [ec, rsa] = await Promise.all([
    pki.issue({ names: ['mx.ours.example'], notAfter: daysFromNow(90) }),
    pki.issue({ names: ['mx.ours.example'], notAfter: daysFromNow(20), rsa: true }),
  ])
  const { expiresAt: expires } = createTlsService({
    privateKey: `${ec.key}\n${rsa.key}`,
    certificate: `${ec.cert}\n${rsa.cert}`,
    now: () => new Date(),
  })
  assert.ok(Math.abs(expires.getTime() - daysFromNow(20).getTime()) < 5000)
})
