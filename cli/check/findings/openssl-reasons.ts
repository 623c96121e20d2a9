/** Explains OpenSSL's reasons not to trust a chain (OpenSSL's manual, X509_STORE_CTX_get_error). Pure. */

interface OpenSslExplanation {
  readonly text: string
  readonly advice: string
}

const seeAbove = 'See the lines above that FAIL'
const seeRoot = 'See the lines `chain` and `root`'

const reasons: Readonly<Record<string, OpenSslExplanation>> = {
  UNABLE_TO_GET_ISSUER_CERT: { text: 'the issuer of a certificate is unknown', advice: seeRoot },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { text: 'the issuer of a certificate is unknown', advice: seeRoot },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { text: 'the issuer of the certificate is unknown', advice: seeRoot },
  DEPTH_ZERO_SELF_SIGNED_CERT: { text: 'the certificate is self-signed', advice: seeRoot },
  SELF_SIGNED_CERT_IN_CHAIN: { text: 'the root at the top of the chain is not trusted', advice: seeRoot },
  CERT_UNTRUSTED: { text: 'the root is not trusted for this purpose', advice: seeRoot },
  CERT_HAS_EXPIRED: { text: 'a certificate has expired', advice: 'See the lines `dates` above' },
  CERT_NOT_YET_VALID: { text: 'a certificate is not valid yet', advice: 'See the lines `dates` above' },
  ERROR_IN_CERT_NOT_BEFORE_FIELD: {
    text: 'the dates of a certificate cannot be read',
    advice: 'See the lines `dates` above',
  },
  ERROR_IN_CERT_NOT_AFTER_FIELD: {
    text: 'the dates of a certificate cannot be read',
    advice: 'See the lines `dates` above',
  },
  CERT_SIGNATURE_FAILURE: {
    text: 'a signature is wrong',
    advice: 'The certificates do not belong together: install the chain from the certificate authority again',
  },
  CERT_CHAIN_TOO_LONG: { text: 'the chain is too long', advice: 'Serve a shorter chain' },
  INVALID_CA: {
    text: 'the issuer of a certificate is not a certificate authority',
    advice: 'Serve the chain from the certificate authority',
  },
  PATH_LENGTH_EXCEEDED: {
    text: 'the chain has more intermediate authorities than one of its authorities allows (path length)',
    advice: 'The authority must issue the certificate from another intermediate authority',
  },
  INVALID_PURPOSE: {
    text: 'a certificate is not for servers',
    advice: 'Get a certificate with the extended key usage serverAuth',
  },
  CERT_REJECTED: { text: 'the root rejects this purpose', advice: seeRoot },
  UNSPECIFIED: {
    text: 'OpenSSL refuses a key or a signature as too weak, or a constraint is violated',
    advice: 'See the lines `key` and `signature` above',
  },
}

export function explainOpenSslError(error: string | null): OpenSslExplanation {
  return reasons[error ?? ''] ?? { text: 'The chain is not trusted', advice: seeAbove }
}
