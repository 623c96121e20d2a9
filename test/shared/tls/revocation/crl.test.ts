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
import { asPem, type CrlOptions, crlOf, extension } from '../../../support/revocation-documents.ts'

const own = 'http://ca.example/7.crl'
const now = new Date()
let authority: Pki
let other: Pki
let leaf: string
let stranger: string
before(async () => {
  authority = await createPki('The CA')
  other = await createPki('The CA')
  leaf = (
    await authority.issue({
      names: ['mx.bank.example'],
      extensions: [new CRLDistributionPointsExtension([own])],
    })
  ).cert
  stranger = (await authority.issue({ names: ['mx.other.example'] })).cert
})

const ask = (octets: Buffer, certificate = leaf, issuer = authority.ca, at = now) =>
  statusInCrl(octets, {
    certificate: new X509Certificate(certificate),
    issuer: new X509Certificate(issuer),
    at,
  })

const listed = (options: CrlOptions = {}) =>
  crlOf(authority, { revoked: [{ certificate: leaf }], ...options })

const scope = (fields: Partial<IssuingDistributionPoint>, critical = true): Extension =>
  extension('2.5.29.28', Buffer.from(AsnConvert.serialize(new IssuingDistributionPoint(fields))), critical)

const at = (...urls: string[]) =>
  new DistributionPointName({
    fullName: urls.map((uniformResourceIdentifier) => new GeneralName({ uniformResourceIdentifier })),
  })

const integer = Buffer.from([0x02, 1, 5])

describe('A revocation list', () => {
  it('that does not list a certificate says that it is good, until its next update', async () => {
    const nextUpdate = new Date('2099-01-02T03:04:05Z')
    const told = ask(await crlOf(authority, { revoked: [{ certificate: stranger }], nextUpdate }))
    assert.deepEqual(told, {
      status: 'Good',
      detail: 'not on the CRL',
      nextUpdate: '2099-01-02T03:04:05.000Z',
    })
  })

  it('without any entry says that a certificate is good', async () => {
    assert.equal(ask(await crlOf(authority)).status, 'Good')
  })

  it('that lists a certificate says when and why it was revoked', async () => {
    const since = new Date('2026-03-04T05:06:07Z')
    const revoked = [{ certificate: stranger }, { certificate: leaf, at: since, reason: 1 }]
    const told = ask(await crlOf(authority, { revoked }))
    assert.equal(told.status, 'Revoked')
    assert.equal(told.detail, 'revoked on 2026-03-04T05:06:07.000Z: keyCompromise')
  })

  it('may be written in PEM', async () => {
    assert.equal(ask(asPem(await listed())).status, 'Revoked')
  })

  it('counts an entry that gives no reason', async () => {
    assert.match(ask(await listed()).detail, /: unspecified$/)
  })

  it('may take an entry back', async () => {
    assert.equal(ask(await listed({ revoked: [{ certificate: leaf, reason: 8 }] })).status, 'Good')
  })

  const scopes: { about: string; fields: () => Partial<IssuingDistributionPoint>; told: RegExp }[] = [
    {
      about: 'the certificates of its own place',
      fields: () => ({ distributionPoint: at('http://x.example/', own) }),
      told: /^Revoked/,
    },
    { about: 'servers and people', fields: () => ({ onlyContainsUserCerts: true }), told: /^Revoked/ },
    {
      about: 'those of another place',
      fields: () => ({ distributionPoint: at('http://ca.example/8.crl') }),
      told: /^Unknown The CRL covers other certificates of the issuer/,
    },
    {
      about: 'authorities',
      fields: () => ({ onlyContainsCACerts: true }),
      told: /^Unknown The CRL covers CA certificates only/,
    },
    {
      about: 'attributes',
      fields: () => ({ onlyContainsAttributeCerts: true }),
      told: /^Unknown The CRL covers attribute certificates only/,
    },
    {
      about: 'several issuers',
      fields: () => ({ indirectCRL: true }),
      told: /^Unknown The CRL is about certificates of several issuers/,
    },
    {
      about: 'some reasons',
      fields: () => ({ onlySomeReasons: new Reason(2) }),
      told: /^Unknown The CRL covers some reasons only/,
    },
  ]
  for (const { about, fields, told } of scopes)
    it(`about ${about} tells ${told.source.slice(1, 8)}`, async () => {
      const { status, detail } = ask(await listed({ extensions: [scope(fields())] }))
      assert.match(`${status} ${detail}`, told)
    })

  it('about servers and people says nothing of an authority', async () => {
    const below = await authority.subordinate('Below')
    const list = await crlOf(authority, {
      revoked: [{ certificate: below.ca }],
      extensions: [scope({ onlyContainsUserCerts: true })],
    })
    assert.match(ask(list, below.ca).detail, /does not cover CA certificates/)
  })

  const useless: { what: string; list: () => Promise<Buffer>; detail: RegExp }[] = [
    {
      what: 'of another issuer',
      list: async () => crlOf(await createPki('Another CA'), { revoked: [] }),
      detail: /is not of the issuer/,
    },
    {
      what: 'signed by a namesake of the issuer',
      list: () => listed({ signedBy: other }),
      detail: /is not signed by the issuer/,
    },
    {
      what: 'that was changed on the way',
      list: async () => {
        const list = await crlOf(authority, { revoked: [{ certificate: stranger }] })
        const entry = list.indexOf(Buffer.from(new X509Certificate(stranger).serialNumber, 'hex'))
        list[entry + 3] = (list[entry + 3] ?? 0) ^ 1
        return list
      },
      detail: /is not signed by the issuer/,
    },
    {
      what: 'that is out of date',
      list: () => listed({ nextUpdate: new Date(now.getTime() - 301_000) }),
      detail: /expired at/,
    },
    {
      what: 'of the future',
      list: () => listed({ thisUpdate: new Date(now.getTime() + 302_000) }),
      detail: /in the future/,
    },
    {
      what: 'that never ends',
      list: () => listed({ nextUpdate: null }),
      detail: /has no nextUpdate/,
    },
    {
      what: 'that is but a part of one',
      list: () => listed({ extensions: [extension('2.5.29.27', integer, true)] }),
      detail: /is but a part of one/,
    },
    {
      what: 'with a critical extension that nobody knows',
      list: () => listed({ extensions: [extension('1.2.3.4', integer, true)] }),
      detail: /critical extension that is not known here: 1\.2\.3\.4/,
    },
    {
      what: 'with an entry, of another certificate, whose critical extension nobody knows',
      list: () =>
        listed({
          revoked: [
            { certificate: stranger, extensions: [extension('1.2.3.4', integer, true)] },
            { certificate: leaf },
          ],
        }),
      detail: /an entry with a critical extension/,
    },
    {
      what: 'that is cut short',
      list: async () => (await listed()).subarray(0, -9),
      detail: /cannot be read/,
    },
    { what: 'that is a web page', list: async () => Buffer.from('<html>'), detail: /cannot be read/ },
    { what: 'that is empty', list: async () => Buffer.alloc(0), detail: /cannot be read/ },
  ]
  for (const { what, list, detail } of useless)
    it(`${what} says nothing`, async () => {
      const told = ask(await list())
      assert.equal(told.status, 'Unknown')
      assert.match(told.detail, detail)
      assert.equal(told.nextUpdate, null)
    })

  it('whose issuer may sign none says nothing', async () => {
    const below = await authority.subordinate('Below', { keyUsage: KeyUsageFlags.keyCertSign })
    const { cert } = await below.issue({ names: ['mx.bank.example'] })
    assert.match(ask(await crlOf(below), cert, below.ca).detail, /may sign none/)
  })

  it('with an extension that is not critical, of the list and of an entry, counts', async () => {
    const list = await listed({
      extensions: [extension('1.2.3.4', integer), extension('2.5.29.20', integer)],
      revoked: [{ certificate: leaf, reason: 4, extensions: [extension('1.2.3.4', integer)] }],
    })
    assert.match(ask(list).detail, /superseded$/)
  })

  it('counts until its last moment, and five minutes longer', async () => {
    const nextUpdate = new Date('2026-05-01T00:00:00Z')
    const list = await listed({ thisUpdate: new Date('2026-04-24T00:00:00Z'), nextUpdate })
    const told = (moment: string) => ask(list, leaf, authority.ca, new Date(moment)).status
    assert.equal(told('2026-05-01T00:05:00Z'), 'Revoked')
    assert.equal(told('2026-05-01T00:05:01Z'), 'Unknown')
  })

  it('may reach beyond 2049, where dates are written otherwise', async () => {
    const list = await listed({ nextUpdate: new Date('2050-01-01T00:00:00Z') })
    assert.equal(ask(list).nextUpdate, '2050-01-01T00:00:00.000Z')
  })
})

it('A hundred thousand entries are looked through', {
  timeout: 20_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crl-'))
  try {
    const list = hugeList(folder, 100_000)
    const told = ask(list.octets, list.certificate, list.certificate)
    assert.equal(told.status, 'Good')
    assert.ok(list.octets.length > 3_000_000)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Made by OpenSSL, with an RSA key: as its authorities make theirs. */
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
