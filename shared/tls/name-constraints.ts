/**
 * Checks the name constraints of authorities (RFC 5280 §4.2.1.10). The attack: an authority that may issue only for its
 * own domains issues a certificate for the partner's. The defence: every name of every certificate below it must be
 * permitted and not excluded, critical or not. A name that cannot be compared, or of a type that is not compared, is a
 * fault if there is a constraint of its type. Not covered: SmtpUTF8Mailbox, an otherName, under constraints of rfc822Name.
 */
import type { X509Certificate } from 'node:crypto'
import { readCertificateParts } from './certificate-parts.ts'
import { type Element, readElements, readOnlyElement } from './der.ts'
import { isInDirectory } from './directory-name.ts'
import { extensionIds, extensionOf } from './extension.ts'
import { commonNameOf, dnsNames, presentedNames } from './names.ts'

/** Tags of GeneralName (RFC 5280 §4.2.1.6). */
const nameTags = { rfc822Name: 0x81, dnsName: 0x82, directoryName: 0xa4, ipAddress: 0x87 } as const

type GeneralName = Pick<Element, 'tag' | 'content'>

export interface NameConstraints {
  permitted: readonly Subtree[]
  excluded: readonly Subtree[]
}

/** `isUsable`: false for a subtree with minimum or maximum, which RFC 5280 does not use. */
interface Subtree extends GeneralName {
  isUsable: boolean
}

/**
 * @param certificate DER
 * @returns null if the certificate has no name constraints
 * @throws RangeError for invalid constraints
 */
export function nameConstraintsOf(certificate: Buffer): NameConstraints | null {
  const extension = extensionOf(certificate, extensionIds.nameConstraints)
  if (extension === null) return null
  const lists = readElements(readOnlyElement(extension).content)
  const subtreesOf = (tag: number) =>
    readElements(lists.find((list) => list.tag === tag)?.content ?? Buffer.alloc(0)).map(readSubtree)
  return { permitted: subtreesOf(0xa0), excluded: subtreesOf(0xa1) }
}

function readSubtree({ content }: Element): Subtree {
  const [base, ...bounds] = readElements(content)
  if (!base) throw new RangeError('a subtree without a base')
  return { tag: base.tag, content: base.content, isUsable: bounds.length === 0 }
}

/**
 * The names of a certificate: alternative names, the subject, e-mail addresses in the subject, and the host names that
 * mailflow compares with a connector. The latter include a CN that serves as host name.
 * @throws RangeError for an invalid certificate
 */
export function constrainedNamesOf(certificate: X509Certificate, isLeaf: boolean): GeneralName[] {
  const alternatives = extensionOf(certificate.raw, extensionIds.subjectAltName)
  const { subject } = readCertificateParts(certificate)
  const content = readOnlyElement(subject).content
  return [
    ...(alternatives ? readElements(readOnlyElement(alternatives).content) : []),
    ...(content.length > 0 ? [{ tag: nameTags.directoryName, content: subject }] : []),
    ...emailAddressesIn(content).map((address) => ({ tag: nameTags.rfc822Name, content: address })),
    ...(isLeaf ? hostNamesOf(certificate) : []),
  ]
}

const hostNamesOf = (certificate: X509Certificate): GeneralName[] =>
  presentedNames({
    subjectAltNames: dnsNames(certificate.subjectAltName ?? ''),
    commonName: commonNameOf(certificate),
  }).map((name) => ({ tag: nameTags.dnsName, content: Buffer.from(name) }))

/** The object identifier 1.2.840.113549.1.9.1 of emailAddress, hexadecimal DER. */
const emailAddress = '2a864886f70d010901'

/** @param subject the content of a Name */
const emailAddressesIn = (subject: Buffer): Buffer[] =>
  readElements(subject)
    .flatMap(({ content }) => readElements(content))
    .flatMap(({ content }) => {
      const [type, value] = readElements(content)
      return value && type?.content.toString('hex') === emailAddress ? [value.content] : []
    })

/** Limit for comparisons: more than real chains need, and few enough for the time of a handshake. */
const maxComparisons = 50_000

/** @returns the first name's fault, such as `does not permit the host name mail.partner.example`; null without a fault */
export function nameConstraintFault(
  { permitted, excluded }: NameConstraints,
  names: readonly GeneralName[],
): string | null {
  if (names.length * (permitted.length + excluded.length) > maxComparisons)
    return 'are too many to be compared with the names'
  for (const name of names) {
    const permittedOfType = permitted.filter(({ tag }) => tag === name.tag)
    const excludedOfType = excluded.filter(({ tag }) => tag === name.tag)
    if (permittedOfType.length === 0 && excludedOfType.length === 0) continue
    const permittedMatches = permittedOfType.map((subtree) => isWithin(name, subtree, 'Wholly'))
    const excludedMatches = excludedOfType.map((subtree) => isWithin(name, subtree, 'Partly'))
    if ([...permittedMatches, ...excludedMatches].includes(null))
      return `cannot be compared with ${nameText(name)}`
    if (excludedMatches.includes(true)) return `exclude ${nameText(name)}`
    if (permittedOfType.length > 0 && !permittedMatches.includes(true))
      return `do not permit ${nameText(name)}`
  }
  return null
}

/** A wildcard name can be within a subtree with all host names that it matches, or with some of them. */
type Extent = 'Wholly' | 'Partly'

/** @returns null if the two cannot be compared */
function isWithin(name: GeneralName, { content: base, isUsable }: Subtree, extent: Extent): boolean | null {
  if (!isUsable) return null
  switch (name.tag) {
    case nameTags.dnsName:
      return isHostWithin(textOf(name.content), textOf(base), extent)
    case nameTags.rfc822Name:
      return isMailboxWithin(name.content.toString('latin1'), base.toString('latin1'))
    case nameTags.ipAddress:
      return isAddressWithin(name.content, base)
    case nameTags.directoryName:
      return orNull(() => isInDirectory(name.content, base))
    default:
      return null
  }
}

const textOf = (content: Buffer): string => content.toString('latin1').toLowerCase()

const hostPattern = /^(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+$/
/** A leading dot is not in RFC 5280, but in use: it means subdomains only, as in OpenSSL. */
const hostBasePattern = /^\.?([a-z0-9_-]+\.)*[a-z0-9_-]+$/

/**
 * CVE-2025-61727: `*.example.com` also stands for the excluded `mail.example.com`. So a wildcard name violates an
 * exclusion if any host name that it matches would.
 */
function isHostWithin(name: string, base: string, extent: Extent): boolean | null {
  if (!hostPattern.test(name)) return null
  if (base === '') return true
  if (!hostBasePattern.test(base)) return null
  if (name === base || name.endsWith(base.startsWith('.') ? base : `.${base}`)) return true
  return extent === 'Partly' && name.startsWith('*.') && base.slice(base.indexOf('.')) === name.slice(1)
}

/** The base is a mailbox, a host, or, with a leading dot, the hosts below a domain. */
function isMailboxWithin(name: string, base: string): boolean | null {
  const at = name.lastIndexOf('@')
  const host = name.slice(at + 1).toLowerCase()
  if (at < 1 || !hostBasePattern.test(host)) return null
  const baseAt = base.lastIndexOf('@')
  const baseHost = base.slice(baseAt + 1).toLowerCase()
  if (base === '') return true
  if (baseAt >= 0) return base.slice(0, baseAt) === name.slice(0, at) && baseHost === host
  return baseHost.startsWith('.') ? host.endsWith(baseHost) : host === baseHost
}

/** @param base address and mask */
function isAddressWithin(address: Buffer, base: Buffer): boolean | null {
  const isAddressLength = (length: number) => length === 4 || length === 16
  if (!isAddressLength(address.length) || !isAddressLength(base.length / 2)) return null
  if (base.length !== address.length * 2) return false
  return address.every((octet, index) => {
    const mask = base[address.length + index] ?? 0
    return (octet & mask) === ((base[index] ?? 0) & mask)
  })
}

/** A host name of valid characters only; the text is quoted in replies. */
function nameText({ tag, content }: GeneralName): string {
  switch (tag) {
    case nameTags.dnsName:
      return hostPattern.test(textOf(content))
        ? `the host name ${textOf(content).slice(0, 100)}`
        : 'a host name of unusual form'
    case nameTags.rfc822Name:
      return 'an e-mail address'
    case nameTags.ipAddress:
      return 'an IP address'
    case nameTags.directoryName:
      return 'a directory name'
    default:
      return 'a name of another type'
  }
}

function orNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
