/** What each standard permits, as predicates over IANA names. Pure. */

/**
 * NCSC's guidelines of 2025 for TLS, appendix B, as internet.nl 1.11 applies them. A suite of TLS 1.2 with ECDHE or DHE
 * and at least SHA-256 is to be phased out, unless it is sufficient.
 */
const sufficientSuite =
  /^TLS_(AES_(256_GCM_SHA384|128_GCM_SHA256|128_CCM_SHA256)|CHACHA20_POLY1305_SHA256|ECDHE_ECDSA_WITH_(CHACHA20_POLY1305_SHA256|AES_(256|128)_(GCM_SHA\d+|CCM))|ECDHE_RSA_WITH_(CHACHA20_POLY1305_SHA256|AES_(256|128)_GCM_SHA\d+))$/
const phaseOutSuite = /^TLS_(ECDHE_(ECDSA|RSA)|DHE_RSA)_WITH_\w+(_SHA256|_SHA384|_CCM)$/

export const isSufficientSuite = (suite: string): boolean => sufficientSuite.test(suite)
export const isPhaseOutSuite = (suite: string): boolean =>
  !isSufficientSuite(suite) && phaseOutSuite.test(suite)

/** TR-02102-2 tables 1 and 12. */
export const isBsiSuite = (suite: string): boolean =>
  /^TLS_AES_(128_GCM_SHA256|256_GCM_SHA384|128_CCM_SHA256)$/.test(suite) ||
  /^TLS_(ECDHE_(ECDSA|RSA)|DHE_RSA)_WITH_AES_(128|256)_(CBC_SHA256|CBC_SHA384|GCM_SHA256|GCM_SHA384|CCM)$/.test(
    suite,
  )

/** SP 800-52r2 §3.3.1 approves AES, but not ChaCha20. */
export const isNistSuite = (suite: string): boolean =>
  /^TLS_(AES|(ECDHE_(ECDSA|RSA)|DHE_RSA)_WITH_AES)_(128|256)_(GCM|CCM|CBC)/.test(suite)

/** Suites of the intermediate configuration. */
export const isMozillaSuite = (suite: string): boolean =>
  /^TLS_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)$/.test(suite) ||
  /^TLS_(ECDHE_(ECDSA|RSA)|DHE_RSA)_WITH_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)$/.test(
    suite,
  )

export const hasForwardSecrecy = (suite: string): boolean => /^TLS_(AES|CHACHA20|ECDHE|DHE)_/.test(suite)

/** Hybrid with ML-KEM: NCSC's guidelines recommend it; internet.nl 1.11 does not test it. */
const isHybrid = (group: string): boolean => group.includes('MLKEM')

export const isGoodGroup = (group: string): boolean =>
  isHybrid(group) || /^(secp(256|384|521)r1|brainpoolP(256|384|512)r1(tls13)?|x25519|x448)$/.test(group)
export const isPhaseOutGroup = (group: string): boolean =>
  /^(secp224r1|ffdhe(3072|4096|6144|8192))$/.test(group)

/** TR-02102-2 table 9. */
export const isBsiGroup = (group: string): boolean =>
  /^(secp(256|384|521)r1|brainpoolP(256|384|512)r1(tls13)?|ffdhe(3072|4096))$/.test(group)

/** Groups of the intermediate configuration; version 5.8 adds X25519MLKEM768. */
export const isMozillaGroup = (group: string): boolean =>
  ['x25519', 'secp256r1', 'secp384r1', 'X25519MLKEM768'].includes(group)

/** Bits of an RSA key; null for another key. */
export const rsaBits = (key: string): number | null => {
  const [, bits] = /^RSA (\d+)$/.exec(key) ?? []
  return bits === undefined ? null : Number(bits)
}

const strongKeys = /^(prime256v1|secp384r1|secp521r1|brainpoolP(256|384|512)r1|ed25519|ed448|ml-dsa-\d+)$/

export const isKeyOf =
  (minRsaBits: number) =>
  (key: string): boolean =>
    (rsaBits(key) ?? 0) >= minRsaBits || strongKeys.test(key)
