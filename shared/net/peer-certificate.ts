/**
 * Replaces getPeerCertificate of every TLS socket of the process; imported for this effect. The attack: after a
 * verified handshake, a client of Node 24 calls getPeerCertificate(true), which ends the process with a segmentation
 * fault if a presented certificate has a key on a curve without NIST name, such as secp256k1. Only names connect the
 * certificates that Node reads there, so any server with a valid certificate can add one. The defence: only the leaf is
 * read, and not if its key is on such a curve. Not covered: getPeerCertificate of sockets created before the import.
 */
import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'

const { getPeerX509Certificate } = TLSSocket.prototype

/** Curves with NIST names, of the curves that can be in a certificate that OpenSSL verifies. */
const nistCurves = ['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1']

const leafCertificates = new WeakMap<TLSSocket, X509Certificate>()

/** Only Node's first call returns the certificate with its issuers, so its result is kept for later calls. */
TLSSocket.prototype.getPeerX509Certificate = function (this: TLSSocket) {
  const kept = leafCertificates.get(this)
  if (kept) return kept
  const leaf = getPeerX509Certificate.call(this)
  if (leaf) leafCertificates.set(this, leaf)
  return leaf
}

/** Returns an empty object where Node would read a key on another curve: every check of the server's name then fails. */
TLSSocket.prototype.getPeerCertificate = function (this: TLSSocket): never {
  const leaf = this.getPeerX509Certificate()
  return (leaf && isReadable(leaf) ? leaf.toLegacyObject() : {}) as never
}

function isReadable({ publicKey }: X509Certificate): boolean {
  if (publicKey.asymmetricKeyType !== 'ec') return true
  return nistCurves.includes(publicKey.asymmetricKeyDetails?.namedCurve ?? '')
}
