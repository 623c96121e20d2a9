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

const nameOf = (certificate: X509Certificate | null) => certificate?.subject ?? 'nobody'
/** As `whom < issuer`. */
const links = (chain: string[], anchors: string[]) =>
  linksOf(
    chain.map((pem) => new X509Certificate(pem)),
    anchors.map((pem) => new X509Certificate(pem)),
  ).map(({ certificate, issuer }) => `${nameOf(certificate)} < ${nameOf(issuer)}`)

const whole = ['CN=mx.bank.example < CN=Middle', 'CN=Middle < CN=Root']

describe('Of a chain is asked', () => {
  it('each certificate below whom the reader trusts', () => {
    assert.deepEqual(links([leaf, middle.ca], [root.ca]), whole)
  })

  it('the same whatever its order, and whoever stands beside it', async () => {
    const stranger = await createPki('Stranger')
    assert.deepEqual(links([leaf, root.ca, stranger.ca, middle.ca], [root.ca]), whole)
  })

  it('nothing above whom the reader trusts', () => {
    assert.deepEqual(links([leaf, middle.ca, root.ca], [middle.ca]), whole.slice(0, 1))
  })

  it('nothing of whom the reader trusts itself', () => assert.deepEqual(links([leaf], [leaf]), []))

  it('nothing of who issued itself', () => assert.deepEqual(links([root.ca], []), []))

  it('of nobody where the issuer is not there', () => {
    assert.deepEqual(links([leaf], [root.ca]), ['CN=mx.bank.example < nobody'])
  })

  it('of the issuer, and not of a namesake with another key', async () => {
    const namesake = await root.subordinate('Middle')
    assert.deepEqual(links([leaf, namesake.ca, middle.ca], [root.ca]), whole)
    assert.deepEqual(links([leaf, namesake.ca], [root.ca]), ['CN=mx.bank.example < nobody'])
  })

  it('no more than eight', async () => {
    let last = root
    const chain: string[] = []
    for (let depth = 0; depth < 12; depth += 1) {
      last = await last.subordinate(`Level ${depth}`)
      chain.unshift(last.ca)
    }
    assert.equal(links(chain, [root.ca]).length, 8)
  })
})
