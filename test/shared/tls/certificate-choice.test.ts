import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IngressCertificates } from '../../../shared/contract/certificates.ts'
import {
  type CertificatesAndKeys,
  chooseCertificates,
  findCertificateFault,
} from '../../../shared/tls/certificate-choice.ts'
import { createPki, daysFromNow, type Identity, withoutDates } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const names = [hostname]
const at = new Date()

const root = await createPki()
const middle = await root.subordinate('Middle')
const otherIssuer = await (await createPki('Other')).subordinate('Other middle')
const staleMiddle = await root.subordinate('Stale', { notAfter: daysFromNow(3) })
const [ec, rsa, direct, next] = await Promise.all([
  middle.issue({ names, commonName: 'ec' }),
  otherIssuer.issue({ names, commonName: 'rsa', rsa: true }),
  root.issue({ names, commonName: 'direct' }),
  middle.issue({ names, commonName: 'next' }),
])

const certificatesOf = (...identities: Identity[]): CertificatesAndKeys => ({
  certificate: identities.map(({ cert }) => cert).join('\n'),
  privateKey: identities.map(({ key }) => key).join('\n'),
})
const leafOf = ({ cert }: Identity) =>
  `${cert.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`

const fitCertificates: [string, () => CertificatesAndKeys | Promise<CertificatesAndKeys>][] = [
  ['a certificate with its issuer', () => certificatesOf(ec)],
  [
    'a certificate of each key type, in any order,',
    () => ({ ...certificatesOf(ec, rsa), privateKey: certificatesOf(rsa, ec).privateKey }),
  ],
  [
    'a certificate with its issuer and the root',
    () => ({ ...certificatesOf(ec), certificate: `${root.ca}\n${ec.cert}` }),
  ],
  ['a certificate whose issuer, such as a private root, is not given', () => certificatesOf(direct)],
  ['a wildcard certificate', async () => certificatesOf(await middle.issue({ names: ['*.ours.example'] }))],
  [
    'a certificate for servers and clients',
    async () => certificatesOf(await middle.issue({ names, purposes: ['clientAuth', 'serverAuth'] })),
  ],
]

for (const [certificateText, createCertificates] of fitCertificates)
  test(`${certificateText} is fit to be served`, async () => {
    assert.equal(findCertificateFault(await createCertificates(), { hostname, at }), null)
  })

const bad: [string, () => CertificatesAndKeys | Promise<CertificatesAndKeys>, string, RegExp][] = [
  [
    'an empty text as certificate',
    () => ({ certificate: '', privateKey: ec.key }),
    'Unusable',
    /^certificate: holds no certificate/,
  ],
  [
    'a certificate with the key of another certificate',
    () => ({ ...certificatesOf(ec), privateKey: next.key }),
    'Unusable',
    /^certificate: no certificate matches key 1 \(EC\) in privateKey$/,
  ],
  [
    'an RSA certificate without its key beside an EC certificate',
    () => ({ ...certificatesOf(ec, rsa), privateKey: ec.key }),
    'Unusable',
    /^privateKey: no key matches the certificate CN=rsa/,
  ],
  [
    'a certificate with a key that cannot be read',
    () => ({ ...certificatesOf(ec), privateKey: ec.key.replace(/\nM[\s\S]{20}/, '\nMAAA') }),
    'Unusable',
    /^privateKey: key 1 in PEM cannot be read$/,
  ],
  [
    'an expired certificate',
    async () =>
      certificatesOf(await middle.issue({ names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) })),
    'Expired',
    /^CN=mx.ours.example \([0-9a-f]{16}\) expires at \d{4}-/,
  ],
  [
    'a certificate that is not valid yet',
    async () => certificatesOf(await middle.issue({ names, notBefore: daysFromNow(1) })),
    'NotYetValid',
    / is valid from \d{4}-/,
  ],
  [
    'a certificate whose issuer will have expired at the given time',
    async () => certificatesOf(await staleMiddle.issue({ names })),
    'Expired',
    /^CN=Stale .* expires at/,
  ],
  [
    'a certificate without dates',
    async () => certificatesOf({ ...ec, cert: withoutDates(leafOf(ec)) }),
    'NotYetValid',
    / is valid from no date$/,
  ],
  [
    'a certificate for another name',
    async () => certificatesOf(await middle.issue({ names: ['mail.ours.example'] })),
    'Name',
    / is for mail.ours.example, not for mx.ours.example$/,
  ],
  [
    'a certificate for clients only',
    async () => certificatesOf(await middle.issue({ names, purposes: ['clientAuth'] })),
    'Purpose',
    / is not for TLS servers/,
  ],
  [
    'a certificate with an unrelated issuer',
    () => ({ ...certificatesOf(ec), certificate: `${leafOf(ec)}${rsa.cert.slice(leafOf(rsa).length)}` }),
    'Chain',
    /^CN=Other middle .* has issued none of the certificates beside it$/,
  ],
  [
    'a certificate whose issuer is not given, beside one whose issuer is given,',
    () => certificatesOf(ec, { ...rsa, cert: leafOf(rsa) }),
    'Chain',
    /^the issuer of CN=rsa .* is missing: CN=Other middle$/,
  ],
  [
    'a certificate with an unrelated root',
    () => ({ ...certificatesOf(ec), certificate: `${ec.cert}\n${otherRoot}` }),
    'Chain',
    /^CN=Elsewhere .* has issued none/,
  ],
  [
    'a good certificate beside one for another name',
    async () => certificatesOf(ec, await otherIssuer.issue({ names: ['x.example'], rsa: true })),
    'Name',
    / is for x.example, not/,
  ],
]
const otherRoot = (await createPki('Elsewhere')).ca

const inFiveDays = daysFromNow(5)
for (const [certificateText, createCertificates, reason, detail] of bad)
  test(`${certificateText} is not fit to be served`, async () => {
    const certificates = await createCertificates()
    const fault = findCertificateFault(certificates, {
      hostname,
      at: certificateText.endsWith('at the given time') ? inFiveDays : at,
    })
    assert.equal(fault?.reason, reason, fault?.detail)
    assert.match(fault?.detail ?? '', detail)
    assert.doesNotMatch(fault?.detail ?? '', /PRIVATE|MII/)
  })

const servedFrom = daysFromNow(7).toISOString()
const secretWith = (
  fields: Partial<IngressCertificates>,
  current = certificatesOf(ec),
): IngressCertificates => ({
  deprecated: [],
  ...current,
  ...fields,
})
const choiceFor = (certificates: IngressCertificates, when = at) => {
  const {
    certificate,
    changesAt: until,
    fault,
    nextFault,
    state,
  } = chooseCertificates(certificates, {
    hostname,
    at: when,
  })
  const chosenName = [
    ['ec', ec],
    ['next', next],
  ].find(([, identity]) => certificate === (identity as Identity).cert)?.[0]
  return {
    chosenName,
    state,
    until: until?.toISOString() ?? null,
    fault: fault?.reason ?? null,
    refused: nextFault?.reason ?? null,
  }
}

test('the current certificate is served until the date of the next, and the choice states this date', () => {
  const announced = secretWith({ next: { ...certificatesOf(next), servedFrom } })
  const current = { chosenName: 'ec', state: 'Current', fault: null, refused: null }
  assert.deepEqual(choiceFor(announced), { ...current, until: servedFrom })
  assert.deepEqual(choiceFor(announced, new Date(Date.parse(servedFrom) - 1)), {
    ...current,
    until: servedFrom,
  })
  assert.deepEqual(choiceFor(secretWith({})), { ...current, until: null })
})

test('the next certificate is served from its date', () => {
  assert.deepEqual(
    choiceFor(secretWith({ next: { ...certificatesOf(next), servedFrom } }), new Date(servedFrom)),
    {
      chosenName: 'next',
      state: 'Next',
      until: null,
      fault: null,
      refused: null,
    },
  )
})

test('the next certificate is checked for its date: it may become valid by then, and must not have expired by then', async () => {
  const later = await middle.issue({ names, notBefore: daysFromNow(6) })
  const short = await middle.issue({ names, notAfter: daysFromNow(6) })
  assert.equal(choiceFor(secretWith({ next: { ...certificatesOf(later), servedFrom } })).refused, null)
  assert.equal(choiceFor(secretWith({ next: { ...certificatesOf(short), servedFrom } })).refused, 'Expired')
})

test('an unfit next certificate is refused, and the current one stays in use at its date and after', () => {
  const bad = secretWith({ next: { ...certificatesOf(next), privateKey: ec.key, servedFrom } })
  for (const when of [at, new Date(servedFrom)])
    assert.deepEqual(choiceFor(bad, when), {
      chosenName: 'ec',
      state: 'Current',
      until: null,
      fault: null,
      refused: 'Unusable',
    })
})

test("the next certificate is served from the current one's expiry if this is before the date of the next", async () => {
  const ending = await middle.issue({ names, notAfter: daysFromNow(2) })
  const endingSoon = secretWith({ next: { ...certificatesOf(next), servedFrom } }, certificatesOf(ending))
  assert.equal(choiceFor(endingSoon).state, 'Current')
  assert.ok(Math.abs(Date.parse(choiceFor(endingSoon).until ?? '') - daysFromNow(2).getTime()) < 5000)
  assert.equal(choiceFor(endingSoon, daysFromNow(2.01)).chosenName, 'next')
})

test('an expired current certificate is chosen, with its fault, if there is no next certificate', async () => {
  const expired = await middle.issue({ names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) })
  assert.deepEqual(
    [
      choiceFor(secretWith({}, certificatesOf(expired))).state,
      choiceFor(secretWith({}, certificatesOf(expired))).fault,
    ],
    ['Current', 'Expired'],
  )
})
