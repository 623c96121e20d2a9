/** Cipher suites and groups by their numbers in IANA's TLS registries. Unknown numbers are printed in hexadecimal. */

/** Rows of the registry: number, and name without the prefix `TLS_`. */
const suites: readonly (readonly [number: number, name: string])[] = [
  [0x1301, 'AES_128_GCM_SHA256'],
  [0x1302, 'AES_256_GCM_SHA384'],
  [0x1303, 'CHACHA20_POLY1305_SHA256'],
  [0x1304, 'AES_128_CCM_SHA256'],
  [0x1305, 'AES_128_CCM_8_SHA256'],
  [0xc02b, 'ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
  [0xc02c, 'ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'],
  [0xc02f, 'ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
  [0xc030, 'ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
  [0xcca8, 'ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
  [0xcca9, 'ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'],
  [0xc0ac, 'ECDHE_ECDSA_WITH_AES_128_CCM'],
  [0xc0ad, 'ECDHE_ECDSA_WITH_AES_256_CCM'],
  [0xc023, 'ECDHE_ECDSA_WITH_AES_128_CBC_SHA256'],
  [0xc024, 'ECDHE_ECDSA_WITH_AES_256_CBC_SHA384'],
  [0xc027, 'ECDHE_RSA_WITH_AES_128_CBC_SHA256'],
  [0xc028, 'ECDHE_RSA_WITH_AES_256_CBC_SHA384'],
  [0xc048, 'ECDHE_ECDSA_WITH_ARIA_128_CBC_SHA256'],
  [0xc049, 'ECDHE_ECDSA_WITH_ARIA_256_CBC_SHA384'],
  [0xc04c, 'ECDHE_RSA_WITH_ARIA_128_CBC_SHA256'],
  [0xc04d, 'ECDHE_RSA_WITH_ARIA_256_CBC_SHA384'],
  [0xc05c, 'ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256'],
  [0xc05d, 'ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384'],
  [0xc060, 'ECDHE_RSA_WITH_ARIA_128_GCM_SHA256'],
  [0xc061, 'ECDHE_RSA_WITH_ARIA_256_GCM_SHA384'],
  [0xc072, 'ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256'],
  [0xc073, 'ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384'],
  [0xc076, 'ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256'],
  [0xc077, 'ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384'],
  [0xc086, 'ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256'],
  [0xc087, 'ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384'],
  [0xc08a, 'ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256'],
  [0xc08b, 'ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384'],
  [0xccaa, 'DHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
  [0x009e, 'DHE_RSA_WITH_AES_128_GCM_SHA256'],
  [0x009f, 'DHE_RSA_WITH_AES_256_GCM_SHA384'],
  [0xc09e, 'DHE_RSA_WITH_AES_128_CCM'],
  [0xc09f, 'DHE_RSA_WITH_AES_256_CCM'],
  [0x0067, 'DHE_RSA_WITH_AES_128_CBC_SHA256'],
  [0x006b, 'DHE_RSA_WITH_AES_256_CBC_SHA256'],
  [0xc044, 'DHE_RSA_WITH_ARIA_128_CBC_SHA256'],
  [0xc045, 'DHE_RSA_WITH_ARIA_256_CBC_SHA384'],
  [0xc052, 'DHE_RSA_WITH_ARIA_128_GCM_SHA256'],
  [0xc053, 'DHE_RSA_WITH_ARIA_256_GCM_SHA384'],
  [0x00be, 'DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256'],
  [0x00c4, 'DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256'],
  [0xc07c, 'DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256'],
  [0xc07d, 'DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384'],
  [0xc009, 'ECDHE_ECDSA_WITH_AES_128_CBC_SHA'],
  [0xc00a, 'ECDHE_ECDSA_WITH_AES_256_CBC_SHA'],
  [0xc013, 'ECDHE_RSA_WITH_AES_128_CBC_SHA'],
  [0xc014, 'ECDHE_RSA_WITH_AES_256_CBC_SHA'],
  [0x0033, 'DHE_RSA_WITH_AES_128_CBC_SHA'],
  [0x0039, 'DHE_RSA_WITH_AES_256_CBC_SHA'],
  [0x002f, 'RSA_WITH_AES_128_CBC_SHA'],
  [0x0035, 'RSA_WITH_AES_256_CBC_SHA'],
  [0x003c, 'RSA_WITH_AES_128_CBC_SHA256'],
  [0x003d, 'RSA_WITH_AES_256_CBC_SHA256'],
  [0x009c, 'RSA_WITH_AES_128_GCM_SHA256'],
  [0x009d, 'RSA_WITH_AES_256_GCM_SHA384'],
  [0x000a, 'RSA_WITH_3DES_EDE_CBC_SHA'],
]
const suiteNames = new Map(suites.map(([number, name]) => [number, `TLS_${name}`]))

const groupNames = new Map([
  [21, 'secp224r1'],
  [23, 'secp256r1'],
  [24, 'secp384r1'],
  [25, 'secp521r1'],
  [26, 'brainpoolP256r1'],
  [27, 'brainpoolP384r1'],
  [28, 'brainpoolP512r1'],
  [29, 'x25519'],
  [30, 'x448'],
  [31, 'brainpoolP256r1tls13'],
  [32, 'brainpoolP384r1tls13'],
  [33, 'brainpoolP512r1tls13'],
  [256, 'ffdhe2048'],
  [257, 'ffdhe3072'],
  [258, 'ffdhe4096'],
  [259, 'ffdhe6144'],
  [260, 'ffdhe8192'],
  [4587, 'SecP256r1MLKEM768'],
  [4588, 'X25519MLKEM768'],
  [4589, 'SecP384r1MLKEM1024'],
])

const hexadecimal = (number: number): string => `0x${number.toString(16).padStart(4, '0')}`

export const suiteName = (number: number): string => suiteNames.get(number) ?? hexadecimal(number)
export const groupName = (number: number): string => groupNames.get(number) ?? hexadecimal(number)

/** The groups above, and all older curves (1 to 22), without the two placeholders for arbitrary curves. */
export const everyGroup: readonly number[] = [
  ...new Set([...groupNames.keys(), ...Array.from({ length: 22 }, (_, index) => index + 1)]),
]

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/**
 * The suites of TLS 1.3, and those of TLS 1.2 and earlier. Without the two signalling values, GOST, SM4, suites of
 * TLS 1.3 without encryption, and ECDHE_PSK with AES-GCM or AES-CCM.
 */
export const everySuite = {
  tls13: range(0x1301, 0x1307),
  older: [...range(0x0001, 0x00c5), ...range(0xc001, 0xc0b3), ...range(0xcca8, 0xccae)],
} as const
