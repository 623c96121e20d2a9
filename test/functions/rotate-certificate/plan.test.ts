import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { type Facts, planRotation } from '../../../functions/rotate-certificate/plan.ts'
import type { IngressCertificates } from '../../../shared/contract/certificates.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { createPki, daysFromNow, type Identity } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const names = [hostname]
const now = new Date()
const day = 86_400_000
const pki = await createPki()
const issue = (commonName: string, more: object = {}) =>
  pki.issue({ names, commonName, notBefore: daysFromNow(-2), notAfter: daysFromNow(60), ...more })
const [a, b, c, rsaA, rsaB, old, ending, wrong] = await Promise.all([
  issue('a'),
  issue('b', { notBefore: daysFromNow(-1) }),
  issue('c', { notBefore: daysFromNow(-1) }),
  issue('rsa a', { rsa: true }),
  issue('rsa b', { rsa: true, notBefore: daysFromNow(-1) }),
  issue('old', { notBefore: daysFromNow(-40) }),
  issue('ending', { notAfter: daysFromNow(3) }),
  issue('wrong', { names: ['mail.ours.example'] }),
])

const pairOf = (...identities: Identity[]) => ({
  certificate: identities.map(({ cert }) => cert).join('\n'),
  privateKey: identities.map(({ key }) => key).join('\n'),
})
const at = (days: number) => new Date(now.getTime() + days * day).toISOString()
const set = (
  current: Identity | Identity[],
  more: Partial<IngressCertificates> = {},
): IngressCertificates => ({
  ...pairOf(...[current].flat()),
  deprecated: [],
  ...more,
})
const publishedFor = (certificates: IngressCertificates, days = 0) =>
  describeCertificates(certificates, { hostname, now: new Date(at(days)) })

const plan = (facts: Partial<Facts>) =>
  planRotation({
    set: null,
    offer: null,
    hostname,
    now,
    noticeMs: 7 * day,
    published: null,
    tlsa: { kind: 'None' },
    ...facts,
  })

test('the plan fills an empty secret with the certificates of ACM, served from now', () => {
  const { set: filled, refused } = plan({ offer: pairOf(a, rsaA) })
  assert.deepEqual(filled, { ...pairOf(a, rsaA), servedFrom: at(0), deprecated: [] })
  assert.deepEqual(refused, [])
})

test('the plan throws for an empty secret when ACM offers no acceptable certificate', () => {
  assert.throws(() => plan({}), /^Error: the secret is empty, and there is no certificate to fill it with$/)
  assert.throws(
    () => plan({ offer: pairOf(wrong) }),
    /the certificate to fill it with is refused: CN=wrong .* is for mail\.ours/,
  )
})

test('the plan returns the same object when nothing changes', () => {
  for (const certificates of [set(a), set(a, { next: { ...pairOf(b), servedFrom: at(1) } })])
    for (const offer of [null, pairOf(a)])
      assert.equal(
        plan({ set: certificates, offer, published: publishedFor(certificates) }).set,
        certificates,
      )
})

test('a renewed certificate of ACM is announced, and served after the notice period', () => {
  const first = plan({ set: set(a), offer: pairOf(b) }).set
  assert.deepEqual(first, set(a, { next: { ...pairOf(b), servedFrom: at(7) } }))
  const before = plan({ set: first, offer: pairOf(b), now: new Date(at(6.99)) }).set
  assert.equal(before, first)
  assert.deepEqual(plan({ set: first, offer: pairOf(b), now: new Date(at(7)) }).set, {
    ...pairOf(b),
    servedFrom: at(7),
    next: null,
    deprecated: [{ certificate: a.cert, servedUntil: at(7) }],
  })
})

test('a renewed certificate is served immediately when the current one expires within the notice period', () => {
  const announced = plan({ set: set(ending), offer: pairOf(b) }).set
  assert.equal(announced.next?.servedFrom, at(0))
  const switched = plan({ set: announced, offer: pairOf(b) }).set
  assert.deepEqual([switched.certificate, switched.servedFrom], [b.cert, at(0)])
})

test('when ACM renews RSA after EC was announced, both are announced again for one later date', () => {
  const first = plan({ set: set([a, rsaA]), offer: pairOf(b, rsaA) }).set
  const second = plan({ set: first, offer: pairOf(b, rsaB), now: new Date(at(1)) }).set
  assert.deepEqual(second, set([a, rsaA], { next: { ...pairOf(b, rsaB), servedFrom: at(8) } }))
})

test('an older certificate of ACM does not undo a replacement by an administrator', () => {
  const certificates = set(b)
  assert.equal(plan({ set: certificates, offer: pairOf(old) }).set, certificates)
  assert.equal(plan({ set: certificates, offer: pairOf(old, rsaA) }).set, certificates)
})

test('a certificate of ACM for another name is refused, and the secret is unchanged', () => {
  const certificates = set(old)
  const { set: after, refused } = plan({ set: certificates, offer: pairOf(wrong) })
  assert.equal(after, certificates)
  assert.deepEqual(
    refused.map(({ certificates, reason }) => [certificates, reason]),
    [['Offered', 'Name']],
  )
})

test('a next certificate becomes current at its date; one for another name is refused and stays in the secret', () => {
  const good = plan({ set: set(a, { next: { ...pairOf(b), servedFrom: at(-1) } }) })
  assert.deepEqual([good.set.certificate, good.set.servedFrom, good.set.next], [b.cert, at(-1), null])
  const bad = set(a, { next: { ...pairOf(wrong), servedFrom: at(-1) } })
  const { set: after, refused } = plan({ set: bad })
  assert.equal(after, bad)
  assert.deepEqual(
    refused.map(({ certificates, reason }) => [certificates, reason]),
    [['Next', 'Name']],
  )
})

test('the next certificate becomes current before its date when the current certificate has expired', () => {
  const early = set(ending, { next: { ...pairOf(b), servedFrom: at(30) } })
  assert.equal(plan({ set: early, now: new Date(at(2)) }).set, early)
  const { servedFrom = '', deprecated } = plan({ set: early, now: new Date(at(4)) }).set
  assert.equal(Date.parse(servedFrom), new X509Certificate(ending.cert).validToDate.getTime())
  assert.equal(deprecated[0]?.certificate, ending.cert)
})

test('a published certificate that an administrator replaced in the secret becomes deprecated', () => {
  const published = publishedFor(set([a, rsaA], { servedFrom: at(-50) }), -1)
  const { set: after } = plan({ set: set([b, rsaA], { servedFrom: at(-50) }), published })
  assert.equal(after.servedFrom, at(0))
  assert.deepEqual(
    after.deprecated.map(({ servedUntil }) => servedUntil),
    [at(0)],
  )
  assert.equal(after.deprecated[0]?.certificate.replace(/\s/g, ''), a.cert.replace(/\s/g, ''))
  const again = plan({ set: after, published: publishedFor(after), now: new Date(at(1)) })
  assert.equal(again.set, after)
})

test('the switch to the next certificate at its date adds the old certificate to the deprecated ones once', () => {
  const announced = set(a, { next: { ...pairOf(b), servedFrom: at(1) } })
  const { set: after } = plan({ set: announced, published: publishedFor(announced), now: new Date(at(2)) })
  assert.deepEqual(after.deprecated, [{ certificate: a.cert, servedUntil: at(1) }])
})

test('the four latest deprecated certificates stay in the secret for 90 days; an unreadable one is removed', () => {
  const deprecated = [1, 2, 3, 4, 5].map((days) => ({ certificate: c.cert, servedUntil: at(-days) }))
  assert.deepEqual(plan({ set: set(a, { deprecated }) }).set.deprecated, deprecated.slice(0, 4))
  const two = [89.9, 90].map((days) => ({ certificate: c.cert, servedUntil: at(-days) }))
  assert.deepEqual(plan({ set: set(a, { deprecated: two }) }).set.deprecated, two.slice(0, 1))
  const unreadable = { certificate: '-----BEGIN CERTIFICATE-----', servedUntil: at(-1) }
  assert.deepEqual(plan({ set: set(a, { deprecated: [unreadable] }) }).set.deprecated, [])
})

test('a next certificate that OpenSSL rejects is refused at its date, and the current one stays', () => {
  const switchable = set(a, { next: { ...pairOf(b), servedFrom: at(-1) } })
  const checkWithOpenSsl = ({ certificate }: { certificate: string }) => {
    if (certificate === b.cert) throw new Error('ee key too small')
  }
  const { set: after, refused } = plan({ set: switchable, checkWithOpenSsl })
  assert.equal(after, switchable)
  assert.deepEqual(refused, [{ certificates: 'Next', reason: 'Unusable', detail: 'ee key too small' }])
})

test('an expired current certificate is reported as refused', () => {
  const { refused } = plan({ set: set(ending), now: new Date(at(4)) })
  assert.deepEqual(
    refused.map(({ certificates, reason }) => [certificates, reason]),
    [['Current', 'Expired']],
  )
})

test('the oldest deprecated certificates are removed until the secret fits the 64 KiB of Secrets Manager', () => {
  const large = (identity: Identity) => `${identity.cert}\n${'#'.repeat(12_000)}`
  const deprecated = [old, rsaA, rsaB, c].map((identity, index) => ({
    certificate: large(identity),
    servedUntil: at(-index - 1),
  }))
  const { set: after } = plan({ set: set(a, { deprecated, next: { ...pairOf(b), servedFrom: at(0) } }) })
  assert.equal(after.certificate, b.cert)
  assert.ok(Buffer.byteLength(JSON.stringify(after)) <= 65_536)
  assert.deepEqual(
    after.deprecated.map(({ certificate }) => certificate),
    [a.cert, ...deprecated.slice(0, 3).map(({ certificate }) => certificate)],
  )
  const huge = deprecated.map((each) => ({ ...each, certificate: each.certificate.repeat(2) }))
  const { set: fewer } = plan({
    set: set(a, { deprecated: huge, next: { ...pairOf(b), servedFrom: at(0) } }),
  })
  assert.ok(Buffer.byteLength(JSON.stringify(fewer)) <= 65_536)
  assert.deepEqual(
    fewer.deprecated.map(({ certificate }) => certificate),
    [a.cert, ...huge.slice(0, 2).map(({ certificate }) => certificate)],
  )
})
