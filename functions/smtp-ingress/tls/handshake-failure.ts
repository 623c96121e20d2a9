/** Classifies failed handshakes for a metric with few values. */

/** The metric's dimension `cause`. */
export type HandshakeFailure =
  /** The client supports at most TLS 1.1. */
  | 'OldProtocol'
  /** No common cipher, group or signature algorithm. */
  | 'NoSharedCipher'
  /** The octets are not TLS. */
  | 'NotTls'
  /** The client rejects the ingress's certificate. */
  | 'CertificateRefused'
  /** The client sent another alert; alerts 110 to 114 are `Other`, because Node's codes for them lack `ALERT`. */
  | 'Alert'
  | 'Closed'
  | 'TimedOut'
  /** The client sent more octets than a handshake may have. */
  | 'TooLarge'
  | 'Other'

/** Error codes that Node derives from OpenSSL's reasons, or system error codes. The first matching pattern decides. */
const causePatterns: readonly (readonly [pattern: RegExp, cause: HandshakeFailure])[] = [
  [/^ERR_SSL_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_PROTOCOLS_AVAILABLE|LEGACY_.*)$/, 'OldProtocol'],
  [/^ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION$/, 'OldProtocol'],
  [
    /^ERR_SSL_NO_(SHARED_(CIPHER|GROUPS?|SIGNATURE_ALGORITHMS)|SUITABLE_(KEY_SHARE|GROUPS|SIGNATURE_ALGORITHM))$/,
    'NoSharedCipher',
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|UNEXPECTED_MESSAGE|UNEXPECTED_RECORD|UNKNOWN_PROTOCOL|PACKET_LENGTH_TOO_LONG|RECORD_LENGTH_MISMATCH|BAD_RECORD_TYPE|LENGTH_MISMATCH|LENGTH_TOO_SHORT|DATA_LENGTH_TOO_LONG)$/,
    'NotTls',
  ],
  [
    /ALERT_(UNKNOWN_CA|(BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(UNKNOWN|EXPIRED|REVOKED)|BAD_CERTIFICATE_STATUS_RESPONSE)$/,
    'CertificateRefused',
  ],
  [/_ALERT_/, 'Alert'],
  [
    /^(ECONNRESET|EPIPE|ECONNABORTED|ERR_STREAM_PREMATURE_CLOSE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/,
    'Closed',
  ],
  [/^(ETIMEDOUT|ERR_TLS_HANDSHAKE_TIMEOUT)$/, 'TimedOut'],
  [/^EMSGSIZE$/, 'TooLarge'],
]

/** @param error from the socket; an error without a code means that the connection was closed */
export function classifyHandshakeFailure(error: Error): HandshakeFailure {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return 'Closed'
  return causePatterns.find(([pattern]) => pattern.test(code))?.[1] ?? 'Other'
}
