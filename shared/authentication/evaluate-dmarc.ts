/** DMARC (RFC 9989) by the package's evaluation of one author domain. */
import type { DmarcResponse } from 'mailauth/lib/dmarc/verify.js'
import type { AuthorDomain } from './author-domain.ts'
import type { MessageLookup } from './message-lookup.ts'
import type { DmarcOutcome, SignatureOutcome, SpfOutcome } from './result-fields.ts'

type Signature = Omit<SignatureOutcome, 'aligned'>

/** @returns the result, and for each signature whether its domain is aligned, whatever its result */
export async function evaluateDmarc(
  author: AuthorDomain,
  spf: SpfOutcome,
  signatures: readonly Signature[],
  { lookup }: MessageLookup,
): Promise<{ outcome: DmarcOutcome; aligned: boolean[] }> {
  if (author.kind === 'Unusable')
    return { outcome: unusable(author.reason), aligned: signatures.map(() => false) }
  const { domain } = author
  const evaluate = await loadEvaluation(domain, lookup)
  const withResult = (...results: readonly string[]) => ({
    spf: results.includes(spf.result) ? [spf.domain] : [],
    dkim: signatures.filter(({ result }) => results.includes(result)).map((each) => each.domain),
  })
  const evaluated = await evaluate(withResult('pass'))
  const aligned = await alignedDomains(evaluate, domain, signatures)
  return {
    outcome: {
      result: await resultOf(evaluated.response, () => evaluate(withResult('temperror'))),
      fromDomain: domain,
      policy: evaluated.response.policy ?? null,
      alignedBy: alignedBy(evaluated.response),
      reason: null,
    },
    aligned: signatures.map((each) => aligned.has(each.domain)),
  }
}

const unusable = (reason: string): DmarcOutcome => ({
  ...{ result: 'permerror', fromDomain: null, policy: null, alignedBy: [] },
  reason,
})

interface Evaluation {
  response: DmarcResponse
  dkimAligned: ReadonlySet<string>
}
type Identifiers = { spf: string[]; dkim: string[] }
type Evaluate = (identifiers: Identifiers) => Promise<Evaluation>

async function loadEvaluation(domain: string, resolver: MessageLookup['lookup']): Promise<Evaluate> {
  const { evaluateDmarc: evaluate } = await import('mailauth/lib/dmarc/verify.js')
  return async ({ spf, dkim }) => {
    const { response, dkimAligned } = await evaluate({
      headerFrom: [`postmaster@${domain}`],
      fromFields: 1,
      spfDomains: spf,
      dkimDomains: dkim,
      resolver,
      strict: true,
    })
    if (response === false) throw new Error(`The package reads no author domain from ${domain}`)
    return { response, dkimAligned: dkimAligned ?? new Set() }
  }
}

/**
 * RFC 9989 §5.3.6: a message whose aligned identifier could not be checked for a DNS failure neither passes nor fails.
 * The package knows no such identifiers.
 */
async function resultOf(
  { status: { result } }: DmarcResponse,
  evaluateUndetermined: () => Promise<Evaluation>,
): Promise<DmarcOutcome['result']> {
  if (result === 'pass' || result === 'none' || result === 'temperror') return result
  const { response } = await evaluateUndetermined()
  return response.status.result === 'fail' ? 'fail' : 'temperror'
}

/** RFC 9989 §4.10.2: without a record, only the author domain itself is aligned. */
async function alignedDomains(
  evaluate: Evaluate,
  domain: string,
  signatures: readonly Signature[],
): Promise<ReadonlySet<string>> {
  const { response, dkimAligned } = await evaluate({ spf: [], dkim: signatures.map((each) => each.domain) })
  return response.status.result === 'none' ? new Set([domain]) : dkimAligned
}

const alignedBy = ({ status, alignment }: DmarcResponse): DmarcOutcome['alignedBy'] =>
  status.result === 'pass'
    ? (['spf', 'dkim'] as const).filter((mechanism) => alignment?.[mechanism].result !== undefined)
    : []
