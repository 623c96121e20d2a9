/** The cipher suites and signature algorithms that clients and servers offer. */

/**
 * The OpenSSL names of the offered suites, most preferred first: forward secrecy and authenticated encryption only.
 * NIST SP 800-52r2 §3.3.1 approves no ChaCha20-Poly1305, and every server that has it has AES-GCM too.
 */
export const cipherSuites = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
] as const
type CipherSuite = (typeof cipherSuites)[number]

/** The IANA name, such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. */
export function ianaNameOf(suite: CipherSuite): string {
  const [, authentication, cipher = ''] = /^ECDHE-(ECDSA|RSA)-(.+)$/.exec(suite) ?? []
  if (authentication === undefined) return suite
  return `TLS_ECDHE_${authentication}_WITH_${cipher.replace(/^AES(\d+)-/, 'AES_$1_').replaceAll('-', '_')}`
}

/**
 * The offered signature algorithms by their IANA names, most preferred first, joined by colons as Node takes them:
 * OpenSSL's defaults without SHA-224, SHA-1 (RFC 9155) and DSA. In the order of OpenSSL, ML-DSA comes first.
 */
export const signatureAlgorithms = [
  'mldsa65',
  'mldsa87',
  'mldsa44',
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'ed25519',
  'ed448',
  'ecdsa_brainpoolP256r1tls13_sha256',
  'ecdsa_brainpoolP384r1tls13_sha384',
  'ecdsa_brainpoolP512r1tls13_sha512',
  'rsa_pss_pss_sha256',
  'rsa_pss_pss_sha384',
  'rsa_pss_pss_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
].join(':')
