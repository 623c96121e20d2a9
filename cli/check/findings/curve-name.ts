/** Names of elliptic curves in findings. Pure. */

/** NIST names by OpenSSL's names. */
export const curveName: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}
