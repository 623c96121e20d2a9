/** Unsigned CRLs that are expensive to parse. CRLs come over plain HTTP, so an attacker on the path can send one. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, it } from 'node:test'
import { maxCrlOctets, statusInCrl } from '../../../../shared/tls/revocation/crl.ts'
import type { RevocationQuery } from '../../../../shared/tls/revocation/reported-revocation.ts'
import { createPki } from '../../../support/pki.ts'

let question: RevocationQuery
before(async () => {
  const authority = await createPki('The CA')
  const { cert } = await authority.issue({ names: ['mx.bank.example'] })
  question = {
    certificate: new X509Certificate(cert),
    issuer: new X509Certificate(authority.ca),
    at: new Date(),
  }
})

function element(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const head = Buffer.from([tag, 0x84, 0, 0, 0, 0])
  head.writeUInt32BE(content.length, 2)
  return Buffer.concat([head, content])
}

const room = maxCrlOctets - 100
/** Repeats the octets as often as they fit. */
const filledWith = (each: Buffer): Buffer => Buffer.alloc(room - (room % each.length), each)
/** ASN.1 NULL, two octets each. */
const nulls = filledWith(Buffer.from([5, 0]))
const name = Buffer.from([0x30, 0])
/** The UTCTime 261129100000Z. */
const time = Buffer.from('170d3236313132393130303030305a', 'hex')
/** An empty algorithm and an empty signature. */
const rest = Buffer.from([0x30, 0, 3, 1, 0])
const unknownExtension = Buffer.from('3009060355047f04020500', 'hex')

const lists: Record<string, () => Buffer> = {
  'of ten million elements': () => element(0x30, nulls),
  'with a signed part of ten million elements': () => element(0x30, element(0x30, nulls), rest),
  'of millions of extensions': () =>
    element(
      0x30,
      element(0x30, name, name, time, element(0xa0, element(0x30, filledWith(unknownExtension)))),
      rest,
    ),
  'in PEM with endless begin markers': () => Buffer.alloc(room, '-----BEGIN X509 CRL-----A'),
}

for (const [what, list] of Object.entries(lists))
  it(`a CRL ${what} is unusable, and takes less than a second of processor time and 200 MB`, () => {
    const octets = list()
    const before = process.resourceUsage()
    const { status } = statusInCrl(octets, question)
    const after = process.resourceUsage()
    assert.equal(status, 'Unknown')
    const milliseconds = (after.userCPUTime - before.userCPUTime) / 1000
    assert.ok(milliseconds < 1_000, `${Math.round(milliseconds)} ms`)
    const megabytes = (after.maxRSS - before.maxRSS) / 1000
    assert.ok(megabytes < 200, `${Math.round(megabytes)} MB`)
  })
