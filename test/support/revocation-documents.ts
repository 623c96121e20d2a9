/** CRLs and OCSP responses, correctly signed or not. */
import { createHash, X509Certificate } from 'node:crypto'
import {
  BasicOCSPResponse,
  CertID,
  CertStatus,
  id_pkix_ocsp_basic,
  KeyHash,
  OCSPResponse,
  OCSPResponseStatus,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
} from '@peculiar/asn1-ocsp'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  Certificate,
  CertificateList,
  CRLReason,
  Extension,
  id_ce_cRLReasons,
  RevokedCertificate,
  TBSCertList,
  Time,
  Version,
} from '@peculiar/asn1-x509'
import { daysFromNow, type Pki } from './pki.ts'

/** A revoked certificate. `reason`: RFC 5280 §5.3.1, such as 1 for keyCompromise. */
export interface RevokedCertificateInput {
  /** The certificate, as PEM. */
  certificate: string
  at?: Date
  reason?: number
  extensions?: Extension[]
}

export interface CrlOptions {
  revoked?: RevokedCertificateInput[]
  thisUpdate?: Date
  /** Null omits the field. */
  nextUpdate?: Date | null
  extensions?: Extension[]
  /** Signs instead of the authority that the document names. */
  signedBy?: Pki
}

export const ecdsaWithSha256 = '1.2.840.10045.4.3.2'

export async function createCrl(authority: Pki, options: CrlOptions = {}): Promise<Buffer> {
  const { revoked = [], thisUpdate = daysFromNow(-1), extensions, signedBy = authority } = options
  const nextUpdate = options.nextUpdate === undefined ? daysFromNow(7) : options.nextUpdate
  const signature = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const tbsCertList = new TBSCertList({
    version: Version.v2,
    signature,
    issuer: parsed(authority.ca).subject,
    thisUpdate: new Time(thisUpdate),
    ...(nextUpdate === null ? {} : { nextUpdate: new Time(nextUpdate) }),
    ...(revoked.length > 0 ? { revokedCertificates: revoked.map(entryOf) } : {}),
    ...(extensions ? { crlExtensions: extensions } : {}),
  })
  const signed = await signedBy.sign(Buffer.from(AsnConvert.serialize(tbsCertList)))
  const list = new CertificateList({
    tbsCertList,
    signatureAlgorithm: signature,
    signature: arrayBuffer(signed),
  })
  return Buffer.from(AsnConvert.serialize(list))
}

export const asPem = (crl: Buffer): Buffer =>
  Buffer.from(`-----BEGIN X509 CRL-----\n${crl.toString('base64')}\n-----END X509 CRL-----\n`)

function entryOf({ certificate, at = daysFromNow(-1), reason, extensions = [] }: RevokedCertificateInput) {
  const own =
    reason === undefined
      ? []
      : [extension(id_ce_cRLReasons, Buffer.from(AsnConvert.serialize(new CRLReason(reason))))]
  const all = [...own, ...extensions]
  return new RevokedCertificate({
    userCertificate: parsed(certificate).serialNumber,
    revocationDate: new Time(at),
    ...(all.length > 0 ? { crlEntryExtensions: all } : {}),
  })
}

/** @param value DER */
export const extension = (extnID: string, value: Buffer, critical = false): Extension =>
  new Extension({ extnID, critical, extnValue: new OctetString(value) })

export interface OcspOptions {
  /** The certificate in question, as PEM. */
  certificate: string
  status?: 'good' | 'revoked' | 'unknown'
  revokedAt?: Date
  reason?: number
  thisUpdate?: Date
  /** Null omits the field. */
  nextUpdate?: Date | null
  hash?: 'sha1' | 'sha256'
  /** Signs instead of the authority; the response then includes the `certificate`. */
  signedBy?: { sign(octets: Buffer): Promise<Buffer>; certificate: string }
  extensions?: Extension[]
  byKey?: boolean
}

const hashIds = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' }

export async function createOcspResponse(authority: Pki, options: OcspOptions): Promise<Buffer> {
  const { thisUpdate = daysFromNow(-1), extensions, signedBy, byKey = false } = options
  const nextUpdate = options.nextUpdate === undefined ? daysFromNow(7) : options.nextUpdate
  const responder = parsed(signedBy?.certificate ?? authority.ca)
  const tbsResponseData = new ResponseData({
    responderID: byKey
      ? new ResponderID({ byKey: new KeyHash(digest('sha1', keyOf(responder))) })
      : new ResponderID({ byName: responder.subject }),
    producedAt: whole(thisUpdate),
    responses: [
      new SingleResponse({
        certID: certIdOf(authority, options),
        certStatus: statusOf(options),
        thisUpdate: whole(thisUpdate),
        ...(nextUpdate === null ? {} : { nextUpdate: whole(nextUpdate) }),
      }),
    ],
    ...(extensions ? { responseExtensions: extensions } : {}),
  })
  const signed = await (signedBy ?? authority).sign(Buffer.from(AsnConvert.serialize(tbsResponseData)))
  const basic = new BasicOCSPResponse({
    tbsResponseData,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 }),
    signature: arrayBuffer(signed),
    ...(signedBy ? { certs: [certificateOf(signedBy.certificate)] } : {}),
  })
  return ocspResponse(OCSPResponseStatus.successful, AsnConvert.serialize(basic))
}

export function ocspResponse(status: OCSPResponseStatus, basic?: ArrayBuffer): Buffer {
  const responseBytes =
    basic && new ResponseBytes({ responseType: id_pkix_ocsp_basic, response: new OctetString(basic) })
  const response = new OCSPResponse({ responseStatus: status, ...(responseBytes ? { responseBytes } : {}) })
  return Buffer.from(AsnConvert.serialize(response))
}

function certIdOf(authority: Pki, { certificate, hash = 'sha1' }: OcspOptions): CertID {
  const issuer = parsed(authority.ca)
  return new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: hashIds[hash], parameters: null }),
    issuerNameHash: new OctetString(digest(hash, Buffer.from(AsnConvert.serialize(issuer.subject)))),
    issuerKeyHash: new OctetString(digest(hash, keyOf(issuer))),
    serialNumber: parsed(certificate).serialNumber,
  })
}

function statusOf({ status = 'good', revokedAt = daysFromNow(-1), reason }: OcspOptions): CertStatus {
  if (status === 'good') return new CertStatus({ good: null })
  if (status === 'unknown') return new CertStatus({ unknown: null })
  const revocationReason = reason === undefined ? {} : { revocationReason: new CRLReason(reason) }
  return new CertStatus({
    revoked: new RevokedInfo({ revocationTime: whole(revokedAt), ...revocationReason }),
  })
}

/** DER has whole seconds. */
const whole = (date: Date): Date => new Date(Math.floor(date.getTime() / 1000) * 1000)

const certificateOf = (pem: string) => AsnConvert.parse(new X509Certificate(pem).raw, Certificate)

const parsed = (pem: string) => certificateOf(pem).tbsCertificate

const keyOf = ({ subjectPublicKeyInfo }: ReturnType<typeof parsed>): Buffer =>
  Buffer.from(subjectPublicKeyInfo.subjectPublicKey)

const digest = (hash: string, octets: Buffer): Buffer => createHash(hash).update(octets).digest()

const arrayBuffer = (octets: Buffer): ArrayBuffer => new Uint8Array(octets).buffer
