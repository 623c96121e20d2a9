/** ARC (RFC 8617): the validation of a chain, and our seal, by the package. */
import type { ArcData } from 'mailauth/lib/dkim/dkim-verifier.js'
import { AuthenticationResult } from '../contract/authentication.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { withoutForgedFields } from '../mail/forged-fields.ts'
import type { MessageLookup } from './message-lookup.ts'
import type { ArcOutcome } from './result-fields.ts'
import type { VerifiedSignatures } from './verify-signatures.ts'

/** The key with which this gateway seals. */
export interface ArcSeal {
  domain: string
  selector: string
  /** PEM. */
  privateKey: string
}

/** A failed query for a key is `temperror`, because a later validation may succeed. */
export async function evaluateArc(data: ArcData, { lookup, hasFailed }: MessageLookup): Promise<ArcOutcome> {
  const { arc } = await import('mailauth/lib/arc/index.js')
  const { status } = await arc(data, { resolver: lookup, strict: true })
  const result = AuthenticationResult.catch('permerror').parse(status.result)
  const seal = data.lastEntry?.['arc-seal'].parsed
  return {
    result: result === 'fail' && keyNames(data).some(hasFailed) ? 'temperror' : result,
    sealer: normaliseDomain(`${seal?.d?.value ?? ''}`),
  }
}

const keyNames = ({ chain, lastEntry }: ArcData): string[] =>
  [
    ...(chain === false ? [] : chain.map((set) => set['arc-seal'])),
    ...(lastEntry ? [lastEntry['arc-message-signature']] : []),
  ].map(({ parsed }) => `${parsed.s?.value}._domainkey.${parsed.d?.value}`)

/**
 * Returns an ARC set with line ends, over the message as it leaves; empty when the chain must not or cannot be sealed: a
 * seal with cv=fail ends a chain (RFC 8617 §5.1 step 2), as does the 50th set (§4.2.1), and a chain whose status is not
 * known has no cv= value. A chain that fails here is sealed with cv=fail (§5.1.2).
 * @throws Error when the key cannot sign
 */
export async function sealMessage(
  { domain, selector, privateKey }: ArcSeal,
  { header, arc, bodyHash }: VerifiedSignatures,
  { result }: ArcOutcome,
  { hostname, results, at }: { hostname: string; results: string; at: Date },
): Promise<string> {
  if (bodyHash === null || (result !== 'none' && result !== 'pass' && result !== 'fail')) return ''
  const { createSeal } = await import('mailauth/lib/arc/index.js')
  const { parseHeaders } = await import('mailauth/lib/tools.js')
  const { headers, errors } = await createSeal(false, {
    headers: parseHeaders(withoutForgedFields(header, hostname)),
    arc,
    strict: true,
    seal: {
      ...{ signingDomain: domain, selector, privateKey, bodyHash },
      ...{ cv: result, authResults: results, signTime: at },
    },
  })
  const error = errors
    .map(({ err }) => err as Error & { code?: string })
    .find(({ code }) => !unsealable.has(code))
  if (error) throw new Error(`The ARC key cannot sign: ${error.message}`, { cause: error })
  return headers.map((field) => `${field}\r\n`).join('')
}

/** The package's codes for a chain that must not be sealed again or has no instance, and for a message without From:. */
const unsealable = new Set<string | undefined>([
  'EARCCHAINFAILED',
  'EINVALIDINSTANCE',
  'EINVALIDCV',
  'ENOFROM',
])
