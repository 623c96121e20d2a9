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
import { ocspRequest, statusInOcsp } from '../../../../shared/tls/revocation/ocsp.ts'
import { type AuthorityOptions, createPki, daysFromNow, type Pki } from '../../../support/pki.ts'
import {
  extension,
  type OcspOptions,
  ocspAnswer,
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

const question = (at = now) => ({
  certificate: new X509Certificate(leaf),
  issuer: new X509Certificate(authority.ca),
  at,
})
const statusOf = (octets: Buffer, at = now) => statusInOcsp(octets, question(at))
const answer = (options: Partial<OcspOptions> = {}, by = authority) =>
  ocspAnswer(by, { certificate: leaf, ...options })
const signer = async (pki: Pki, options: AuthorityOptions) => {
  const delegate = await pki.subordinate('Responder', { isAuthority: false, ...options })
  return { sign: delegate.sign, certificate: delegate.ca }
}

describe('an OCSP response', () => {
  it('with status good is valid until its nextUpdate', async () => {
    const nextUpdate = new Date('2099-01-02T03:04:05Z')
    assert.deepEqual(statusOf(await answer({ nextUpdate })), {
      status: 'Good',
      detail: 'not revoked',
      nextUpdate: '2099-01-02T03:04:05.000Z',
    })
  })

  it('with status revoked has date and reason', async () => {
    const { status, detail } = statusOf(
      await answer({ status: 'revoked', revokedAt: new Date('2026-03-04T05:06:07Z'), reason: 1 }),
    )
    assert.deepEqual([status, detail], ['Revoked', 'revoked on 2026-03-04T05:06:07.000Z: keyCompromise'])
  })

  const counted: { what: string; options: () => Promise<Partial<OcspOptions>> }[] = [
    { what: 'by SHA-256', options: async () => ({ hash: 'sha256' }) },
    { what: 'with the responder identified by its key', options: async () => ({ byKey: true }) },
    {
      what: 'signed by a delegate of the issuer',
      options: async () => ({ signedBy: await signer(authority, { purposes: ['ocspSigning'] }) }),
    },
    {
      what: 'with an extension that is not critical',
      options: async () => ({ extensions: [extension('1.2.3.4', Buffer.from([5, 0]))] }),
    },
  ]
  for (const { what, options } of counted)
    it(`${what} is usable`, async () => {
      assert.equal(statusOf(await answer({ ...(await options()), status: 'revoked' })).status, 'Revoked')
    })

  it('without nextUpdate is valid for a day', async () => {
    const thisUpdate = new Date('2026-05-01T00:00:00Z')
    const endless = await answer({ thisUpdate, nextUpdate: null })
    const holds = (at: string) => statusOf(endless, new Date(at))
    assert.deepEqual(holds('2026-05-02T00:00:00Z'), {
      status: 'Good',
      detail: 'not revoked',
      nextUpdate: null,
    })
    assert.equal(holds('2026-05-02T00:06:00Z').status, 'Unknown')
  })

  const unusable: { what: string; answer: () => Promise<Buffer>; detail: RegExp }[] = [
    {
      what: 'that does not know the certificate',
      answer: () => answer({ status: 'unknown' }),
      detail: /does not know the certificate/,
    },
    {
      what: 'about another certificate',
      answer: () => answer({ certificate: otherLeaf }),
      detail: /is about another certificate/,
    },
    {
      what: 'that has expired',
      answer: () => answer({ thisUpdate: daysFromNow(-8), nextUpdate: daysFromNow(-1) }),
      detail: /expired at/,
    },
    { what: 'of the future', answer: () => answer({ thisUpdate: daysFromNow(1) }), detail: /in the future/ },
    {
      what: 'of another authority with the issuer’s name',
      answer: async () => answer({}, await createPki('The CA')),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a server certificate of the issuer',
      answer: async () => answer({ signedBy: await signer(authority, { purposes: ['serverAuth'] }) }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a certificate of the issuer without a purpose',
      answer: async () => answer({ signedBy: await signer(authority, {}) }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: "signed by another authority's responder",
      answer: async () =>
        answer({ signedBy: await signer(await createPki('The CA'), { purposes: ['ocspSigning'] }) }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'signed by a delegate with an expired certificate',
      answer: async () =>
        answer({
          signedBy: await signer(authority, {
            purposes: ['ocspSigning'],
            notBefore: daysFromNow(-3),
            notAfter: daysFromNow(-1),
          }),
        }),
      detail: /not signed by the issuer or its delegate/,
    },
    {
      what: 'with an unknown critical extension',
      answer: () => answer({ extensions: [extension('1.2.3.4', Buffer.from([5, 0]), true)] }),
      detail: /critical extension/,
    },
    {
      what: 'with the error tryLater',
      answer: async () => ocspResponse(OCSPResponseStatus.tryLater),
      detail: /answered tryLater/,
    },
    {
      what: 'with the error unauthorized',
      answer: async () => ocspResponse(OCSPResponseStatus.unauthorized),
      detail: /answered unauthorized/,
    },
    {
      what: 'of success without content',
      answer: async () => ocspResponse(OCSPResponseStatus.successful),
      detail: /not of type id-pkix-ocsp-basic/,
    },
    {
      what: 'that is truncated',
      answer: async () => (await answer()).subarray(0, -9),
      detail: /cannot be read/,
    },
    { what: 'that is a web page', answer: async () => Buffer.from('<html>'), detail: /cannot be read/ },
    { what: 'that is empty', answer: async () => Buffer.alloc(0), detail: /cannot be read/ },
  ]
  for (const { what, answer: made, detail } of unusable)
    it(`${what} is unusable`, async () => {
      const { status, detail: found, nextUpdate } = statusOf(await made())
      assert.deepEqual([status, nextUpdate], ['Unknown', null])
      assert.match(found, detail)
    })

  it('with one changed octet gives the same status or none', async () => {
    const octets = await answer({ status: 'revoked' })
    const unchanged = statusOf(octets)
    let silenced = 0
    for (const index of octets.keys()) {
      const changed = Buffer.from(octets)
      changed[index] = (changed[index] ?? 0) ^ 1
      const found = statusOf(changed)
      if (found.status === 'Unknown') silenced += 1
      else assert.deepEqual(found, unchanged, `octet ${index}`)
    }
    // Some lengths around the signed part do not matter.
    assert.ok(silenced > octets.length - 10)
  })
})

describe('an OCSP request', () => {
  it('concerns one certificate and has no other content', () => {
    const { tbsRequest, optionalSignature } = AsnConvert.parse(ocspRequest(question()), OCSPRequest)
    assert.equal(tbsRequest.requestList.length, 1)
    assert.equal(tbsRequest.requestExtensions, undefined)
    assert.equal(optionalSignature, undefined)
  })

  it("is understood by OpenSSL's responder, whose responses are understood", () => {
    const folder = mkdtempSync(join(tmpdir(), 'ocsp-'))
    try {
      const [good, bad] = openSslAnswers(folder)
      assert.equal(good?.status, 'Good')
      assert.equal(bad?.status, 'Revoked')
      assert.match(bad?.detail ?? '', /^revoked on 2026-01-01T00:00:00\.000Z: keyCompromise$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

function openSslAnswers(folder: string) {
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const read = (name: string) => readFileSync(join(folder, name))
  run(...'req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Responder'.split(' '))
  for (const name of ['good', 'bad'])
    run(
      ...`req -x509 -newkey rsa:2048 -nodes -keyout x.key -out ${name}.pem -subj /CN=${name} -CA ca.pem -CAkey ca.key`.split(
        ' ',
      ),
    )
  const issuer = new X509Certificate(read('ca.pem'))
  const certificates = ['good', 'bad'].map((name) => new X509Certificate(read(`${name}.pem`)))
  const lines = certificates.map(({ serialNumber }, index) =>
    index === 0
      ? `V\t300101000000Z\t\t${serialNumber}\tunknown\t/CN=good`
      : `R\t300101000000Z\t260101000000Z,keyCompromise\t${serialNumber}\tunknown\t/CN=bad`,
  )
  writeFileSync(join(folder, 'index.txt'), `${lines.join('\n')}\n`)
  return certificates.map((certificate) => {
    writeFileSync(join(folder, 'question.der'), ocspRequest({ certificate, issuer }))
    run(
      ...'ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -ndays 1'.split(' '),
      ...'-reqin question.der -respout answer.der'.split(' '),
    )
    return statusInOcsp(read('answer.der'), { certificate, issuer, at: new Date() })
  })
}
