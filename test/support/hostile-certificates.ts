/** Certificates of one mail server, in each state that its administrator or an attacker may cause. */
import 'reflect-metadata'
import { createHash, X509Certificate } from 'node:crypto'
import { PemConverter } from '@peculiar/x509'
import {
  createPki,
  daysFromNow,
  type Identity,
  type LeafOptions,
  type Pki,
  selfSigned,
  withoutDates,
} from './pki.ts'

export const host = 'mx.partner.example'

/** Certificates by name, as PEM: the leaf first and the root last (RFC 7672 §3.1.2). */
export type Certificates = Awaited<ReturnType<typeof createCertificates>>
export type CertificateName = keyof Certificates

export interface HostileCertificates {
  /** An authority whose root is in every trust store. */
  publicAuthority: Pki
  /** The partner's own authority, which is in no trust store. A connector names it. */
  ownAuthority: Pki
  /** Certificates issued under each authority. */
  underPublic: Certificates
  underOwn: Certificates
  /** Roots in every trust store. */
  publicRoots: string[]
}

export async function createHostileCertificates(): Promise<HostileCertificates> {
  const [publicAuthority, otherPublic, ownAuthority, unrelated] = await Promise.all(
    ['Public CA', 'Other public CA', 'Own CA', 'Unrelated CA'].map(createPki),
  )
  if (!publicAuthority || !otherPublic || !ownAuthority || !unrelated) throw new Error('no authorities')
  const others = { otherPublic, own: ownAuthority, unrelated }
  const [underPublic, underOwn] = await Promise.all([
    createCertificates(publicAuthority, others),
    createCertificates(ownAuthority, others),
  ])
  const publicRoots = [publicAuthority.ca, otherPublic.ca]
  return { publicAuthority, ownAuthority, underPublic, underOwn, publicRoots }
}

interface Others {
  otherPublic: Pki
  own: Pki
  unrelated: Pki
}

async function createCertificates(root: Pki, { otherPublic, own, unrelated }: Others) {
  const intermediate = await root.subordinate('Intermediate')
  const late = { notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }
  const expired = await root.subordinate('Expired intermediate', late)
  const impostor = await root.subordinate(host, { isAuthority: false })
  const names = [host]
  const issueLeaf = async (
    options: LeafOptions,
    by: Pki = intermediate,
    top: Pki = root,
  ): Promise<Identity> => withRoot(await by.issue(options), top)
  const plainLeaf = await intermediate.issue({ names })
  return {
    good: await issueLeaf({ names }),
    selfSigned: await selfSigned({ names }),
    unrelated: await issueLeaf({ names }, unrelated, unrelated),
    expired: await issueLeaf({ names, ...late }),
    notYetValid: await issueLeaf({ names, notBefore: daysFromNow(2), notAfter: daysFromNow(9) }),
    otherName: await issueLeaf({ names: ['mx.another.example'] }),
    otherNameBesideCommonName: await issueLeaf({ names: ['mx.another.example'], commonName: host }),
    commonNameOnly: await issueLeaf({ names: [], commonName: host }),
    wildcard: await issueLeaf({ names: ['*.partner.example'] }),
    wildcardAbove: await issueLeaf({ names: ['*.example'] }),
    wildcardBelow: await issueLeaf({ names: [`*.${host}`] }),
    wildcardWithin: await issueLeaf({ names: ['m*.partner.example'] }),
    nameWithNul: await issueLeaf({ names: [`${host}\0.attacker.example`] }),
    nameWithComma: await issueLeaf({ names: [`attacker.example, DNS:${host}`] }),
    longChain: withRoot({ ...plainLeaf, cert: withUnrelated(plainLeaf.cert, unrelated.ca, 60) }, root),
    endlessChain: withRoot({ ...plainLeaf, cert: withUnrelated(plainLeaf.cert, unrelated.ca, 400) }, root),
    withoutIntermediate: withRoot({ ...plainLeaf, cert: firstOf(plainLeaf.cert) }, root),
    expiredIntermediate: await issueLeaf({ names }, expired),
    leafAsAuthority: await issueLeaf({ names }, impostor),
    clientOnly: await issueLeaf({ names, purposes: ['clientAuth'] }),
    weakKey: await issueLeaf({ names, rsa: 1024 }),
    otherPublic: await issueLeaf({ names }, otherPublic, otherPublic),
    own: await issueLeaf({ names }, own, own),
    undated: await undatedOf(names, intermediate, root),
    undatedIntermediate: withRoot(
      { cert: [firstOf(plainLeaf.cert), withoutDates(intermediate.ca)].join('\n'), key: plainLeaf.key },
      root,
    ),
  }
}

/** Returns the certificate with a public key of an unknown algorithm. */
export function withUnknownKey(pem: string): string {
  const der = Buffer.from(PemConverter.decodeFirst(pem))
  // The object identifier id-ecPublicKey in DER (RFC 5480 §2.1.1). Its last octet is replaced.
  const kind = der.indexOf(Buffer.from('06072a8648ce3d0201', 'hex'))
  der[kind + 8] = 0x7f
  return PemConverter.encode(der, 'CERTIFICATE')
}

async function undatedOf(names: string[], by: Pki, root: Pki): Promise<Identity> {
  const { cert, key } = await by.issue({ names })
  const leaf = firstOf(cert)
  return withRoot({ cert: cert.replace(leaf, withoutDates(leaf)), key }, root)
}

/** Appends unrelated certificates to a chain. */
const withUnrelated = (chain: string, unrelated: string, count: number): string =>
  [chain, ...Array<string>(count).fill(unrelated)].join('\n')

const withRoot = ({ cert, key }: Identity, { ca }: Pki): Identity => ({ cert: `${cert}\n${ca}`, key })

/** Returns the first of several PEM certificates. */
export const firstOf = (pem: string): string =>
  /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(pem)?.[0] ?? ''

/** Data of a TLSA record with usage 3, selector 1, matching type 1 (RFC 6698 §2.1). */
export function keyDigest({ cert }: Identity): string {
  const key = new X509Certificate(firstOf(cert)).publicKey
  return sha256(key.export({ type: 'spki', format: 'der' }))
}

/** Data of a TLSA record with usage 2, selector 0, matching type 1. */
export const certificateDigest = (pem: string): string => sha256(new X509Certificate(pem).raw)

const sha256 = (octets: Buffer): string => createHash('sha256').update(octets).digest('hex')
