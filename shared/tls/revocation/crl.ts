/**
 * Evaluates a CRL for a certificate (RFC 5280 §5, §6.3). The attack: the issuer's CRL is replaced by another issuer's,
 * by one from before the revocation, or by one about other certificates. The defence: the issuer's signature, the dates
 * and the scope are checked. A CRL that cannot be interpreted is unusable, and never proves that a certificate is good.
 * Not covered: delta and indirect CRLs, and an attacker that blocks the CRL until it expires. In these cases the
 * revocation is undetermined.
 */
import type { X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Extensions, IssuingDistributionPoint, id_ce_issuingDistributionPoint } from '@peculiar/asn1-x509'
import { maySignLists, readCertificateParts } from '../certificate-parts.ts'
import { contentOffset, type Element, endOffset, readElements, readOnlyElement, tags } from '../der.ts'
import { readRevocationEndpoints } from './endpoints.ts'
import {
  type ReportedRevocation,
  type RevocationQuery,
  reasonText,
  reportRevoked,
  stalenessFault,
  undetermined,
} from './reported-revocation.ts'
import { isSignedBy } from './signature.ts'

/** The largest CRLs of public authorities have about ten million octets. */
export const maxCrlOctets = 20_000_000

const deltaIndicator = '2.5.29.27'
const crlNumber = '2.5.29.20'
const authorityKeyIdentifier = '2.5.29.35'
/** Extensions that may be critical. Scope and delta are evaluated; the others do not affect the result. */
const knownExtensions = new Set([
  id_ce_issuingDistributionPoint,
  deltaIndicator,
  crlNumber,
  authorityKeyIdentifier,
])

/**
 * Never throws.
 * @param octets DER, or PEM as some servers send it
 */
export function statusInCrl(octets: Buffer, query: RevocationQuery): ReportedRevocation {
  try {
    const list = parseCrl(octets)
    const fault = crlFault(list, query)
    return fault === null ? findEntry(list, query) : undetermined(`The CRL ${fault}`)
  } catch {
    return undetermined('The CRL cannot be read')
  }
}

interface ParsedCrl {
  toBeSigned: Buffer
  algorithm: Buffer
  signature: Buffer
  /** The DER of the name. */
  issuer: Buffer
  thisUpdate: Date
  nextUpdate: Date | null
  /** The concatenated entries. */
  entries: Buffer
  /** In DER; empty if there are none. Parsed only after the signature is verified. */
  extensions: Buffer
}

function parseCrl(octets: Buffer): ParsedCrl {
  const der = octets[0] === tags.sequence ? octets : fromPem(octets)
  const [toBeSigned, algorithm, signature] = readElements(readOnlyElement(der).content)
  if (!toBeSigned || !algorithm || !signature) throw new RangeError('not a list')
  const fields = readElements(toBeSigned.content)
  const [, issuer, thisUpdate, ...optional] = fields[0]?.tag === tags.integer ? fields.slice(1) : fields
  if (!issuer || !thisUpdate) throw new RangeError('not a list')
  const nextUpdate = optional.find(({ tag }) => tag === tags.utcTime || tag === tags.generalizedTime)
  // The tag `[0]` of crlExtensions (RFC 5280 §5.1).
  const extensions = optional.find(({ tag }) => tag === 0xa0)
  return {
    toBeSigned: toBeSigned.encoded,
    algorithm: algorithm.encoded,
    signature: signature.content.subarray(1),
    issuer: issuer.encoded,
    thisUpdate: dateOf(thisUpdate),
    nextUpdate: nextUpdate ? dateOf(nextUpdate) : null,
    entries: optional.find(({ tag }) => tag === tags.sequence)?.content ?? Buffer.alloc(0),
    extensions: extensions?.content ?? Buffer.alloc(0),
  }
}

function fromPem(octets: Buffer): Buffer {
  const [, base64] =
    /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/.exec(octets.toString('latin1')) ?? []
  return Buffer.from(base64 ?? '', 'base64')
}

/** RFC 5280 §5.1.2.4: UTCTime until 2049, GeneralizedTime from 2050 on; in UTC, with seconds. */
function dateOf({ tag, content }: Pick<Element, 'tag' | 'content'>): Date {
  const text = content.toString('latin1')
  const century = tag === tags.generalizedTime ? '' : text < '5' ? '20' : '19'
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text)
  if (!parts) throw new RangeError('not a time')
  const [, year, month, day, hour, minute, second] = parts
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** The reason why the CRL is unusable, as a clause that follows `The CRL`; null if it is usable. */
function crlFault(list: ParsedCrl, { certificate, issuer, at }: RevocationQuery): string | null {
  const { subject } = readCertificateParts(issuer)
  if (!list.issuer.equals(subject) && !list.issuer.equals(readCertificateParts(certificate).issuer))
    return "is not from the certificate's issuer"
  if (!maySignLists(issuer)) return 'is from an issuer that may not sign CRLs'
  if (!isSignedBy(list.toBeSigned, list.algorithm, list.signature, issuer.publicKey))
    return "is not signed by the certificate's issuer"
  if (list.nextUpdate === null) return 'has no nextUpdate'
  return stalenessFault(list.thisUpdate, list.nextUpdate, at) ?? extensionFault(list.extensions, certificate)
}

function extensionFault(der: Buffer, certificate: X509Certificate): string | null {
  const extensions = der.length > 0 ? AsnConvert.parse(der, Extensions) : new Extensions()
  // RFC 5280 §5.2: a CRL with an unknown critical extension must not be used.
  const unknownExtension = extensions.find(({ critical, extnID }) => critical && !knownExtensions.has(extnID))
  if (unknownExtension) return `has an unknown critical extension: ${unknownExtension.extnID}`
  if (extensions.some(({ extnID }) => extnID === deltaIndicator)) return 'is a delta CRL'
  const point = extensions.find(({ extnID }) => extnID === id_ce_issuingDistributionPoint)
  return point
    ? scopeFault(AsnConvert.parse(point.extnValue.buffer, IssuingDistributionPoint), certificate)
    : null
}

/** RFC 5280 §6.3.3 (b)(2). */
function scopeFault(scope: IssuingDistributionPoint, certificate: X509Certificate): string | null {
  if (scope.indirectCRL) return 'is an indirect CRL'
  if (scope.onlyContainsAttributeCerts) return 'covers attribute certificates only'
  if (scope.onlyContainsUserCerts && certificate.ca) return 'does not cover CA certificates'
  if (scope.onlyContainsCACerts && !certificate.ca) return 'covers CA certificates only'
  if (scope.onlySomeReasons) return 'covers some reasons only'
  if (scope.distributionPoint === undefined) return null
  const names = scope.distributionPoint.fullName?.map(({ uniformResourceIdentifier: uri }) => uri) ?? []
  return readRevocationEndpoints(certificate).crl.some((url) => names.includes(url))
    ? null
    : 'covers other certificates of the issuer'
}

/** Allocates objects only for the entry of the certificate, because a CRL may have a hundred thousand entries. */
function findEntry({ entries, nextUpdate }: ParsedCrl, { certificate }: RevocationQuery): ReportedRevocation {
  const { serial } = readCertificateParts(certificate)
  let entryOffset: number | null = null
  for (let at = 0; at < entries.length; ) {
    const end = endOffset(entries, at)
    const begin = contentOffset(entries, at)
    const afterSerial = endOffset(entries, begin)
    if (hasUnknownCriticalExtension(entries, endOffset(entries, afterSerial), end))
      return undetermined('The CRL has an entry with an unknown critical extension')
    if (entries.compare(serial, 0, serial.length, contentOffset(entries, begin), afterSerial) === 0)
      entryOffset = at
    at = end
  }
  const until = nextUpdate?.toISOString() ?? null
  const good: ReportedRevocation = { status: 'Good', detail: 'not on the CRL', nextUpdate: until }
  if (entryOffset === null) return good
  const { since, reason } = readEntry(entries, entryOffset)
  return reason === 'removeFromCRL' ? good : reportRevoked(since, reason, nextUpdate)
}

/** RFC 5280 §5.3: an entry with an unknown critical extension makes the CRL unusable. */
function hasUnknownCriticalExtension(entries: Buffer, from: number, end: number): boolean {
  if (from >= end) return false
  for (let at = contentOffset(entries, from); at < end; at = endOffset(entries, at)) {
    const id = contentOffset(entries, at)
    const critical = endOffset(entries, id)
    if (entries[critical] === tags.boolean && !isKnownExtension(entries, id)) return true
  }
  return false
}

/** True for reasonCode 2.5.29.21 and invalidityDate 2.5.29.24, each five octets with tag and length. */
const isKnownExtension = (entries: Buffer, id: number): boolean =>
  entries.readUIntBE(id, 4) === 0x0603551d && (entries[id + 4] === 21 || entries[id + 4] === 24)

/** The object identifier 2.5.29.21. */
const reasonCode = '551d15'

function readEntry(entries: Buffer, at: number): { since: Date; reason: string } {
  const [, date, extensions] = readElements(
    readOnlyElement(entries.subarray(at, endOffset(entries, at))).content,
  )
  if (!date) throw new RangeError('not an entry')
  for (const { content } of extensions ? readElements(extensions.content) : []) {
    const parts = readElements(content)
    const value = parts.at(-1)?.content
    if (parts[0]?.content.toString('hex') === reasonCode && value)
      return { since: dateOf(date), reason: reasonText(readOnlyElement(value).content.readUInt8(0)) }
  }
  return { since: dateOf(date), reason: 'unspecified' }
}
