/** Chains that no authority would issue: they are evaluated without an error. */
import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { SubjectAlternativeNameExtension } from '@peculiar/x509'
import { chainFault } from '../../../shared/tls/chain.ts'
import { matchesTlsa } from '../../../shared/tls/dane.ts'
import type { TlsaRecord } from '../../../shared/tls/requirement.ts'
import {
  certificateDigest,
  firstOf,
  host,
  keyDigest,
  withUnknownKey,
} from '../../support/hostile-certificates.ts'
import { createPki, withoutDates } from '../../support/pki.ts'
import { issueAuthority, issueLeaf } from './chains/openssl.ts'

const root = await createPki()
const intermediate = await root.subordinate('Intermediate')
const { cert, key } = await intermediate.issue({ names: [host] })
const leaf = { cert: firstOf(cert), key }
const names = { subjectAltNames: [host], commonName: null }
const der = (pem: string) => new X509Certificate(pem).raw.toString('base64')
const now = new Date()

const intermediates: [string, string, boolean][] = [
  ['as it was issued', intermediate.ca, true],
  ['with a key of an unknown kind', withUnknownKey(intermediate.ca), false],
  ['without dates', withoutDates(intermediate.ca), false],
]
for (const [what, pem, leads] of intermediates)
  describe(`a chain over an intermediate ${what}`, () => {
    const chain = [leaf.cert, pem, root.ca].map(der)
    const rootKey = keyDigest({ cert: root.ca, key: '' })
    const records: [string, TlsaRecord][] = [
      ['2 0 1', { usage: 2, selector: 0, matchingType: 1, data: certificateDigest(root.ca) }],
      ['2 1 1', { usage: 2, selector: 1, matchingType: 1, data: rootKey }],
    ]
    it(`${leads ? 'leads' : 'does not lead'} to a trusted root`, () =>
      assert.equal(chainFault(['Server'], chain, [root.ca], now) === null, leads))
    for (const [form, record] of records)
      it(`${leads ? 'leads' : 'does not lead'} to the root that a TLSA record ${form} names`, () =>
        assert.equal(matchesTlsa([record], chain, names, [host], now), leads))
    it('matches a TLSA record 3 1 1 with the key of its leaf, and not one with the key of the root', () => {
      const record = { usage: 3, selector: 1, matchingType: 1, data: keyDigest(leaf) }
      assert.ok(matchesTlsa([record], chain, names, [host], now))
      assert.ok(!matchesTlsa([{ ...record, data: rootKey }], chain, names, [host], now))
    })
  })

describe('a certificate for clients only', () => {
  it('is not accepted as that of a server, neither by a trusted root nor by a TLSA record', async () => {
    const forClients = await intermediate.issue({ names: [host], purposes: ['clientAuth'] })
    const chain = [firstOf(forClients.cert), intermediate.ca, root.ca].map(der)
    const record = { usage: 2, selector: 0, matchingType: 1, data: certificateDigest(root.ca) }
    assert.equal(
      chainFault(['Server'], chain, [root.ca], now),
      'the certificate is not for TLS servers (extendedKeyUsage)',
    )
    assert.equal(matchesTlsa([record], chain, names, [host], now), false)
  })
})

describe('a certificate with an extension twice', () => {
  it('is not accepted, even as its own authority, because two programs may read different ones', async () => {
    const names = new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])
    for (const [extensions, fault] of [
      [[names], null],
      [[names, names], 'the certificate has an extension twice'],
    ] as const) {
      const { cert } = await intermediate.issue({ names: [], extensions: [...extensions] })
      assert.equal(chainFault(['Server'], [der(firstOf(cert))], [firstOf(cert)], now), fault)
    }
  })
})

describe('an authority with 490 name constraints', () => {
  it('may issue for 20 names, and not for 490, because their comparison would take too long', async () => {
    const excluded = Array.from({ length: 490 }, (_, index) => `excluded;DNS:x${index}.example`)
    const authority = await issueAuthority({ extensions: [`nameConstraints=critical,${excluded}`] })
    for (const [count, fault] of [
      [20, null],
      [
        490,
        'the trust anchor has name constraints that are too many to be compared with the names of the certificate',
      ],
    ] as const) {
      const names = Array.from({ length: count }, (_, index) => `DNS:a${index}.example`)
      const { cert } = await issueLeaf({ by: authority, names: `${names}` })
      assert.equal(chainFault(['Server'], [der(cert)], [authority.cert], now), fault)
    }
  })
})
