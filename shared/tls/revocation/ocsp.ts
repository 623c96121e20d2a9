/**
 * Evaluates an OCSP response for a certificate (RFC 6960, RFC 5019). The response arrives over plain HTTP. The attack:
 * a forged response, one about another certificate, or one from before the revocation. The defence: the signature of
 * the issuer or its delegate, the certificate ID and the dates are checked. A responder's error leaves the revocation
 * undetermined. Not covered: replay of a response within its dates, because public responders use prepared responses
 * without a nonce; and the revocation of the responder's certificate.
 */
import { createHash, X509Certificate } from 'node:crypto'
import {
  BasicOCSPResponse,
  CertID,
  id_kp_OCSPSigning,
  id_pkix_ocsp_basic,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  Request,
  type ResponderID,
  ResponseData,
  type SingleResponse,
  TBSRequest,
} from '@peculiar/asn1-ocsp'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { dayMs } from '../../contract/durations.ts'
import { readCertificateParts } from '../certificate-parts.ts'
import { readElements, readOnlyElement } from '../der.ts'
import { isIssuedBy } from '../issued-by.ts'
import { validFrom, validTo } from '../validity.ts'
import {
  type ReportedRevocation,
  type RevocationQuery,
  reasonText,
  reportRevoked,
  stalenessFault,
  undetermined,
} from './reported-revocation.ts'
import { isSignedBy } from './signature.ts'

export const maxOcspOctets = 65_536
/**
 * The limit of the age of a response without nextUpdate. Such a response states that newer information is always
 * available (RFC 6960 §4.2.2.1).
 */
const maxAgeMs = dayMs
/** Limit for the certificates of one response that are tried. */
const maxSigners = 4

const sha1 = '1.3.14.3.2.26'
const hashes: Readonly<Record<string, string>> = {
  [sha1]: 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/**
 * Creates an OCSP request in DER. It uses SHA-1, which all responders support (RFC 5019 §2.1.1); security does not
 * depend on the hash.
 * @throws RangeError for an invalid certificate
 */
export function createOcspRequest({ certificate, issuer }: Omit<RevocationQuery, 'at'>): Buffer {
  const { subject, publicKey } = readCertificateParts(issuer)
  const reqCert = new CertID({
    // RFC 5019 §2.1.1 requires NULL parameters.
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: sha1, parameters: null }),
    issuerNameHash: new OctetString(hashOf('sha1', subject)),
    issuerKeyHash: new OctetString(hashOf('sha1', publicKey)),
    serialNumber: new Uint8Array(readCertificateParts(certificate).serial).buffer,
  })
  const tbsRequest = new TBSRequest({ requestList: [new Request({ reqCert })] })
  return Buffer.from(AsnConvert.serialize(new OCSPRequest({ tbsRequest })))
}

/**
 * Never throws.
 * @param octets DER
 */
export function statusInOcsp(octets: Buffer, query: RevocationQuery): ReportedRevocation {
  try {
    const { responseStatus, responseBytes } = AsnConvert.parse(octets, OCSPResponse)
    if (responseStatus !== OCSPResponseStatus.successful)
      return undetermined(`The responder answered ${OCSPResponseStatus[responseStatus] ?? responseStatus}`)
    if (responseBytes?.responseType !== id_pkix_ocsp_basic)
      return undetermined('The OCSP response is not of type id-pkix-ocsp-basic')
    const basic = Buffer.from(responseBytes.response.buffer)
    if (!isSigned(basic, query))
      return undetermined('The OCSP response is not signed by the issuer or its delegate')
    return statusIn(AsnConvert.parse(basic, BasicOCSPResponse).tbsResponseData, query)
  } catch {
    return undetermined('The OCSP response cannot be read')
  }
}

function statusIn(
  { responses, responseExtensions = [] }: ResponseData,
  query: RevocationQuery,
): ReportedRevocation {
  const single = responses.find(({ certID }) => matchesCertId(certID, query))
  if (!single) return undetermined('The OCSP response is about another certificate')
  // RFC 6960 §4.4 defines no critical extensions.
  if ([...responseExtensions, ...(single.singleExtensions ?? [])].some(({ critical }) => critical))
    return undetermined('The OCSP response has an unknown critical extension')
  const { thisUpdate, nextUpdate } = single
  const until = nextUpdate ?? new Date(thisUpdate.getTime() + maxAgeMs)
  const dateFault = stalenessFault(thisUpdate, until, query.at)
  return dateFault === null ? statusOf(single) : undetermined(`The OCSP response ${dateFault}`)
}

function statusOf({ certStatus, nextUpdate }: SingleResponse): ReportedRevocation {
  if (certStatus.revoked) {
    const { revocationTime, revocationReason } = certStatus.revoked
    return reportRevoked(revocationTime, reasonText(revocationReason?.reason ?? 0), nextUpdate ?? null)
  }
  if (certStatus.good === undefined) return undetermined('The responder does not know the certificate')
  return { status: 'Good', detail: 'not revoked', nextUpdate: nextUpdate?.toISOString() ?? null }
}

function matchesCertId(id: CertID, { certificate, issuer }: RevocationQuery): boolean {
  const hash = hashes[id.hashAlgorithm.algorithm]
  if (hash === undefined) return false
  const { subject, publicKey } = readCertificateParts(issuer)
  return (
    readCertificateParts(certificate).serial.equals(Buffer.from(id.serialNumber)) &&
    hashOf(hash, subject).equals(Buffer.from(id.issuerNameHash.buffer)) &&
    hashOf(hash, publicKey).equals(Buffer.from(id.issuerKeyHash.buffer))
  )
}

/** Whether the issuer signed, or a delegate with a certificate from the issuer (RFC 6960 §4.2.2.2). */
function isSigned(basic: Buffer, { issuer, at }: RevocationQuery): boolean {
  const [toBeSigned, algorithm, signature, certificates] = readElements(readOnlyElement(basic).content)
  if (!toBeSigned || !algorithm || !signature) return false
  const { responderID } = AsnConvert.parse(toBeSigned.encoded, ResponseData)
  const isSignedByKeyOf = (signer: X509Certificate) =>
    isResponder(responderID, signer) &&
    isSignedBy(toBeSigned.encoded, algorithm.encoded, signature.content.subarray(1), signer.publicKey)
  if (isSignedByKeyOf(issuer)) return true
  const enclosed = certificates ? readElements(readOnlyElement(certificates.content).content) : []
  return enclosed
    .slice(0, maxSigners)
    .map(({ encoded: whole }) => new X509Certificate(whole))
    .some((signer) => isDelegate(signer, issuer, at) && isSignedByKeyOf(signer))
}

function isResponder({ byName, byKey }: ResponderID, signer: X509Certificate): boolean {
  const { subject, publicKey } = readCertificateParts(signer)
  if (byKey) return hashOf('sha1', publicKey).equals(Buffer.from(byKey.buffer))
  return byName !== undefined && subject.equals(Buffer.from(AsnConvert.serialize(byName)))
}

const isDelegate = (delegate: X509Certificate, issuer: X509Certificate, at: Date): boolean =>
  (delegate.keyUsage ?? []).includes(id_kp_OCSPSigning) &&
  validFrom(delegate) <= at &&
  at <= validTo(delegate) &&
  isIssuedBy(delegate, issuer)

const hashOf = (name: string, octets: Buffer): Buffer => createHash(name).update(octets).digest()
