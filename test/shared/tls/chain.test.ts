import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto, X509Certificate } from 'node:crypto'
import { before, describe, mock, test } from 'node:test'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { chainFault } from '../../../shared/tls/chain.ts'
import { mailPurposes } from '../../../shared/tls/purpose.ts'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const year = (offset: number) => new Date(Date.UTC(2026 + offset, 0, 1))
const now = new Date('2026-06-01T00:00:00Z')

interface Holder {
  name: string
  keys: CryptoKeyPair
  pem: string
  /** Base64 DER, as in the facts. */
  der: string
}

type CryptoKeyPair = Awaited<ReturnType<typeof newKeys>>
const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

interface Issuing {
  ca?: boolean
  from?: Date
  to?: Date
  /** The keys of another certificate, for a renewal. */
  keys?: CryptoKeyPair
  purposes?: string[]
  pathLength?: number
}

async function issue(
  name: string,
  issuer: Holder | null,
  { ca = false, from = year(-1), to = year(1), keys: existingKeys, purposes, pathLength }: Issuing = {},
): Promise<Holder> {
  const keys = existingKeys ?? (await newKeys())
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    notBefore: from,
    notAfter: to,
    extensions: [
      new BasicConstraintsExtension(ca, pathLength, true),
      ...(purposes ? [new ExtendedKeyUsageExtension(purposes)] : []),
    ],
  })
  return {
    name,
    keys,
    pem: certificate.toString('pem'),
    der: Buffer.from(certificate.rawData).toString('base64'),
  }
}

const isTrusted = (chain: string[], authorities: string[]) =>
  chainFault(mailPurposes, chain, authorities, now) === null

const holders: Record<string, Holder> = {}
const holderOf = (name: string): Holder => holders[name] ?? assert.fail(`no certificate ${name}`)

async function widePath(root: Holder): Promise<Holder> {
  holders.wide = await issue('Wide', root, { ca: true, pathLength: 300 })
  holders.wideBelow = await issue('Wide below', holders.wide, { ca: true })
  return holders.wideBelow
}

before(async () => {
  const root = await issue('Root', null, { ca: true })
  const intermediate = await issue('Intermediate', root, { ca: true })
  const lookAlike = await issue('Root', null, { ca: true })
  const staleIntermediate = await issue('Stale', root, { ca: true, to: year(0) })
  const leaf = await issue('Leaf', intermediate)
  const otherRoot = await issue('Other root', null, { ca: true })
  Object.assign(holders, {
    root,
    intermediate,
    lookAlike,
    staleIntermediate,
    leaf,
    otherRoot,
    direct: await issue('Direct', root),
    forged: await issue('Forged', lookAlike),
    underStale: await issue('Under stale', staleIntermediate),
    underLeaf: await issue('Under leaf', leaf),
    expired: await issue('Expired', root, { to: year(0) }),
    future: await issue('Future', root, { from: year(1), to: year(2) }),
    expiredRoot: await issue('Expired root', null, { ca: true, to: year(0) }),
    lonely: await issue('Lonely', null),
    renewed: await issue('Stale', root, { ca: true, keys: staleIntermediate.keys }),
    forServers: await issue('For servers', root, { purposes: ['1.3.6.1.5.5.7.3.1'] }),
    forCode: await issue('For code', root, { purposes: ['1.3.6.1.5.5.7.3.3'] }),
  })
  const narrow = await issue('Narrow', root, { ca: true, pathLength: 0 })
  const below = await issue('Below', narrow, { ca: true })
  const narrowRoot = await issue('Narrow root', null, { ca: true, pathLength: 0 })
  const belowRoot = await issue('Below root', narrowRoot, { ca: true })
  Object.assign(holders, {
    narrow,
    below,
    narrowRoot,
    belowRoot,
    underNarrow: await issue('Under narrow', narrow),
    underBelow: await issue('Under below', below),
    underBelowRoot: await issue('Under below root', belowRoot),
    underWide: await issue('Under wide', await widePath(root)),
  })
  holders.underLonely = await issue('Under lonely', holderOf('lonely'))
  holders.underExpiredRoot = await issue('Under expired root', holderOf('expiredRoot'))
})

describe('a presented chain of certificates', () => {
  const rows: [name: string, chain: string[], authorities: string[], trusted: boolean][] = [
    ['whose leaf is issued by the listed authority', ['direct'], ['root'], true],
    ['over an intermediate to the listed authority', ['leaf', 'intermediate'], ['root'], true],
    [
      'over an intermediate, with its root, in another order,',
      ['leaf', 'root', 'intermediate'],
      ['root'],
      true,
    ],
    ['whose leaf is issued by a listed intermediate', ['leaf'], ['intermediate'], true],
    ['whose self-signed leaf is itself listed', ['lonely'], ['lonely'], true],
    ['whose leaf is issued by one of several listed authorities', ['direct'], ['otherRoot', 'root'], true],
    ['without its intermediate', ['leaf'], ['root'], false],
    ['whose leaf is issued by an authority that is not listed', ['direct'], ['otherRoot'], false],
    [
      'of an authority with the name of a listed one and another key',
      ['forged', 'lookAlike'],
      ['root'],
      false,
    ],
    ['with an expired leaf', ['expired'], ['root'], false],
    ['with a leaf that is not valid yet', ['future'], ['root'], false],
    ['over an expired intermediate', ['underStale', 'staleIntermediate'], ['root'], false],
    ['to a listed authority that has expired', ['underExpiredRoot'], ['expiredRoot'], false],
    ['over a certificate that is no authority', ['underLeaf', 'leaf', 'intermediate'], ['root'], false],
    [
      'over an expired intermediate and its renewal',
      ['underStale', 'staleIntermediate', 'renewed'],
      ['root'],
      true,
    ],
    ['with a leaf for servers only', ['forServers'], ['root'], true],
    ['with a leaf for signed code only', ['forCode'], ['root'], false],
    ['whose leaf is issued by a listed certificate that is no authority', ['underLonely'], ['lonely'], false],
    [
      'whose leaf is directly below an authority with the path length 0',
      ['underNarrow', 'narrow'],
      ['root'],
      true,
    ],
    ["longer than an intermediate's path length permits", ['underBelow', 'below', 'narrow'], ['root'], false],
    ["longer than the root's path length permits", ['underBelowRoot', 'belowRoot'], ['narrowRoot'], false],
    [
      "longer than an unlisted authority's path length permits, below a listed one,",
      ['underBelow', 'below', 'narrow'],
      ['below'],
      true,
    ],
    ['below an authority with the path length 300', ['underWide', 'wideBelow', 'wide'], ['root'], true],
    ['that is empty', [], ['root'], false],
    ['when no authority is listed', ['direct'], [], false],
  ]
  for (const [name, chain, authorities, trusted] of rows) {
    test(`${name} is ${trusted ? '' : 'not '}trusted`, () => {
      const ders = chain.map((holder) => holderOf(holder).der)
      const pems = authorities.map((holder) => holderOf(holder).pem)
      assert.equal(isTrusted(ders, pems), trusted)
    })
  }

  test('is not trusted, and its evaluation ends, if it is circular', () => {
    const ders = ['lookAlike', 'root', 'lookAlike', 'root'].map((holder) => holderOf(holder).der)
    assert.equal(isTrusted(ders, [holderOf('otherRoot').pem]), false)
  })

  test('costs at most one check of each signature by each issuer if its certificates are cross-signed', async () => {
    const keys = await newKeys()
    const circle = await issue('Circle', null, { ca: true, keys })
    const ders = [(await issue('Deep', circle)).der]
    for (let count = 0; count < 5; count++) ders.push((await issue('Circle', circle, { ca: true, keys })).der)
    const verify = mock.method(X509Certificate.prototype, 'verify')
    try {
      assert.equal(isTrusted(ders, [holderOf('root').pem, holderOf('otherRoot').pem]), false)
      assert.equal(isTrusted(ders, [holderOf('root').pem]), false)
      assert.ok(verify.mock.callCount() <= 6 * 6, `${verify.mock.callCount()} signatures were verified`)
    } finally {
      verify.mock.restore()
    }
  })
})
