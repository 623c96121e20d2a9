import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { certificatesIn } from '../../../../shared/tls/pem.ts'
import { linksOf } from '../../../../shared/tls/revocation/links.ts'
import { createPki, type Pki } from '../../../support/pki.ts'

let root: Pki
let middle: Pki
let leaf: string
before(async () => {
  root = await createPki('Root')
  middle = await root.subordinate('Middle')
  ;[leaf = ''] = certificatesIn((await middle.issue({ names: ['mx.bank.example'] })).cert)
})

const nameOf = (certificate: X509Certificate | null) => certificate?.subject ?? 'none'
/** The links as texts `certificate < issuer`. */
const links = (chain: string[], anchors: string[]) =>
  linksOf(
    chain.map((pem) => new X509Certificate(pem)),
    anchors.map((pem) => new X509Certificate(pem)),
  ).map(({ certificate, issuer }) => `${nameOf(certificate)} < ${nameOf(issuer)}`)

const wholeChain = ['CN=mx.bank.example < CN=Middle', 'CN=Middle < CN=Root']

describe('the links of a chain', () => {
  it('hold each certificate below the trust anchor', () => {
    assert.deepEqual(links([leaf, middle.ca], [root.ca]), wholeChain)
  })

  it('do not depend on the order of the chain or on other certificates', async () => {
    const unrelatedCa = await createPki('Unrelated CA')
    assert.deepEqual(links([leaf, root.ca, unrelatedCa.ca, middle.ca], [root.ca]), wholeChain)
  })

  it('hold nothing above the trust anchor', () => {
    assert.deepEqual(links([leaf, middle.ca, root.ca], [middle.ca]), wholeChain.slice(0, 1))
  })

  it('do not hold the trust anchor itself', () => assert.deepEqual(links([leaf], [leaf]), []))

  it('do not hold a self-signed certificate', () => assert.deepEqual(links([root.ca], []), []))

  it('have no issuer if the issuer is missing', () => {
    assert.deepEqual(links([leaf], [root.ca]), ['CN=mx.bank.example < none'])
  })

  it("have the real issuer, not a certificate with the issuer's name and another key", async () => {
    const namesake = await root.subordinate('Middle')
    assert.deepEqual(links([leaf, namesake.ca, middle.ca], [root.ca]), wholeChain)
    assert.deepEqual(links([leaf, namesake.ca], [root.ca]), ['CN=mx.bank.example < none'])
  })

  it('are at most eight', async () => {
    let last = root
    const chain: string[] = []
    for (let depth = 0; depth < 12; depth += 1) {
      last = await last.subordinate(`Level ${depth}`)
      chain.unshift(last.ca)
    }
    assert.equal(links(chain, [root.ca]).length, 8)
  })
})
