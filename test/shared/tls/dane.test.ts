import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isUsable, matchesTlsa } from '../../../shared/tls/dane.ts'
import type { TlsaRecord } from '../../../shared/tls/requirement.ts'
import { createPki, daysFromNow, selfSigned, withoutDates } from '../../support/pki.ts'

const host = 'mx.partner.example'
const now = new Date()

const firstOf = (pem: string) => new X509Certificate(pem)
const root = await createPki('Root')
const twin = firstOf(await root.twin())
const unrelatedCa = await createPki('Unrelated CA')
const middle = await root.subordinate('Middle')
const authority = { root: firstOf(root.ca), middle: firstOf(middle.ca), unrelatedCa: firstOf(unrelatedCa.ca) }
const leaf = firstOf((await middle.issue({ names: [host] })).cert)
const direct = firstOf((await root.issue({ names: [host] })).cert)
const leafFor90Days = firstOf((await middle.issue({ names: [host], notAfter: daysFromNow(90) })).cert)
const expired = firstOf((await middle.issue({ names: [host], notAfter: daysFromNow(-0.5) })).cert)
const selfSignedLeaf = firstOf((await selfSigned({ names: [host] })).cert)
const falseAuthority = await middle.subordinate('Poser', { isAuthority: false })
const belowFalseAuthority = firstOf((await falseAuthority.issue({ names: [host] })).cert)
const mailAuthority = await root.subordinate('For mail', { purposes: ['emailProtection'] })
const belowMailAuthority = firstOf((await mailAuthority.issue({ names: [host] })).cert)

const keyOf = ({ publicKey }: X509Certificate) => publicKey.export({ type: 'spki', format: 'der' })

/** @param form usage, selector and matching type, such as `3 1 1` */
function record(form: string, certificate: X509Certificate): TlsaRecord {
  const [usage = 0, selector = 0, matchingType = 0] = form.split(' ').map(Number)
  const octets = selector === 0 ? certificate.raw : keyOf(certificate)
  const digest = ['', 'sha256', 'sha512'][matchingType]
  const data = digest ? createHash(digest).update(octets).digest('hex') : octets.toString('hex')
  return { usage, selector, matchingType, data }
}

interface Case {
  names?: string[]
  wanted?: string[]
  at?: Date
}

const matches = (
  records: TlsaRecord[],
  chain: X509Certificate[],
  { names = [host], wanted = [host], at = now }: Case = {},
) => {
  assert.ok(records.every(isUsable))
  const encoded = chain.map(({ raw }) => raw.toString('base64'))
  return matchesTlsa(records, encoded, { subjectAltNames: names, commonName: null }, wanted, at)
}

const forms = ['0 0', '0 1', '0 2', '1 0', '1 1', '1 2']
const path = [leaf, authority.middle, authority.root]

describe('TLSA records of usage 3', () => {
  for (const form of forms) {
    it(`with selector and matching type ${form} match exactly the server's certificate`, () => {
      assert.equal(matches([record(`3 ${form}`, leaf)], [leaf]), true)
      assert.equal(matches([record(`3 ${form}`, direct)], [leaf]), false)
    })
    it(`with selector and matching type ${form} do not match an issuer of the server's certificate`, () =>
      assert.equal(matches([record(`3 ${form}`, authority.middle)], path), false))
  }

  it('match a certificate for another name', () =>
    assert.equal(matches([record('3 1 1', leaf)], [leaf], { names: ['other.example'] }), true))
  it('match an expired certificate, and one without dates', () => {
    assert.equal(matches([record('3 1 1', expired)], [expired]), true)
    assert.equal(matches([record('3 0 1', leaf)], path, { at: daysFromNow(1_000) }), true)
    const leafWithoutDates = firstOf(withoutDates(leaf.toString()))
    assert.equal(matches([record('3 1 1', leaf)], [leafWithoutDates]), true)
  })

  it('with one changed octet do not match', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...forms),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (form, position, change) => {
          const matchingRecord = record(`3 ${form}`, leaf)
          const octets = Buffer.from(matchingRecord.data, 'hex')
          const at = position % octets.length
          octets[at] = (octets[at] as number) ^ change
          const changedRecord = { ...matchingRecord, data: octets.toString('hex') }
          const encoded = [leaf.raw.toString('base64')]
          assert.equal(
            matchesTlsa([changedRecord], encoded, { subjectAltNames: [host], commonName: null }, [host], now),
            false,
          )
        },
      ),
    )
  })
})

describe('TLSA records of usage 2', () => {
  for (const form of forms) {
    it(`with selector and matching type ${form} match the issuer of the server's certificate and the issuer above`, () => {
      assert.equal(matches([record(`2 ${form}`, authority.middle)], path), true)
      assert.equal(matches([record(`2 ${form}`, authority.root)], path), true)
      assert.equal(matches([record(`2 ${form}`, authority.middle)], path.slice(0, 2)), true)
    })
    it(`with selector and matching type ${form} do not match an unrelated certificate in the chain`, () =>
      assert.equal(
        matches([record(`2 ${form}`, authority.unrelatedCa)], [...path, authority.unrelatedCa]),
        false,
      ))
    it(`with selector and matching type ${form} do not match the server's own certificate, which has issued nothing`, () => {
      assert.equal(matches([record(`2 ${form}`, leaf)], path), false)
      assert.equal(matches([record(`2 ${form}`, leaf)], [leaf, leaf, ...path.slice(1)]), false)
    })
    it(`with selector and matching type ${form} match a self-signed server certificate`, () =>
      assert.equal(matches([record(`2 ${form}`, selfSignedLeaf)], [selfSignedLeaf]), true))
    it(`with selector and matching type ${form} match nothing in an empty chain`, () =>
      assert.equal(matches([record(`2 ${form}`, authority.root)], []), false))
  }

  const leafWithIssuer = 'of leaf and intermediate'
  const leafOfRoot = "of the root's own leaf"
  const leafOnly = 'without its intermediate'
  const missingRoots: [string, string, X509Certificate[], boolean][] = [
    ['2 0 0', leafWithIssuer, [leaf, authority.middle], true],
    ['2 1 0', leafWithIssuer, [leaf, authority.middle], true],
    ['2 0 0', leafOfRoot, [direct], true],
    ['2 1 0', leafOfRoot, [direct], true],
    ['2 0 1', leafWithIssuer, [leaf, authority.middle], false],
    ['2 1 1', leafWithIssuer, [leaf, authority.middle], false],
    ['2 0 2', leafOfRoot, [direct], false],
    ['2 0 0', leafOnly, [leaf], false],
    ['2 1 0', leafOnly, [leaf], false],
  ]
  for (const [form, chainText, chain, expected] of missingRoots) {
    it(`of the form ${form} ${expected ? 'match' : 'do not match'} a root that is missing from a chain ${chainText}`, () =>
      assert.equal(matches([record(form, authority.root)], chain), expected))
  }

  it('with a key that has signed nothing in the chain do not match', () =>
    assert.equal(matches([record('2 1 0', authority.unrelatedCa)], path), false))
  it('with a key that has signed the chain with SHA-1 do not match', async () => {
    for (const hash of ['SHA-1', undefined] as const) {
      const signed = firstOf((await root.issue({ names: [host], ...(hash && { hash }) })).cert)
      for (const form of ['2 0 0', '2 1 0'])
        assert.equal(matches([record(form, authority.root)], [signed]), hash === undefined, form)
    }
  })
  it('of an authority with the name of the root and another key do not match', async () => {
    const other = firstOf((await createPki('Root')).ca)
    for (const form of forms) assert.equal(matches([record(`2 ${form}`, other)], path.slice(0, 2)), false)
  })
  it('match another certificate of the same key with selector 1, and not with selector 0', () => {
    assert.equal(matches([record('2 1 1', authority.root)], [leaf, authority.middle, twin]), true)
    assert.equal(matches([record('2 0 1', authority.root)], [leaf, authority.middle, twin]), false)
  })
  it('do not match above an intermediate certificate that is not an authority', () => {
    for (const form of ['2 0 1', '2 1 0', '2 0 0'])
      for (const anchor of [authority.middle, authority.root, firstOf(falseAuthority.ca)])
        assert.equal(
          matches(
            [record(form, anchor)],
            [belowFalseAuthority, firstOf(falseAuthority.ca), ...path.slice(1)],
          ),
          false,
        )
  })
  it('do not match above an intermediate authority that is not for TLS servers', () => {
    for (const form of ['2 0 1', '2 1 0', '2 0 0'])
      assert.equal(
        matches([record(form, authority.root)], [belowMailAuthority, firstOf(mailAuthority.ca)]),
        false,
      )
  })

  const names: [string, Case, boolean][] = [
    ['the TLSA base domain', {}, true],
    ["the recipient's domain", { names: ['partner.example'], wanted: [host, 'partner.example'] }, true],
    ['a wildcard that matches the TLSA base domain', { names: ['*.partner.example'] }, true],
    ['a wildcard two levels above the TLSA base domain', { names: ['*.example'] }, false],
    ['another host', { names: ['mx2.partner.example'] }, false],
    ['no name', { names: [] }, false],
  ]
  for (const [what, changes, expected] of names) {
    it(`${expected ? 'accept' : 'do not accept'} a certificate for ${what}`, () => {
      for (const form of ['2 0 1', '2 1 0'])
        assert.equal(matches([record(form, authority.root)], path, changes), expected)
    })
  }

  it('do not accept an expired certificate', () =>
    assert.equal(matches([record('2 0 1', authority.root)], [expired, ...path.slice(1)]), false))
  it('do not accept a certificate without dates', () =>
    assert.equal(
      matches([record('2 1 1', authority.root)], [firstOf(withoutDates(leaf.toString())), ...path.slice(1)]),
      false,
    ))
  for (const form of forms) {
    it(`with selector and matching type ${form} do not match an issuer that has expired`, () => {
      const chain = [leafFor90Days, ...path.slice(1)]
      const at = daysFromNow(60)
      for (const anchor of [authority.middle, authority.root])
        assert.equal(matches([record(`2 ${form}`, anchor)], chain, { at }), false)
      assert.equal(matches([record(`2 ${form}`, authority.root)], chain), true)
    })
  }
})

describe('of several TLSA records', () => {
  const rows: [string, TlsaRecord[], boolean][] = [
    ['one match of two keys is enough', [record('3 1 1', direct), record('3 1 1', leaf)], true],
    ['one match of two usages is enough', [record('3 1 1', direct), record('2 0 1', authority.root)], true],
    ['a record that is repeated matches', [record('3 1 1', leaf), record('3 1 1', leaf)], true],
    [
      'none matches, so the server is not accepted',
      [record('3 1 1', direct), record('2 0 1', authority.unrelatedCa)],
      false,
    ],
    [
      'a matching SHA-256 digest is ignored beside a SHA-512 digest',
      [record('3 1 1', leaf), record('3 1 2', direct)],
      false,
    ],
    [
      'a SHA-512 digest matches beside a SHA-256 digest',
      [record('3 1 1', direct), record('3 1 2', leaf)],
      true,
    ],
    [
      'a SHA-256 digest matches beside a SHA-512 digest with another selector',
      [record('3 1 1', leaf), record('3 0 2', direct)],
      true,
    ],
    [
      'a SHA-256 digest matches beside a SHA-512 digest of another usage',
      [record('3 1 1', leaf), record('2 1 2', authority.unrelatedCa)],
      true,
    ],
    ['full data match beside a SHA-512 digest', [record('3 1 0', leaf), record('3 1 2', direct)], true],
    [
      "an issuer's matching SHA-256 digest is ignored beside a SHA-512 digest",
      [record('2 0 1', authority.root), record('2 0 2', authority.unrelatedCa)],
      false,
    ],
  ]
  for (const [what, records, expected] of rows) {
    it(what, () => {
      assert.equal(matches(records, path), expected)
      assert.equal(matches(records.toReversed(), path), expected)
    })
  }
})

describe('a TLSA record', () => {
  const digest256 = 'ab'.repeat(32)
  const digest512 = 'ab'.repeat(64)
  const fullCertificate = record('2 0 0', authority.root).data
  const key = record('2 1 0', authority.root).data
  const rows: [TlsaRecord['usage'], number, number, string, boolean][] = [
    [3, 1, 1, digest256, true],
    [2, 0, 2, digest512, true],
    [0, 0, 1, digest256, false],
    [1, 1, 1, digest256, false],
    [4, 1, 1, digest256, false],
    [255, 1, 1, digest256, false],
    [3, 2, 1, digest256, false],
    [3, 255, 1, digest256, false],
    [3, 1, 3, digest256, false],
    [3, 1, 255, digest256, false],
    [3, 1, 1, digest512, false],
    [3, 1, 2, digest256, false],
    [3, 1, 1, digest256.slice(2), false],
    [3, 1, 1, '', false],
    [3, 1, 0, '', false],
    [2, 0, 0, fullCertificate, true],
    [3, 0, 0, fullCertificate, true],
    [2, 1, 0, key, true],
    [2, 1, 0, fullCertificate, false],
    [2, 0, 0, key, false],
    [2, 0, 0, fullCertificate.slice(0, -2), false],
    [2, 0, 0, `${fullCertificate}00`, false],
    [2, 0, 0, Buffer.from(root.ca).toString('hex'), false],
    [2, 0, 0, 'ab', false],
    [2, 1, 0, 'ab', false],
  ]
  for (const [usage, selector, matchingType, data, expected] of rows) {
    const dataText = data.length > 16 ? `${data.slice(0, 8)}… (${data.length / 2} octets)` : `"${data}"`
    it(`${usage} ${selector} ${matchingType} ${dataText} is ${expected ? '' : 'not '}usable`, () =>
      assert.equal(isUsable({ usage, selector, matchingType, data }), expected))
  }

  it('with any data is assessed without an error, and does not match', () => {
    fc.assert(
      fc.property(
        fc.nat(4),
        fc.nat(3),
        fc.nat(3),
        fc.uint8Array({ maxLength: 200 }),
        (usage, selector, matchingType, octets) => {
          const randomRecord = { usage, selector, matchingType, data: Buffer.from(octets).toString('hex') }
          const assessed = isUsable(randomRecord)
          assert.equal(typeof assessed, 'boolean')
          if (assessed) assert.equal(matches([randomRecord], path), false)
        },
      ),
    )
  })
})

describe('as many TLSA records as a DNS message holds', () => {
  const chain = [...path, ...Array.from({ length: 7 }, () => authority.unrelatedCa)]
  it('are all compared when they are digests', () => {
    const records = Array.from({ length: 1_500 }, (_, n) => ({
      ...record(n % 2 ? '2 0 1' : '3 1 1', leaf),
      data: n.toString(16).padStart(64, '0'),
    }))
    assert.equal(matches(records, chain), false)
    assert.equal(matches([...records, record('2 0 1', authority.root)], chain), true)
  })

  it('are compared only up to a limit when they are keys', () => {
    const keys = Array.from({ length: 300 }, () => {
      const { publicKey } = generateKeyPairSync('ed25519')
      const data = publicKey.export({ type: 'spki', format: 'der' }).toString('hex')
      return { usage: 2, selector: 1, matchingType: 0, data }
    })
    assert.equal(matches(keys, chain), false)
    const matchingKey = record('2 1 0', authority.root)
    assert.equal(matches([...keys.slice(0, 7), matchingKey], path.slice(0, 2)), true)
    assert.equal(matches([...keys, matchingKey], path.slice(0, 2)), false, 'the key is beyond the limit')
  })
})
