/**
 * The kinds of chains, and for each the expected result. Of weak certificates, openssl(1) creates all and a Node peer
 * with security level 0 loads all; where a handshake is impossible, the table says so.
 */
import { host } from '../../../support/hostile-certificates.ts'
import {
  type AuthorityRequest,
  type Issued,
  issue,
  issueAuthority,
  issueLeaf,
  type LeafRequest,
} from './openssl.ts'

export interface Chain {
  /** Leaf first. */
  presented: readonly Issued[]
  /** The trust anchors: the connector's own authorities, or the public roots. */
  anchors: readonly Issued[]
}

export type Cell = `${'own' | 'public'} ${'in' | 'out'}`

export interface Kind {
  name: string
  make: () => Promise<Chain>
  /** `trusted`, or the fault that chainFault returns. It holds in each cell that `cells` does not list. */
  result: string
  /** Results in which OpenSSL's code comes first, and impossible handshakes. */
  cells?: Cells
  /** Whether `explain` trusts the chain although OpenSSL, which follows one path only, does not. */
  isTrustedIfExplained?: true
}

/** A key without version holds for TLS 1.2 and 1.3. */
type Cells = Partial<Record<Cell | `${Cell} ${'1.2' | '1.3'}`, string>>

const root = await issueAuthority({ subject: '/CN=Root CA', days: { from: -20, to: 30 } })
const anchors = [root]

/** A leaf below the root. */
const leaf =
  (request: LeafRequest, by: Issued = root) =>
  async (): Promise<Chain> => ({
    presented: [await issueLeaf({ by, ...request })],
    anchors: [by],
  })

/** A leaf below an intermediate authority below the root. */
const below =
  (authority: AuthorityRequest, request: LeafRequest = {}) =>
  async (): Promise<Chain> => {
    const intermediate = await issueAuthority({ by: root, ...authority })
    return { presented: [await issueLeaf({ by: intermediate, ...request }), intermediate], anchors }
  }

/** A leaf below a root. */
const belowRoot =
  (authority: AuthorityRequest, request: LeafRequest = {}) =>
  async (): Promise<Chain> => {
    const own = await issueAuthority({ subject: '/CN=Own root CA', ...authority })
    return leaf(request, own)()
  }

/** A leaf below an authority with name constraints. */
const constrained = (constraints: string, names: string | null, request: LeafRequest = {}) =>
  below({ extensions: [`nameConstraints=${constraints}`] }, { names, ...request })

const curve = (name: string) => `ec -pkeyopt ec_paramgen_curve:${name}`
const explicit = `${curve('P-256')} -pkeyopt ec_param_enc:explicit`
const pss = '-sigopt rsa_padding_mode:pss'
const past = { from: -9, to: -2 }
const future = { from: 2, to: 9 }
const unknownCritical = '1.2.3.4=critical,DER:0500'
const poison = '1.3.6.1.4.1.11129.2.4.3=critical,DER:0500'
const purposes = (list: string) => [`extendedKeyUsage=${list}`]

/** The purposes that OpenSSL checks for servers. */
const invalidPurposeOut = { 'own out': 'INVALID_PURPOSE', 'public out': 'INVALID_PURPOSE' } as const

/** A code of OpenSSL that comes first wherever OpenSSL checks the chain. */
const openssl = (code: string): Cells => ({ 'own out': code, 'public in': code, 'public out': code })

/** A client with this key presents no certificate, and a server cannot use it: no signature scheme is common. */
const unusableKey: Cells = {
  'own in 1.2': 'no handshake',
  'own in 1.3': 'no certificate',
  'public in 1.2': 'no handshake',
  'public in 1.3': 'no certificate',
  'own out': 'no handshake',
  'public out': 'no handshake',
}

/** In TLS 1.2, the key's curve must be among the offered groups (RFC 8422 §5.1.1). */
const unusableInTls12: Cells = {
  'own in 1.2': 'no handshake',
  'own out 1.2': 'no handshake',
  'public in 1.2': 'no handshake',
  'public out 1.2': 'no handshake',
}

/** TLS 1.2 has no signature scheme for the key. */
const onlyInTls13: Cells = {
  ...unusableInTls12,
  'own in 1.2': 'no certificate',
  'public in 1.2': 'no certificate',
}

/** No path: the connector's own words, and OpenSSL's code. */
const noPath = (partialChain: string, selfSignedOnly = partialChain): Cells => ({
  'own in': "it does not lead to the connector's own authority",
  'own out': partialChain,
  'public in': selfSignedOnly,
  'public out': selfSignedOnly,
})

const keys: Kind[] = [
  ...(['rsa:2048', 'rsa:3072', curve('P-256'), curve('P-384')] as const).map(
    (key): Kind => ({ name: `a leaf with a key ${key}`, make: leaf({ key }), result: 'trusted' }),
  ),
]

export const kinds: Kind[] = [
  ...keys,
  {
    name: 'a leaf with RSA-512',
    make: leaf({ key: 'rsa:512' }),
    result: 'the certificate has an RSA key of 512 bits; at least 2048 are required',
    cells: {
      'own out 1.3': 'no handshake',
      'public in 1.3': 'no certificate',
      'public out 1.3': 'no handshake',
      'own in 1.3': 'no certificate',
    },
  },
  {
    name: 'a leaf with RSA-1024',
    make: leaf({ key: 'rsa:1024' }),
    result: 'the certificate has an RSA key of 1024 bits; at least 2048 are required',
  },
  {
    name: 'a leaf with RSA-1024 for servers only',
    make: leaf({ key: 'rsa:1024', extensions: purposes('serverAuth') }),
    result: 'the certificate has an RSA key of 1024 bits; at least 2048 are required',
  },
  {
    name: 'a leaf with RSA-2047',
    make: leaf({ key: 'rsa:2047' }),
    result: 'the certificate has an RSA key of 2047 bits; at least 2048 are required',
  },
  {
    name: 'a leaf with RSA-PSS-2048',
    make: leaf({ key: 'rsa-pss -pkeyopt rsa_keygen_bits:2048' }),
    result: 'trusted',
  },
  {
    name: 'a leaf with P-192',
    make: leaf({ key: curve('P-192') }),
    result: 'the certificate has a key on the curve prime192v1, which is not accepted',
    cells: unusableKey,
  },
  { name: 'a leaf with P-224', make: leaf({ key: curve('P-224') }), result: 'trusted', cells: unusableKey },
  {
    name: 'a leaf with P-521',
    make: leaf({ key: curve('P-521') }),
    result: 'trusted',
    cells: unusableInTls12,
  },
  {
    name: 'a leaf with secp256k1',
    make: leaf({ key: curve('secp256k1') }),
    result: 'trusted',
    cells: unusableKey,
  },
  {
    name: 'a leaf with brainpoolP256r1',
    make: leaf({ key: curve('brainpoolP256r1') }),
    result: 'trusted',
    cells: unusableInTls12,
  },
  {
    name: 'a leaf with explicit curve parameters',
    make: leaf({ key: explicit }),
    result: 'the certificate has a key on a curve with explicit parameters, which is not accepted',
  },
  { name: 'a leaf with Ed25519', make: leaf({ key: 'ed25519' }), result: 'trusted' },
  { name: 'a leaf with Ed448', make: leaf({ key: 'ed448' }), result: 'trusted' },
  { name: 'a leaf with ML-DSA-65', make: leaf({ key: 'ML-DSA-65' }), result: 'trusted', cells: onlyInTls13 },
  {
    name: 'an intermediate with RSA-1024',
    make: below({ key: 'rsa:1024' }),
    result: 'the intermediate certificate has an RSA key of 1024 bits; at least 2048 are required',
  },
  { name: 'an intermediate with RSA-2048', make: below({ key: 'rsa:2048' }), result: 'trusted' },
  {
    name: 'an intermediate with P-192',
    make: below({ key: curve('P-192') }),
    result: 'the intermediate certificate has a key on the curve prime192v1, which is not accepted',
  },
  { name: 'an intermediate with P-224', make: below({ key: curve('P-224') }), result: 'trusted' },
  { name: 'an intermediate with secp256k1', make: below({ key: curve('secp256k1') }), result: 'trusted' },
  {
    name: 'an intermediate with brainpoolP384r1',
    make: below({ key: curve('brainpoolP384r1') }),
    result: 'trusted',
  },
  {
    name: 'an intermediate with brainpoolP256t1',
    make: below({ key: curve('brainpoolP256t1') }),
    result: 'the intermediate certificate has a key on the curve brainpoolP256t1, which is not accepted',
  },
  {
    name: 'an intermediate with explicit curve parameters',
    make: below({ key: explicit }),
    result:
      'the intermediate certificate has a key on a curve with explicit parameters, which is not accepted',
  },
  { name: 'an intermediate with Ed25519', make: below({ key: 'ed25519' }), result: 'trusted' },
  { name: 'an intermediate with ML-DSA-65', make: below({ key: 'ML-DSA-65' }), result: 'trusted' },
  {
    name: 'an anchor with RSA-1024',
    make: belowRoot({ key: 'rsa:1024' }),
    result: 'the trust anchor has an RSA key of 1024 bits; at least 2048 are required',
  },

  // Signatures
  {
    name: 'a leaf signed with ECDSA and SHA-1',
    make: leaf({ options: '-sha1' }),
    result: 'the certificate is signed with SHA-1, which is not accepted',
  },
  { name: 'a leaf signed with ECDSA and SHA-224', make: leaf({ options: '-sha224' }), result: 'trusted' },
  { name: 'a leaf signed with ECDSA and SHA-512', make: leaf({ options: '-sha512' }), result: 'trusted' },
  {
    name: 'a leaf signed with ECDSA and SHA3-256',
    make: leaf({ options: '-sha3-256' }),
    result: 'the certificate is signed with an algorithm that is not accepted',
  },
  {
    name: 'a leaf signed with RSA and MD5',
    make: belowRoot({ key: 'rsa:2048' }, { options: '-md5' }),
    result: 'the certificate is signed with MD5, which is not accepted',
  },
  {
    name: 'a leaf signed with RSA and SHA-1',
    make: belowRoot({ key: 'rsa:2048' }, { options: '-sha1' }),
    result: 'the certificate is signed with SHA-1, which is not accepted',
  },
  {
    name: 'a leaf signed with RSA and SHA-384',
    make: belowRoot({ key: 'rsa:2048' }, { options: '-sha384' }),
    result: 'trusted',
  },
  {
    name: 'a leaf signed with RSASSA-PSS and SHA-256',
    make: belowRoot({ key: 'rsa:2048' }, { options: `-sha256 ${pss}` }),
    result: 'trusted',
  },
  {
    name: 'a leaf signed with RSASSA-PSS and SHA-1',
    make: belowRoot({ key: 'rsa:2048' }, { options: `-sha1 ${pss}` }),
    result: 'the certificate is signed with RSASSA-PSS and a hash that is not accepted',
  },
  {
    name: 'a leaf signed with RSASSA-PSS, SHA-1 and a mask by SHA-256',
    make: belowRoot({ key: 'rsa:2048' }, { options: `-sha1 ${pss} -sigopt rsa_mgf1_md:sha256` }),
    result: 'the certificate is signed with RSASSA-PSS and a hash that is not accepted',
  },
  {
    name: 'a leaf signed with RSASSA-PSS, SHA-256 and a mask by SHA-1',
    make: belowRoot({ key: 'rsa:2048' }, { options: `-sha256 ${pss} -sigopt rsa_mgf1_md:sha1` }),
    result: 'the certificate is signed with RSASSA-PSS and a hash that is not accepted',
  },
  {
    name: 'an intermediate signed with SHA-1',
    make: below({ options: '-sha1' }),
    result: 'the intermediate certificate is signed with SHA-1, which is not accepted',
  },
  { name: 'an anchor signed with SHA-1', make: belowRoot({ options: '-sha1' }), result: 'trusted' },
  {
    name: 'an anchor signed with MD5',
    make: belowRoot({ key: 'rsa:2048', options: '-md5' }),
    result: 'trusted',
  },

  // Extensions
  {
    name: 'an unknown extension of a leaf',
    make: leaf({ extensions: ['1.2.3.4=DER:0500'] }),
    result: 'trusted',
  },
  {
    name: 'an unknown critical extension of a leaf',
    make: leaf({ extensions: [unknownCritical] }),
    result: 'the certificate has an unknown critical extension',
  },
  {
    name: 'an unknown critical extension of a leaf for servers only',
    make: leaf({ extensions: [unknownCritical, ...purposes('serverAuth')] }),
    result: 'the certificate has an unknown critical extension',
  },
  {
    name: 'an unknown critical extension of an intermediate',
    make: below({ extensions: [unknownCritical] }),
    result: 'the intermediate certificate has an unknown critical extension',
  },
  {
    name: 'an unknown critical extension of an anchor',
    make: belowRoot({ extensions: [unknownCritical] }),
    result: 'the trust anchor has an unknown critical extension',
  },
  {
    name: 'a precertificate',
    make: leaf({ extensions: [poison] }),
    result: 'the certificate is a precertificate of Certificate Transparency (RFC 6962 §3.1)',
  },
  {
    name: 'a precertificate for servers only',
    make: leaf({ extensions: [poison, ...purposes('serverAuth')] }),
    result: 'the certificate is a precertificate of Certificate Transparency (RFC 6962 §3.1)',
  },
  {
    name: 'a critical policy of an intermediate',
    make: below({
      extensions: [
        'certificatePolicies=critical,1.2.3.4',
        'policyConstraints=critical,requireExplicitPolicy:0',
      ],
    }),
    result: 'trusted',
  },

  // Name constraints
  {
    name: 'a permitted domain',
    make: constrained('critical,permitted;DNS:partner.example', `DNS:${host}`),
    result: 'trusted',
  },
  {
    name: 'another permitted domain',
    make: constrained('critical,permitted;DNS:other.example', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'another permitted domain, not critical',
    make: constrained('permitted;DNS:other.example', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'another permitted domain, for servers only',
    make: constrained('critical,permitted;DNS:other.example', `DNS:${host}`, {
      extensions: purposes('serverAuth'),
    }),
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'a permitted domain with a similar end',
    make: constrained('critical,permitted;DNS:artner.example', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'permitted subdomains only',
    make: constrained('critical,permitted;DNS:.partner.example', `DNS:${host}`),
    result: 'trusted',
  },
  {
    name: 'one of two names beyond the permitted domain',
    make: constrained('critical,permitted;DNS:partner.example', `DNS:${host},DNS:mx.other.example`),
    result:
      'the intermediate certificate has name constraints that do not permit the host name mx.other.example of the certificate',
  },
  {
    name: 'an excluded domain',
    make: constrained('critical,excluded;DNS:partner.example', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that exclude the host name ${host} of the certificate`,
  },
  {
    name: 'an excluded domain in capitals',
    make: constrained('critical,excluded;DNS:PARTNER.example', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that exclude the host name ${host} of the certificate`,
  },
  {
    name: 'an excluded domain of others',
    make: constrained('critical,excluded;DNS:other.example', `DNS:${host}`),
    result: 'trusted',
  },
  {
    name: 'an excluded host beside a wildcard name',
    make: constrained(`critical,excluded;DNS:${host}`, 'DNS:*.partner.example'),
    result:
      'the intermediate certificate has name constraints that exclude the host name *.partner.example of the certificate',
  },
  {
    name: 'a permitted domain of a wildcard name',
    make: constrained('critical,permitted;DNS:partner.example', 'DNS:*.partner.example'),
    result: 'trusted',
  },
  {
    name: 'all host names excluded',
    make: constrained('critical,DER:3006A10430028200', `DNS:${host}`),
    result: `the intermediate certificate has name constraints that exclude the host name ${host} of the certificate`,
  },
  {
    name: 'a name that ends in a dot, of an excluded domain',
    make: constrained('critical,excluded;DNS:partner.example', `DNS:${host}.`),
    result:
      'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate',
    cells: {
      'own in':
        'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate; presented names [], expected [mx.partner.example]',
      'public in':
        'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate; presented names [], expected [mx.partner.example]',
    },
  },
  {
    name: 'a name that ends in a dot, of a permitted domain',
    make: constrained('critical,permitted;DNS:partner.example', `DNS:${host}.`),
    result:
      'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate',
    cells: {
      'own in':
        'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate; presented names [], expected [mx.partner.example]',
      'public in':
        'the intermediate certificate has name constraints that cannot be compared with a host name of unusual form of the certificate; presented names [], expected [mx.partner.example]',
    },
  },
  {
    name: 'a name that ends in a dot, without constraints',
    make: leaf({ names: `DNS:${host}.` }),
    result: 'trusted',
    cells: {
      'own in': 'presented names [], expected [mx.partner.example]',
      'public in': 'presented names [], expected [mx.partner.example]',
      'own out': 'Certificate is for mx.partner.example., not for mx.partner.example',
      'public out': 'Certificate is for mx.partner.example., not for mx.partner.example',
    },
  },
  {
    name: 'a CN of a permitted domain',
    make: constrained('critical,permitted;DNS:partner.example', null, { subject: `/CN=${host}` }),
    result: 'trusted',
  },
  {
    name: 'a CN beyond the permitted domain',
    make: constrained('critical,permitted;DNS:other.example', null, { subject: `/CN=${host}` }),
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'a permitted IP address',
    make: constrained('critical,permitted;IP:192.0.2.0/255.255.255.0', `DNS:${host},IP:192.0.2.1`),
    result: 'trusted',
  },
  {
    name: 'another permitted IP address',
    make: constrained('critical,permitted;IP:192.0.2.0/255.255.255.0', `DNS:${host},IP:198.51.100.1`),
    result:
      'the intermediate certificate has name constraints that do not permit an IP address of the certificate',
  },
  {
    name: 'excluded IP addresses of both families',
    make: constrained(
      'critical,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0',
      `DNS:${host},IP:2001:db8::1`,
    ),
    result: 'the intermediate certificate has name constraints that exclude an IP address of the certificate',
  },
  {
    name: 'a permitted e-mail host',
    make: constrained('critical,permitted;email:partner.example', `DNS:${host},email:a@partner.example`),
    result: 'trusted',
  },
  {
    name: 'another permitted e-mail host',
    make: constrained('critical,permitted;email:.partner.example', `DNS:${host},email:a@partner.example`),
    result:
      'the intermediate certificate has name constraints that do not permit an e-mail address of the certificate',
  },
  {
    name: 'a permitted e-mail host above that of the address',
    make: constrained('critical,permitted;email:partner.example', `DNS:${host},email:a@mx.partner.example`),
    result:
      'the intermediate certificate has name constraints that do not permit an e-mail address of the certificate',
  },
  {
    name: 'an excluded e-mail address in the subject',
    make: constrained('critical,excluded;email:partner.example', `DNS:${host}`, {
      subject: '/emailAddress=a@partner.example',
    }),
    result:
      'the intermediate certificate has name constraints that exclude an e-mail address of the certificate',
  },
  {
    name: 'a URI constraint beside a URI',
    make: constrained('critical,permitted;URI:partner.example', `DNS:${host},URI:https://partner.example/`),
    result:
      'the intermediate certificate has name constraints that cannot be compared with a name of another type of the certificate',
  },
  {
    name: 'a URI constraint without a URI',
    make: constrained('critical,permitted;URI:partner.example', `DNS:${host}`),
    result: 'trusted',
  },
  {
    name: 'an otherName constraint beside an otherName',
    make: constrained('critical,excluded;otherName:1.2.3.4;UTF8:x', `DNS:${host},otherName:1.2.3.4;UTF8:y`),
    result:
      'the intermediate certificate has name constraints that cannot be compared with a name of another type of the certificate',
  },
  {
    name: 'name constraints of an anchor',
    make: belowRoot({ extensions: ['nameConstraints=critical,permitted;DNS:other.example'] }),
    result: `the trust anchor has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'name constraints two levels above',
    make: async () => {
      const upper = await issueAuthority({
        by: root,
        subject: '/CN=Upper CA',
        extensions: ['nameConstraints=critical,permitted;DNS:other.example'],
      })
      const lower = await issueAuthority({ by: upper, subject: '/CN=Lower CA' })
      return { presented: [await issueLeaf({ by: lower }), lower, upper], anchors }
    },
    result: `intermediate certificate 2 has name constraints that do not permit the host name ${host} of the certificate`,
  },
  {
    name: 'a name-constrained authority and its self-signed twin',
    make: async () => {
      const authority = await issueAuthority({
        by: root,
        extensions: ['nameConstraints=critical,permitted;DNS:other.example'],
      })
      const twin = await issueAuthority({ keyOf: authority })
      return { presented: [await issueLeaf({ by: authority }), twin, authority], anchors }
    },
    result: `the intermediate certificate has name constraints that do not permit the host name ${host} of the certificate`,
    cells: openssl('SELF_SIGNED_CERT_IN_CHAIN'),
  },

  // Issuers
  { name: 'an intermediate', make: below({}), result: 'trusted' },
  {
    name: 'a path length that is kept',
    make: below({ basicConstraints: 'critical,CA:TRUE,pathlen:0' }),
    result: 'trusted',
  },
  {
    name: 'a path length that is exceeded',
    make: async () => {
      const upper = await issueAuthority({
        by: root,
        subject: '/CN=Upper CA',
        basicConstraints: 'critical,CA:TRUE,pathlen:0',
      })
      const lower = await issueAuthority({ by: upper, subject: '/CN=Lower CA' })
      return { presented: [await issueLeaf({ by: lower }), lower, upper], anchors }
    },
    result: 'intermediate certificate 2 permits 0 authorities below it, and 1 are (pathLenConstraint)',
    cells: openssl('PATH_LENGTH_EXCEEDED'),
  },
  {
    name: 'a path length that a self-issued authority does not exceed',
    make: async () => {
      const upper = await issueAuthority({
        by: root,
        subject: '/CN=Upper CA',
        basicConstraints: 'critical,CA:TRUE,pathlen:0',
      })
      const renewed = await issueAuthority({ by: upper, subject: '/CN=Upper CA' })
      return { presented: [await issueLeaf({ by: renewed }), renewed, upper], anchors }
    },
    result: 'trusted',
  },
  {
    name: "an anchor's path length that is exceeded",
    make: async () => {
      const own = await issueAuthority({
        subject: '/CN=Own root CA',
        basicConstraints: 'critical,CA:TRUE,pathlen:0',
      })
      const lower = await issueAuthority({ by: own, subject: '/CN=Lower CA' })
      return { presented: [await issueLeaf({ by: lower }), lower], anchors: [own] }
    },
    result: 'the trust anchor permits 0 authorities below it, and 1 are (pathLenConstraint)',
    cells: openssl('PATH_LENGTH_EXCEEDED'),
  },
  {
    name: 'an intermediate without keyCertSign',
    make: below({ keyUsage: 'critical,digitalSignature' }),
    result: 'the intermediate certificate may not sign certificates (keyUsage without keyCertSign)',
  },
  { name: 'an intermediate without keyUsage', make: below({ keyUsage: null }), result: 'trusted' },
  {
    name: 'an intermediate without CA flag',
    make: below({ basicConstraints: 'critical,CA:FALSE' }),
    result: 'the intermediate certificate is not an authority (basicConstraints)',
    cells: invalidPurposeOut,
  },
  {
    name: 'an intermediate without basicConstraints',
    make: below({ basicConstraints: null }),
    result: 'the intermediate certificate is not an authority (basicConstraints)',
    cells: openssl('INVALID_CA'),
  },
  {
    name: 'an intermediate of X.509 version 1',
    make: below({ basicConstraints: null, keyUsage: null, options: '-x509v1' }),
    result: 'the intermediate certificate is not an authority (basicConstraints)',
    cells: invalidPurposeOut,
  },
  {
    name: 'an anchor without CA flag',
    make: belowRoot({ basicConstraints: 'critical,CA:FALSE' }),
    result: 'the trust anchor is not an authority (basicConstraints)',
    cells: invalidPurposeOut,
  },
  {
    name: 'an anchor of X.509 version 1',
    make: belowRoot({ basicConstraints: null, keyUsage: null, options: '-x509v1' }),
    result: 'the trust anchor is not an authority (basicConstraints)',
  },
  {
    name: 'a missing intermediate',
    make: async () => {
      const intermediate = await issueAuthority({ by: root })
      return { presented: [await issueLeaf({ by: intermediate })], anchors }
    },
    result: 'it leads to no trust anchor',
    cells: noPath('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
  },
  {
    name: 'an issuer with the name of the anchor and another key',
    make: async () => ({
      presented: [await issueLeaf({ by: await issueAuthority({ subject: '/CN=Root CA' }) })],
      anchors,
    }),
    result: 'it leads to no trust anchor',
    cells: noPath('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
  },
  {
    name: 'a chain in another order, with its root',
    make: async () => {
      const upper = await issueAuthority({ by: root, subject: '/CN=Upper CA' })
      const lower = await issueAuthority({ by: upper, subject: '/CN=Lower CA' })
      return { presented: [await issueLeaf({ by: lower }), root, upper, lower], anchors }
    },
    result: 'trusted',
  },
  {
    name: 'a cross-signed intermediate',
    make: async () => {
      const other = await issueAuthority({ subject: '/CN=Other root CA' })
      const crossSigned = await issueAuthority({ by: other })
      const intermediate = await issueAuthority({ by: root, keyOf: crossSigned })
      return { presented: [await issueLeaf({ by: intermediate }), crossSigned, intermediate], anchors }
    },
    result: 'trusted',
    cells: openssl('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
    isTrustedIfExplained: true,
  },
  {
    name: 'a cross-signed intermediate, expired below the anchor',
    make: async () => {
      const other = await issueAuthority({ subject: '/CN=Other root CA' })
      const crossSigned = await issueAuthority({ by: other })
      const intermediate = await issueAuthority({ by: root, keyOf: crossSigned, days: past })
      return { presented: [await issueLeaf({ by: intermediate }), crossSigned, intermediate], anchors }
    },
    result: 'the intermediate certificate expired on <time>',
    cells: openssl('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'),
  },
  {
    name: 'an intermediate as anchor',
    make: async () => {
      const intermediate = await issueAuthority({ by: root })
      return { presented: [await issueLeaf({ by: intermediate })], anchors: [intermediate] }
    },
    result: 'trusted',
    cells: { 'public in': 'UNABLE_TO_GET_ISSUER_CERT', 'public out': 'UNABLE_TO_GET_ISSUER_CERT' },
    isTrustedIfExplained: true,
  },
  {
    name: 'a self-signed leaf as anchor',
    make: async () => {
      const own = await issueLeaf({})
      return { presented: [own], anchors: [own] }
    },
    result: 'trusted',
  },
  {
    name: 'a self-signed leaf with RSA-1024 as anchor',
    make: async () => {
      const own = await issueLeaf({ key: 'rsa:1024' })
      return { presented: [own], anchors: [own] }
    },
    result: 'the certificate has an RSA key of 1024 bits; at least 2048 are required',
  },
  {
    name: 'a self-signed leaf of X.509 version 1 as anchor',
    make: async () => {
      const own = await issue({ subject: `/CN=${host}`, options: '-x509v1' })
      return { presented: [own], anchors: [own] }
    },
    result: 'trusted',
  },
  {
    name: 'a self-signed leaf',
    make: async () => ({ presented: [await issueLeaf({})], anchors }),
    result: 'it leads to no trust anchor',
    cells: noPath('DEPTH_ZERO_SELF_SIGNED_CERT'),
  },
  {
    name: 'a leaf of an unknown authority as anchor',
    make: async () => {
      const own = await issueLeaf({ by: await issueAuthority({}) })
      return { presented: [own], anchors: [own] }
    },
    result: 'trusted',
    cells: {
      'public in': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'public out': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    isTrustedIfExplained: true,
  },
  {
    name: 'a leaf of an unknown authority as anchor, signed with SHA-1',
    make: async () => {
      const own = await issueLeaf({ by: await issueAuthority({}), options: '-sha1' })
      return { presented: [own], anchors: [own] }
    },
    result: 'trusted',
    cells: {
      'public in': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'public out': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    isTrustedIfExplained: true,
  },
  {
    name: 'a leaf that a leaf as anchor issued',
    make: async () => {
      const own = await issueLeaf({})
      return { presented: [await issueLeaf({ by: own, subject: '/CN=below' })], anchors: [own] }
    },
    result: 'the trust anchor is not an authority (basicConstraints)',
    cells: invalidPurposeOut,
  },

  // Dates
  {
    name: 'an expired leaf',
    make: leaf({ days: past }),
    result: 'the certificate expired on <time>',
    cells: {
      'own in': 'expired on <time>',
      'public in': 'expired on <time>',
      'own out': 'CERT_HAS_EXPIRED',
      'public out': 'CERT_HAS_EXPIRED',
    },
  },
  {
    name: 'a leaf that is not valid yet',
    make: leaf({ days: future }),
    result: 'the certificate is not valid before <time>',
    cells: {
      'own in': 'not valid before <time>',
      'public in': 'not valid before <time>',
      'own out': 'CERT_NOT_YET_VALID',
      'public out': 'CERT_NOT_YET_VALID',
    },
  },
  {
    name: 'an expired intermediate',
    make: below({ days: past }),
    result: 'the intermediate certificate expired on <time>',
    cells: openssl('CERT_HAS_EXPIRED'),
  },
  {
    name: 'an intermediate that is not valid yet',
    make: below({ days: future }),
    result: 'the intermediate certificate is not valid before <time>',
    cells: openssl('CERT_NOT_YET_VALID'),
  },
  {
    name: 'an expired anchor',
    make: belowRoot({ days: past }),
    result: 'the trust anchor expired on <time>',
    cells: openssl('CERT_HAS_EXPIRED'),
  },

  // Purposes
  { name: 'a leaf for servers', make: leaf({ extensions: purposes('serverAuth') }), result: 'trusted' },
  {
    name: 'a leaf for clients',
    make: leaf({ extensions: purposes('clientAuth') }),
    result: 'trusted',
    cells: invalidPurposeOut,
  },
  {
    name: 'a leaf for servers and clients',
    make: leaf({ extensions: purposes('serverAuth,clientAuth') }),
    result: 'trusted',
  },
  {
    name: 'a leaf for any purpose',
    make: leaf({ extensions: purposes('anyExtendedKeyUsage') }),
    result: 'trusted',
    cells: invalidPurposeOut,
  },
  { name: 'a leaf without purposes', make: leaf({}), result: 'trusted' },
  {
    name: 'a leaf for signed mail',
    make: leaf({ extensions: purposes('emailProtection') }),
    result: 'the certificate is not for TLS servers (extendedKeyUsage)',
    cells: invalidPurposeOut,
  },
  {
    name: 'an intermediate for servers',
    make: below({ extensions: purposes('serverAuth') }),
    result: 'trusted',
  },
  {
    name: 'an intermediate for clients',
    make: below({ extensions: purposes('clientAuth') }),
    result: 'trusted',
    cells: invalidPurposeOut,
  },
  {
    name: 'an intermediate for servers and clients',
    make: below({ extensions: purposes('serverAuth,clientAuth') }),
    result: 'trusted',
  },
  {
    name: 'an intermediate for any purpose',
    make: below({ extensions: purposes('anyExtendedKeyUsage') }),
    result: 'trusted',
    cells: invalidPurposeOut,
  },
  {
    name: 'an intermediate for signed mail',
    make: below({ extensions: purposes('emailProtection') }),
    result: 'the intermediate certificate is not for TLS servers (extendedKeyUsage)',
    cells: invalidPurposeOut,
  },
  {
    name: 'a leaf for clients of an intermediate for servers',
    make: below({ extensions: purposes('serverAuth') }, { extensions: purposes('clientAuth') }),
    result: 'the certificate is not for TLS servers (extendedKeyUsage)',
    cells: invalidPurposeOut,
  },
  {
    name: 'an anchor for signed mail',
    make: belowRoot({ extensions: purposes('emailProtection') }),
    result: 'the trust anchor is not for TLS servers (extendedKeyUsage)',
    cells: invalidPurposeOut,
  },
  {
    name: 'a leaf for digital signatures',
    make: leaf({ extensions: ['keyUsage=critical,digitalSignature'] }),
    result: 'trusted',
  },
  {
    name: 'a leaf for signed CRLs',
    make: leaf({ extensions: ['keyUsage=critical,cRLSign'] }),
    result: 'the certificate may not be used for TLS (keyUsage)',
    cells: {
      'own out 1.2': 'no handshake',
      'public out 1.2': 'no handshake',
      'own out 1.3': 'INVALID_PURPOSE',
      'public out 1.3': 'INVALID_PURPOSE',
    },
  },
  {
    name: 'directory names within the permitted one',
    make: constrained('critical,permitted;dirName:partner', `DNS:${host}`),
    result: 'trusted',
  },
  {
    name: 'directory names beyond the permitted one',
    make: constrained('critical,permitted;dirName:partner', `DNS:${host}`, { subject: '/O=Other/CN=mail' }),
    result:
      'the intermediate certificate has name constraints that do not permit a directory name of the certificate',
  },
  {
    name: 'an excluded directory name',
    make: constrained('critical,excluded;dirName:partner', `DNS:${host}`, {
      subject: '/O= PARTNER /CN=mail',
    }),
    result:
      'the intermediate certificate has name constraints that exclude a directory name of the certificate',
  },
]
