import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { before, it } from 'node:test'
import { AuthorityInfoAccessExtension, CRLDistributionPointsExtension } from '@peculiar/x509'
import { readRevocationEndpoints } from '../../../../shared/tls/revocation/endpoints.ts'
import { createPki, type Pki } from '../../../support/pki.ts'

let authority: Pki
before(async () => {
  authority = await createPki()
})

async function endpointsOf(urls: string[]) {
  const extensions = [
    new CRLDistributionPointsExtension(urls),
    new AuthorityInfoAccessExtension({ ocsp: urls, caIssuers: urls }),
  ]
  const { cert } = await authority.issue({ names: ['mx.bank.example'], extensions })
  return readRevocationEndpoints(new X509Certificate(cert))
}

it('the HTTP and HTTPS URLs of CRL, OCSP and issuer are read from a certificate', async () => {
  const urls = ['http://ca.example/a?b=c', 'https://ca.example/d']
  assert.deepEqual(await endpointsOf(urls), { crl: urls, ocsp: urls, issuers: urls })
})

for (const [what, url] of [
  ['a file URL', 'file:///etc/passwd'],
  ['an LDAP URL', 'ldap://ca.example/cn=a'],
  ['a URL that is too long', `http://ca.example/${'a'.repeat(2_048)}`],
] as const)
  it(`${what} in a certificate is ignored`, async () => {
    assert.deepEqual(await endpointsOf([url]), { crl: [], ocsp: [], issuers: [] })
  })

it('only the first eight of a hundred URLs in a certificate are read', async () => {
  const urls = Array.from({ length: 100 }, (_, index) => `http://ca.example/${index}`)
  const few = urls.slice(0, 8)
  assert.deepEqual(await endpointsOf(urls), { crl: few, ocsp: few, issuers: few })
})

it('a URL with a line break in a certificate is ignored', async () => {
  const endpoints = await endpointsOf(['http://ca.example/a\nOCSP - URI:http://evil.example/'])
  assert.deepEqual(endpoints, { crl: [], ocsp: [], issuers: [] })
})
