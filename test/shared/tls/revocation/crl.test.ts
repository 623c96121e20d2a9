import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  DistributionPointName,
  type Extension,
  GeneralName,
  IssuingDistributionPoint,
  Reason,
} from '@peculiar/asn1-x509'
import { CRLDistributionPointsExtension, KeyUsageFlags } from '@peculiar/x509'
import { statusInCrl } from '../../../../shared/tls/revocation/crl.ts'
import { createPki, type Pki } from '../../../support/pki.ts'
import { asPem, type CrlOptions, createCrl, extension } from '../../../support/revocation-documents.ts'

const distributionPoint = 'http://ca.example/7.crl'
const now = new Date()
let authority: Pki
let sameNameAuthority: Pki
let leaf: string
let otherLeaf: string
before(async () => {
  authority = await createPki('The CA')
  sameNameAuthority = await createPki('The CA')
  leaf = (
    await authority.issue({
      names: ['mx.bank.example'],
      extensions: [new CRLDistributionPointsExtension([distributionPoint])],
    })
  ).cert
  otherLeaf = (await authority.issue({ names: ['mx.other.example'] })).cert
})

const statusIn = (octets: Buffer, certificate = leaf, issuer = authority.ca, at = now) =>
  statusInCrl(octets, {
    certificate: new X509Certificate(certificate),
    issuer: new X509Certificate(issuer),
    at,
  })

const listWithLeaf = (options: CrlOptions = {}) =>
  createCrl(authority, { revoked: [{ certificate: leaf }], ...options })

const scope = (fields: Partial<IssuingDistributionPoint>, critical = true): Extension =>
  extension('2.5.29.28', Buffer.from(AsnConvert.serialize(new IssuingDistributionPoint(fields))), critical)

const at = (...urls: string[]) =>
  new DistributionPointName({
    fullName: urls.map((uniformResourceIdentifier) => new GeneralName({ uniformResourceIdentifier })),
  })

const integer = Buffer.from([0x02, 1, 5])

describe('a CRL', () => {
  it('gives a certificate that is not listed the status Good until nextUpdate', async () => {
    const nextUpdate = new Date('2099-01-02T03:04:05Z')
    const reported = statusIn(
      await createCrl(authority, { revoked: [{ certificate: otherLeaf }], nextUpdate }),
    )
    assert.deepEqual(reported, {
      status: 'Good',
      detail: 'not on the CRL',
      nextUpdate: '2099-01-02T03:04:05.000Z',
    })
  })

  it('without entries gives a certificate the status Good', async () => {
    assert.equal(statusIn(await createCrl(authority)).status, 'Good')
  })

  it('gives a listed certificate the status Revoked with date and reason', async () => {
    const since = new Date('2026-03-04T05:06:07Z')
    const revoked = [{ certificate: otherLeaf }, { certificate: leaf, at: since, reason: 1 }]
    const reported = statusIn(await createCrl(authority, { revoked }))
    assert.equal(reported.status, 'Revoked')
    assert.equal(reported.detail, 'revoked on 2026-03-04T05:06:07.000Z: keyCompromise')
  })

  it('may be in PEM', async () => {
    assert.equal(statusIn(asPem(await listWithLeaf())).status, 'Revoked')
  })

  it('may have an entry without a reason', async () => {
    assert.match(statusIn(await listWithLeaf()).detail, /: unspecified$/)
  })

  it('gives a certificate with the reason removeFromCRL the status Good', async () => {
    assert.equal(statusIn(await listWithLeaf({ revoked: [{ certificate: leaf, reason: 8 }] })).status, 'Good')
  })

  const scopes: { about: string; fields: () => Partial<IssuingDistributionPoint>; reported: RegExp }[] = [
    {
      about: "the certificate's distribution point",
      fields: () => ({ distributionPoint: at('http://x.example/', distributionPoint) }),
      reported: /^Revoked/,
    },
    { about: 'end certificates only', fields: () => ({ onlyContainsUserCerts: true }), reported: /^Revoked/ },
    {
      about: 'another distribution point',
      fields: () => ({ distributionPoint: at('http://ca.example/8.crl') }),
      reported: /^Unknown The CRL covers other certificates of the issuer/,
    },
    {
      about: 'authorities only',
      fields: () => ({ onlyContainsCACerts: true }),
      reported: /^Unknown The CRL covers CA certificates only/,
    },
    {
      about: 'attribute certificates only',
      fields: () => ({ onlyContainsAttributeCerts: true }),
      reported: /^Unknown The CRL covers attribute certificates only/,
    },
    {
      about: 'several issuers',
      fields: () => ({ indirectCRL: true }),
      reported: /^Unknown The CRL is an indirect CRL/,
    },
    {
      about: 'some reasons only',
      fields: () => ({ onlySomeReasons: new Reason(2) }),
      reported: /^Unknown The CRL covers some reasons only/,
    },
  ]
  for (const { about, fields, reported } of scopes)
    it(`about ${about} gives a listed certificate the status ${reported.source.slice(1, 8)}`, async () => {
      const { status, detail } = statusIn(await listWithLeaf({ extensions: [scope(fields())] }))
      assert.match(`${status} ${detail}`, reported)
    })

  it('about end certificates only does not cover a listed authority', async () => {
    const below = await authority.subordinate('Below')
    const list = await createCrl(authority, {
      revoked: [{ certificate: below.ca }],
      extensions: [scope({ onlyContainsUserCerts: true })],
    })
    assert.match(statusIn(list, below.ca).detail, /does not cover CA certificates/)
  })

  const unusable: { what: string; list: () => Promise<Buffer>; detail: RegExp }[] = [
    {
      what: 'of another issuer',
      list: async () => createCrl(await createPki('Another CA'), { revoked: [] }),
      detail: /is not from the certificate's issuer/,
    },
    {
      what: 'signed by another authority with the issuer’s name',
      list: () => listWithLeaf({ signedBy: sameNameAuthority }),
      detail: /is not signed by the certificate's issuer/,
    },
    {
      what: 'changed in transit',
      list: async () => {
        const list = await createCrl(authority, { revoked: [{ certificate: otherLeaf }] })
        const entry = list.indexOf(Buffer.from(new X509Certificate(otherLeaf).serialNumber, 'hex'))
        list[entry + 3] = (list[entry + 3] ?? 0) ^ 1
        return list
      },
      detail: /is not signed by the certificate's issuer/,
    },
    {
      what: 'that has expired',
      list: () => listWithLeaf({ nextUpdate: new Date(now.getTime() - 301_000) }),
      detail: /expired at/,
    },
    {
      what: 'whose thisUpdate is in the future',
      list: () => listWithLeaf({ thisUpdate: new Date(now.getTime() + 302_000) }),
      detail: /in the future/,
    },
    {
      what: 'without nextUpdate',
      list: () => listWithLeaf({ nextUpdate: null }),
      detail: /has no nextUpdate/,
    },
    {
      what: 'with a delta indicator',
      list: () => listWithLeaf({ extensions: [extension('2.5.29.27', integer, true)] }),
      detail: /is a delta CRL/,
    },
    {
      what: 'with an unknown critical extension',
      list: () => listWithLeaf({ extensions: [extension('1.2.3.4', integer, true)] }),
      detail: /unknown critical extension: 1\.2\.3\.4/,
    },
    {
      what: "with another certificate's entry that has an unknown critical extension",
      list: () =>
        listWithLeaf({
          revoked: [
            { certificate: otherLeaf, extensions: [extension('1.2.3.4', integer, true)] },
            { certificate: leaf },
          ],
        }),
      detail: /an entry with an unknown critical extension/,
    },
    {
      what: 'that is truncated',
      list: async () => (await listWithLeaf()).subarray(0, -9),
      detail: /cannot be read/,
    },
    { what: 'that is a web page', list: async () => Buffer.from('<html>'), detail: /cannot be read/ },
    { what: 'that is empty', list: async () => Buffer.alloc(0), detail: /cannot be read/ },
  ]
  for (const { what, list, detail } of unusable)
    it(`${what} is unusable`, async () => {
      const reported = statusIn(await list())
      assert.equal(reported.status, 'Unknown')
      assert.match(reported.detail, detail)
      assert.equal(reported.nextUpdate, null)
    })

  it('whose issuer may not sign CRLs is unusable', async () => {
    const below = await authority.subordinate('Below', { keyUsage: KeyUsageFlags.keyCertSign })
    const { cert } = await below.issue({ names: ['mx.bank.example'] })
    assert.match(statusIn(await createCrl(below), cert, below.ca).detail, /may not sign CRLs/)
  })

  it('with extensions that are not critical, in list and entry, is usable', async () => {
    const list = await listWithLeaf({
      extensions: [extension('1.2.3.4', integer), extension('2.5.29.20', integer)],
      revoked: [{ certificate: leaf, reason: 4, extensions: [extension('1.2.3.4', integer)] }],
    })
    assert.match(statusIn(list).detail, /superseded$/)
  })

  it('is usable until five minutes after its nextUpdate', async () => {
    const nextUpdate = new Date('2026-05-01T00:00:00Z')
    const list = await listWithLeaf({ thisUpdate: new Date('2026-04-24T00:00:00Z'), nextUpdate })
    const reported = (moment: string) => statusIn(list, leaf, authority.ca, new Date(moment)).status
    assert.equal(reported('2026-05-01T00:05:00Z'), 'Revoked')
    assert.equal(reported('2026-05-01T00:05:01Z'), 'Unknown')
  })

  it('may have a nextUpdate in 2050, where the date format changes', async () => {
    const list = await listWithLeaf({ nextUpdate: new Date('2050-01-01T00:00:00Z') })
    assert.equal(statusIn(list).nextUpdate, '2050-01-01T00:00:00.000Z')
  })
})

it('a certificate that is not among a hundred thousand entries of a CRL has the status Good', {
  timeout: 20_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crl-'))
  try {
    const list = hugeList(folder, 100_000)
    const reported = statusIn(list.octets, list.certificate, list.certificate)
    assert.equal(reported.status, 'Good')
    assert.ok(list.octets.length > 3_000_000)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Creates the list with OpenSSL and an RSA key, as authorities do. */
function hugeList(folder: string, entries: number): { octets: Buffer; certificate: string } {
  const file = (name: string) => join(folder, name)
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  run(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'key.pem',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Huge',
  )
  const serial = (index: number) => (0x7a0000000000n + BigInt(index)).toString(16).toUpperCase()
  const lines = Array.from(
    { length: entries },
    (_, index) => `R\t300101000000Z\t260101000000Z,keyCompromise\t${serial(index)}\tunknown\t/CN=x${index}`,
  )
  writeFileSync(file('index.txt'), `${lines.join('\n')}\n`)
  const config = [
    '[ca]',
    'default_ca=d',
    '[d]',
    'database=index.txt',
    'default_md=sha256',
    'default_crl_days=7',
  ]
  writeFileSync(file('ca.cnf'), `${config.join('\n')}\n`)
  run('ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'key.pem', '-cert', 'ca.pem', '-out', 'huge.pem')
  run('crl', '-in', 'huge.pem', '-outform', 'DER', '-out', 'huge.crl')
  return { octets: readFileSync(file('huge.crl')), certificate: readFileSync(file('ca.pem'), 'utf8') }
}
