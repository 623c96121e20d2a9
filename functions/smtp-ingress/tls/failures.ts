/** Why handshakes fail, in as few words as a metric can count. */

/** The metric's dimension `cause`. */
export type HandshakeFailure =
  /** The client speaks nothing newer than TLS 1.1. */
  | 'OldProtocol'
  /** No cipher, group or kind of signature that both sides would have. */
  | 'NoSharedCipher'
  /** What came is no TLS. */
  | 'NotTls'
  /** The client does not trust our certificate, or says that it is not to be used. */
  | 'CertificateRefused'
  /** The client broke it off with another alert. */
  | 'Alert'
  | 'Closed'
  | 'TimedOut'
  | 'Other'

/** By OpenSSL's reason, as Node makes a code of it, or the system's. */
const causes: readonly (readonly [pattern: RegExp, cause: HandshakeFailure])[] = [
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
]

/** @param error as the socket emitted it; one without a code is a connection that was closed */
export function handshakeFailure(error: Error): HandshakeFailure {
  const { code } = error as NodeJS.ErrnoException
  if (code === undefined) return 'Closed'
  return causes.find(([pattern]) => pattern.test(code))?.[1] ?? 'Other'
}
