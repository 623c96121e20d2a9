/**
 * Evaluates SPF, DKIM, DMARC and ARC for a received message, and writes the header fields that report the results. The
 * attacks: a message or DNS answers that make the evaluation slow, large, fail, or pass. The defence: limits of time and
 * size in each part; an unexpected error is `permerror`, because a repetition would fail too; a DNS failure is
 * `temperror`, never `pass` or `none`. Not covered: the policy, which evaluate-policy decides.
 */
import type { MessageAuthentication } from '../contract/authentication.ts'
import type { Resolver } from '../net/resolver.ts'
import { type ArcSeal, evaluateArc, sealMessage } from './evaluate-arc.ts'
import { evaluateDmarc } from './evaluate-dmarc.ts'
import { evaluateSpf, spfIdentity } from './evaluate-spf.ts'
import { dnsTimeoutMs, messageLookup } from './message-lookup.ts'
import type { MessageOctets } from './message-pieces.ts'
import { authenticationResults, type Outcomes, receivedSpf, type Session } from './result-fields.ts'
import { type Verification, verifySignatures } from './verify-signatures.ts'

export type { ArcSeal } from './evaluate-arc.ts'
export type { MessageOctets } from './message-pieces.ts'

export interface AuthenticationInput extends Session {
  content: MessageOctets
  at: Date
  /** The time against which signatures expire (RFC 6376 §3.5, tag x=): the message may have waited since. */
  receivedAt: Date
  /** Null: the message is not sealed. */
  seal: ArcSeal | null
}

const maxFieldsLength = 16_384

/**
 * @param timeoutMs for all DNS queries of the message together
 * @param onError called with an unexpected error, whose part of the results is then `permerror`
 * @throws only what reading the content throws
 */
export async function authenticateMessage(
  input: AuthenticationInput,
  resolver: Resolver,
  onError: (error: Error) => void = () => {},
  timeoutMs = dnsTimeoutMs,
): Promise<MessageAuthentication> {
  const outcomes = await evaluate(input, resolver, onError, timeoutMs)
  const { spf, dkim, dmarc, arc } = outcomes
  return {
    at: input.at.toISOString(),
    internal: null,
    spf: { result: spf.result, domain: spf.domain },
    dkim: dkim.map(({ result, domain, selector, aligned }) => ({ result, domain, selector, aligned })),
    dmarc: {
      ...{ result: dmarc.result, fromDomain: dmarc.fromDomain },
      ...{ policy: dmarc.policy, alignedBy: dmarc.alignedBy },
    },
    arc,
    fields: await writeFields(input, outcomes, onError),
  }
}

type Evaluated = Outcomes & { verification: Verification }

async function evaluate(
  input: AuthenticationInput,
  resolver: Resolver,
  onError: (error: Error) => void,
  timeoutMs: number,
): Promise<Evaluated> {
  const lookup = messageLookup(resolver, timeoutMs)
  const orElse = <T>(promise: Promise<T>, value: NoInfer<T>): Promise<T> =>
    promise.catch((error: Error) => {
      onError(error)
      return value
    })
  const [spf, verification] = await Promise.all([
    orElse(evaluateSpf(input, lookup), { result: 'permerror', ...spfIdentity(input) }),
    verifySignatures(input.content, lookup, { at: input.receivedAt, isSealed: input.seal !== null }),
  ])
  if (verification.kind === 'Unreadable') {
    if (verification.error) onError(verification.error)
    return { ...unreadable(verification.reason), spf, verification }
  }
  const { signatures, author, arc } = verification.verified
  const [dmarc, arcOutcome] = await Promise.all([
    orElse(evaluateDmarc(author, spf, signatures, lookup), {
      outcome: unreadable('not evaluated').dmarc,
      aligned: [],
    }),
    orElse(evaluateArc(arc, lookup), { result: 'permerror', sealer: null }),
  ])
  const dkim = signatures.map((each, index) => ({ ...each, aligned: dmarc.aligned[index] ?? false }))
  return { spf, dkim, dmarc: dmarc.outcome, arc: arcOutcome, unreadable: null, verification }
}

const unreadable = (reason: string): Omit<Outcomes, 'spf'> => ({
  dkim: [{ result: 'permerror', domain: '', selector: '', aligned: false, algorithm: '', signature: '' }],
  dmarc: { result: 'permerror', fromDomain: null, policy: null, alignedBy: [], reason },
  arc: { result: 'permerror', sealer: null },
  unreadable: reason,
})

/** Leaves out results of DKIM, then the seal, until the fields are short enough. */
async function writeFields(
  input: AuthenticationInput,
  outcomes: Evaluated,
  onError: (error: Error) => void,
): Promise<string> {
  const write = (signatures: number, isSealed: boolean) =>
    fieldsWith(
      { ...outcomes, dkim: outcomes.dkim.slice(0, signatures) },
      isSealed ? input : { ...input, seal: null },
      onError,
    )
  const { length } = outcomes.dkim
  for (let signatures = length; signatures >= Math.min(1, length); signatures--) {
    const fields = await write(signatures, true)
    if (fields.length <= maxFieldsLength) return fields
  }
  return write(length, false)
}

async function fieldsWith(
  outcomes: Evaluated,
  input: AuthenticationInput,
  onError: (error: Error) => void,
): Promise<string> {
  const results = authenticationResults(input, outcomes)
  const seal = await sealOf(input, outcomes, results).catch((error: Error) => {
    onError(error)
    return ''
  })
  return `Authentication-Results: ${results}\r\n${receivedSpf(input, outcomes.spf)}${seal}`
}

async function sealOf(
  { seal, hostname, at }: AuthenticationInput,
  { verification, arc }: Evaluated,
  results: string,
): Promise<string> {
  if (seal === null || verification.kind === 'Unreadable') return ''
  return sealMessage(seal, verification.verified, arc, { hostname, results, at })
}
