import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { OCSPRequest, OCSPResponseStatus } from '@peculiar/asn1-ocsp'
import { AsnConvert } from '@peculiar/asn1-schema'
import { createOcspRequest, statusInOcsp } from '../../../../shared/tls/revocation/ocsp.ts'
import { type AuthorityOptions, createPki, daysFromNow, type Pki } from '../../../support/pki.ts'
import {
  createOcspResponse,
  extension,
  type OcspOptions,
  ocspResponse,
} from '../../../support/revocation-documents.ts'

const now = new Date()
let authority: Pki
let leaf: string
let otherLeaf: string
before(async () => {
  authority = await createPki('The CA')
  leaf = (await authority.issue({ names: ['mx.bank.example'] })).cert
  otherLeaf = (await authority.issue({ names: ['mx.other.example'] })).cert
})

const queryAt = (at = now) => ({
  certificate: new X509Certificate(leaf),
  issuer: new X509Certificate(authority.ca),
  at,
})
const statusOf = (octets: Buffer, at = now) => statusInOcsp(octets, queryAt(at))
const createAnswer = (options: Partial<OcspOptions> = {}, by = authority) =>
  createOcspResponse(by, { certificate: leaf, ...options })
const createSigner = async (pki: Pki, options: AuthorityOptions) => {
  const delegate = await pki.subordinate('Responder', { isAuthority: false, ...options })
  return { sign: delegate.sign, certificate: delegate.ca }
}

describe('an OCSP response', () => {
  it('with the status good gives the status Good until nextUpdate', async () => {
    const nextUpdate = new Date('2099-01-02T03:04:05Z')
    assert.deepEqual(statusOf(await createAnswer({ nextUpdate })), {
      status: 'Good',
      detail: 'not revoked',
      nextUpdate: '2099-01-02T03:04:05.000Z',
    })
  })

  it('with the status revoked gives the status Revoked with date and reason', async () => {
    const { status, detail } = statusOf(
      await createAnswer({ status: 'revoked', revokedAt: new Date('2026-03-04T05:06:07Z'), reason: 1 }),
    )
    assert.deepEqual([status, detail], ['Revoked', 'revoked on 2026-03-04T05:06:07.000Z: keyCompromise'])
  })

  const usable: { what: string; options: () => Promise<Partial<OcspOptions>> }[] = [
    { what: 'that identifies the certificate by SHA-256', options: async () => ({ hash: 'sha256' }) },
    { what: 'that identifies the responder by its key', options: async () => ({ byKey: true }) },
    {
      what: 'signed by a delegate of the issuer',
      options: async () => ({ signedBy: await createSigner(authority, { purposes: ['ocspSigning'] }) }),
    },
    {
      what: 'with an extension that is not critical',
      options: async () => ({ extensions: [extension('1.2.3.4', Buffer.from([5, 0]))] }),
    },
  ]
  for (const { what, options } of usable)
    it(`${what} is usable`, async () => {
      assert.equal(
        statusOf(await createAnswer({ ...(await options()), status: 'revoked' })).status,
        'Revoked',
      )
    })

  it('without nextUpdate is valid for a day', async () => {
    const thisUpdate = new Date('2026-05-01T00:00:00Z')
    const withoutNextUpdate = await createAnswer({ thisUpdate, nextUpdate: null })
    const statusAt = (at: string) => statusOf(withoutNextUpdate, new Date(at))
    assert.deepEqual(statusAt('2026-05-02T00:00:00Z'), {
      status: 'Good',
      detail: 'not revoked',
      nextUpdate: null,
    })
    assert.equal(statusAt('2026-05-02T00:06:00Z').status, 'Unknown')
  })

  const unusable: { what: string; createAnswer: () => Promise<Buffer>; detail: RegExp }[] = [
    {
      what: 'with the status unknown',
      createAnswer: () => createAnswer({ status: 'unknown' }),
      detail: /does not know the certificate/,
    },
    {
      what: 'about another certificate',
      createAnswer: () => createAnswer({ certificate: otherLeaf }),
      detail: /is about another certificate/,
    },
    {
      what: 'that has expired',
      createAnswer: () => createAnswer({ thisUpdate: daysFromNow(-8), nextUpdate: daysFromNow(-1) }),
      detail: /expired at/,
    },
    {
      what: 'whose thisUpdate is in the future',
      createAnswer: () => createAnswer({ thisUpdate: daysFromNow(1) }),
      detail: /in the future/,
    },
    {
      what: 'of another authority with the issuer’s name',
      createAnswer: async () => createAnswer({}, await createPki('The CA')),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a server certificate of the issuer',
      createAnswer: async () =>
        createAnswer({ signedBy: await createSigner(authority, { purposes: ['serverAuth'] }) }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a certificate of the issuer without a purpose',
      createAnswer: async () => createAnswer({ signedBy: await createSigner(authority, {}) }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: "signed by another authority's responder",
      createAnswer: async () =>
        createAnswer({
          signedBy: await createSigner(await createPki('The CA'), { purposes: ['ocspSigning'] }),
        }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a delegate with an expired certificate',
      createAnswer: async () =>
        createAnswer({
          signedBy: await createSigner(authority, {
            purposes: ['ocspSigning'],
            notBefore: daysFromNow(-3),
            notAfter: daysFromNow(-1),
          }),
        }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'with an unknown critical extension',
      createAnswer: () => createAnswer({ extensions: [extension('1.2.3.4', Buffer.from([5, 0]), true)] }),
      detail: /critical extension/,
    },
    {
      what: 'with the error tryLater',
      createAnswer: async () => ocspResponse(OCSPResponseStatus.tryLater),
      detail: /answered tryLater/,
    },
    {
      what: 'with the error unauthorized',
      createAnswer: async () => ocspResponse(OCSPResponseStatus.unauthorized),
      detail: /answered unauthorized/,
    },
    {
      what: 'with the status successful and no content',
      createAnswer: async () => ocspResponse(OCSPResponseStatus.successful),
      detail: /not of type id-pkix-ocsp-basic/,
    },
    {
      what: 'that is truncated',
      createAnswer: async () => (await createAnswer()).subarray(0, -9),
      detail: /cannot be read/,
    },
    { what: 'that is a web page', createAnswer: async () => Buffer.from('<html>'), detail: /cannot be read/ },
    { what: 'that is empty', createAnswer: async () => Buffer.alloc(0), detail: /cannot be read/ },
  ]
  for (const { what, createAnswer: made, detail } of unusable)
    it(`${what} is unusable`, async () => {
      const { status, detail: reported, nextUpdate } = statusOf(await made())
      assert.deepEqual([status, nextUpdate], ['Unknown', null])
      assert.match(reported, detail)
    })

  it('with any changed octet gives the same status or is unusable', async () => {
    const octets = await createAnswer({ status: 'revoked' })
    const unchanged = statusOf(octets)
    let undeterminedCount = 0
    for (const index of octets.keys()) {
      const changed = Buffer.from(octets)
      changed[index] = (changed[index] ?? 0) ^ 1
      const reported = statusOf(changed)
      if (reported.status === 'Unknown') undeterminedCount += 1
      else assert.deepEqual(reported, unchanged, `octet ${index}`)
    }
    // A change of a few octets has no effect, such as of some lengths outside the signed part.
    assert.ok(undeterminedCount > octets.length - 10)
  })
})

describe('an OCSP request', () => {
  it('has one certificate, no extension and no signature', () => {
    const { tbsRequest, optionalSignature } = AsnConvert.parse(createOcspRequest(queryAt()), OCSPRequest)
    assert.equal(tbsRequest.requestList.length, 1)
    assert.equal(tbsRequest.requestExtensions, undefined)
    assert.equal(optionalSignature, undefined)
  })

  it("gets from OpenSSL's responder a response that is read as Good or Revoked", () => {
    const folder = mkdtempSync(join(tmpdir(), 'ocsp-'))
    try {
      const [goodStatus, revokedStatus] = openSslAnswers(folder)
      assert.equal(goodStatus?.status, 'Good')
      assert.equal(revokedStatus?.status, 'Revoked')
      assert.match(revokedStatus?.detail ?? '', /^revoked on 2026-01-01T00:00:00\.000Z: keyCompromise$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

function openSslAnswers(folder: string) {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const readOctets = (name: string) => readFileSync(join(folder, name))
  run(...'req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Responder'.split(' '))
  for (const name of ['good', 'bad'])
    run(
      ...`req -x509 -newkey rsa:2048 -nodes -keyout x.key -out ${name}.pem -subj /CN=${name} -CA ca.pem -CAkey ca.key`.split(
        ' ',
      ),
    )
  const issuer = new X509Certificate(readOctets('ca.pem'))
  const certificates = ['good', 'bad'].map((name) => new X509Certificate(readOctets(`${name}.pem`)))
  const lines = certificates.map(({ serialNumber }, index) =>
    index === 0
      ? `V\t300101000000Z\t\t${serialNumber}\tunknown\t/CN=good`
      : `R\t300101000000Z\t260101000000Z,keyCompromise\t${serialNumber}\tunknown\t/CN=bad`,
  )
  writeFileSync(join(folder, 'index.txt'), `${lines.join('\n')}\n`)
  return certificates.map((certificate) => {
    writeFileSync(join(folder, 'question.der'), createOcspRequest({ certificate, issuer }))
    run(
      ...'ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -ndays 1'.split(' '),
      ...'-reqin question.der -respout answer.der'.split(' '),
    )
    return statusInOcsp(readOctets('answer.der'), { certificate, issuer, at: new Date() })
  })
}
