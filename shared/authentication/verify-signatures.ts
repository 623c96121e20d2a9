/**
 * Verifies DKIM signatures (RFC 6376, RFC 8301, RFC 8463) and the newest ARC-Message-Signature by the package. The
 * attacks: thousands of signatures, fields with thousands of names or lines, a body in one line, and servers of keys
 * that hang. The defence: limits before the package reads the header, ten signatures, body hashes of our own, and all
 * keys queried at once. Not covered: a signed message that is sent again to other recipients.
 */
import type { ArcData, DkimVerifier, SignatureResult } from 'mailauth/lib/dkim/dkim-verifier.js'
import { AuthenticationResult } from '../contract/authentication.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { type AuthorDomain, authorDomain } from './author-domain.ts'
import { BodyHashes } from './body-hash.ts'
import type { MessageLookup } from './message-lookup.ts'
import { type MessageOctets, splitMessage } from './message-pieces.ts'
import { type SignatureOutcome, selectorOf } from './result-fields.ts'

export interface VerifiedSignatures {
  /** `aligned` is unknown here. */
  signatures: Omit<SignatureOutcome, 'aligned'>[]
  author: AuthorDomain
  arc: ArcData
  /** The section with its empty line. */
  header: Buffer
  /** Of the relaxed body, base64; null without seal. */
  bodyHash: string | null
}

export type Verification =
  | { kind: 'Verified'; verified: VerifiedSignatures }
  /** `reason`: a fixed text. */
  | { kind: 'Unreadable'; reason: string; error: Error | null }

/** The limit of Exchange, and the default of the ingress. */
const maxHeaderOctets = 262_144
const maxSignatures = 10
/** The package's time grows with the square of these. */
const maxLines = 5_000
const maxFields = 1_000
const maxSpaces = 1_000
const maxFromOctets = 8_192
const maxSignatureOctets = 4_096

interface Options {
  at: Date
  /** Whether the body's hash is needed for a seal. */
  isSealed: boolean
}

/** @throws only what reading the octets throws */
export async function verifySignatures(
  octets: MessageOctets,
  { lookup }: MessageLookup,
  { at, isSealed }: Options,
): Promise<Verification> {
  const { header, body, close } = await splitMessage(octets, maxHeaderOctets)
  try {
    if (header === null) return unreadable('header section too large')
    const fault = headerFault(header)
    if (fault !== null) return unreadable(fault)
    const bodies = new BodyHashes()
    const sealHash = isSealed ? bodies.add('relaxed', 'sha256', '') : null
    const verifier = await readHeader(header, bodies, lookup, at).catch((error: Error) => error)
    if (verifier instanceof Error) return unreadable('message cannot be read', verifier)
    if (!bodies.isEmpty) for await (const piece of body) bodies.update(piece)
    bodies.finish()
    return await verifier.finish().then(
      () => ({
        kind: 'Verified',
        verified: {
          signatures: verifier.results.flatMap(outcomeOf),
          author: authorOf(header),
          arc: verifier.arc,
          header,
          bodyHash: sealHash?.digest('base64') ?? null,
        },
      }),
      (error: Error) => unreadable('message cannot be read', error),
    )
  } finally {
    await close()
  }
}

const unreadable = (reason: string, error: Error | null = null): Verification => ({
  ...{ kind: 'Unreadable', reason },
  error,
})

function headerFault(header: Buffer): string | null {
  const text = header.toString('latin1')
  if (text.split('\r\n').length > maxLines) return 'header section with too many lines'
  const fields = fieldsOf(text)
  if (fields.length > maxFields) return 'header section with too many fields'
  if (fields.some((field) => field.length > maxFromOctets && nameOf(field) === 'from'))
    return 'From field too large'
  return text.match(/[ \t\r\n]+/g)?.some(({ length }) => length > maxSpaces)
    ? 'header section with too long spaces'
    : null
}

const fieldsOf = (header: string): string[] => header.split(/\r\n(?![ \t])/)

/** A field's name as a lenient reader finds it: without controls, spaces and octets beyond ASCII. */
const nameOf = (field: string): string =>
  field
    .slice(0, field.indexOf(':'))
    .replace(/[^\x21-\x7e]+/g, '')
    .toLowerCase()

/** Reads the signatures, and starts the queries for their keys. */
async function readHeader(
  header: Buffer,
  bodies: BodyHashes,
  lookup: MessageLookup['lookup'],
  at: Date,
): Promise<DkimVerifier> {
  // Loaded on first use: most cold starts verify nothing.
  const { DkimVerifier: Verifier } = await import('mailauth/lib/dkim/dkim-verifier.js')
  const verifier = new Verifier({ resolver: lookup, strict: true, curTime: at })
  const readFields = verifier.messageHeaders.bind(verifier)
  verifier.messageHeaders = async (fields) => {
    let count = 0
    for (const field of fields.parsed)
      if (
        (field.key === 'dkim-signature' &&
          (++count > maxSignatures || field.line.length > maxSignatureOctets)) ||
        (field.key === 'arc-message-signature' && field.line.length > maxSignatureOctets)
      )
        field.key = 'ignored'
    await readFields(fields)
  }
  verifier.addBodyHash = (canonicalization, algorithm, maxOctets) => {
    const key = `${canonicalization}:${algorithm}:${maxOctets}`
    if (!verifier.bodyHashes.has(key))
      verifier.bodyHashes.set(
        key,
        bodies.add(canonicalization === 'relaxed' ? 'relaxed' : 'simple', algorithm, maxOctets),
      )
    return key
  }
  const verify = verifier.verifySignature.bind(verifier)
  verifier.verifySignature = async (...signature) => {
    // Other work runs between two signatures, each of which may cover a large header section.
    await new Promise(setImmediate)
    return verify(...signature)
  }
  await verifier.emitHeaders(header)
  for (const { skip, invalid, type, selector, signingDomain, hashAlgo } of verifier.signatureHeaders)
    if (!skip && !invalid)
      verifier.keyCache
        .get(type, `${selector}._domainkey.${signingDomain}`, undefined, { strict: true, hashAlgo })
        .catch(() => {})
  return verifier
}

/** @returns nothing for a message without signature */
function outcomeOf(result: SignatureResult): VerifiedSignatures['signatures'] {
  const { status, signingDomain = '', selector = '', algo = '', signature = '' } = result
  if (status.result === 'none') return []
  const known = AuthenticationResult.catch('permerror').parse(status.result)
  return [
    {
      // RFC 6376 §8.2: octets after those that l= covers can be anyone's.
      result: known === 'pass' && (status.underSized ?? 0) > 0 ? 'policy' : known,
      domain: normaliseDomain(signingDomain) ?? '',
      selector: selectorOf(selector) ?? '',
      algorithm: algo,
      signature,
    },
  ]
}

/** RFC 5322 §3.6.8, with the white space of §4.5.8; or the end of the section. */
const fieldOrEnd = /^(?:[!-9;-~]+[ \t\r\n]*:|$)/

/** Some readers append a line that is no field, such as one that begins with a no-break space, to the field before it. */
function authorOf(header: Buffer): AuthorDomain {
  const fields = fieldsOf(header.toString('utf8'))
  const isContinued = fields.some(
    (field, index) => !fieldOrEnd.test(field) && nameOf(fields[index - 1] ?? '') === 'from',
  )
  if (isContinued) return { kind: 'Unusable', reason: 'malformed From field' }
  return authorDomain(
    fields.filter((field) => nameOf(field) === 'from').map((field) => field.slice(field.indexOf(':') + 1)),
  )
}
