/**
 * What the recipient's domain may publish about its servers (DANE, MTA-STS), as far as a past attempt shows it. An attempt
 * shows the requirement that was enforced: a policy is possible if it leads to that requirement. Pure.
 */
import { isIP } from 'node:net'
import type { TlsRequirement } from '../../contract/jobs.ts'
import { reply } from '../../mail/reply.ts'
import type { DaneState, HopFacts, MtaStsPolicy, MtaStsState, SenderRequest } from '../../policy/hop-facts.ts'
import { noMtaSts } from '../../policy/hop-facts.ts'
import { opportunistic } from '../../policy/outbound.ts'
import { decideHop } from '../../policy/transport-security.ts'
import { forcesTls } from '../../tls/requirement.ts'
import type { AttemptColumns } from './mail-facts.ts'

/** A next hop, what may be published about it, and what follows for the past attempt. */
export interface PossibleHop {
  hop: HopFacts
  mtaSts: MtaStsState
  /** A policy forbade the attempt to open a session. */
  wasRefused: boolean
  /** The attempt enforced TLSA records. */
  usedTlsa: boolean
}

/** @param domain the recipient's @returns at least one possibility */
export function possibleHops(
  attempt: AttemptColumns & { host: string },
  domain: string,
  request: SenderRequest,
): PossibleHop[] {
  const isMx = attempt.route === 'Mx'
  const hop = { domain, host: attempt.host, foundBy: isMx ? ('Mx' as const) : ('SmartHost' as const) }
  const all = daneStates(attempt).flatMap(({ dane, authentic }) =>
    (isMx ? mtaStsStates(attempt) : [noMtaSts]).map((mtaSts) => ({
      hop: { ...hop, dane, authentic: authentic || !isMx },
      mtaSts,
    })),
  )
  const past = pastRequirement(attempt)
  const possible = all.flatMap((facts): PossibleHop[] => {
    const effect = effectOf(past, request, facts, attempt)
    return effect === null ? [] : [{ ...facts, ...effect }]
  })
  // A release with other rules may have made the attempt.
  return possible.length > 0
    ? possible
    : all.map((facts) => ({ ...facts, wasRefused: false, usedTlsa: false }))
}

type HopPolicies = Pick<PossibleHop, 'hop' | 'mtaSts'>
type Effect = Omit<PossibleHop, keyof HopPolicies>

/** @returns how the requirement leads to the columns of the attempt; null if it does not */
function effectOf(
  past: TlsRequirement,
  request: SenderRequest,
  { hop, mtaSts }: HopPolicies,
  attempt: AttemptColumns,
): Effect | null {
  const decision = decideHop(past, request, hop, mtaSts)
  const { level, source, minimumTlsVersion } = decision.enforced
  if (level !== attempt.requiredLevel || source !== attempt.policySource) return null
  if (decision.kind === 'Try') {
    const version = level === 'Opportunistic' ? 'TLSv1.2' : minimumTlsVersion
    if (version !== (attempt.requiredTlsVersion ?? 'TLSv1.2')) return null
    if (forcesTls(decision.enforced) && wasInClear(attempt)) return null
    const parts = [decision.enforced, ...(decision.enforced.additional ?? [])]
    return { wasRefused: false, usedTlsa: parts.some((part) => part.level === 'Dane') }
  }
  const isSame =
    attempt.tlsVersion === undefined &&
    attempt.decision === decision.outcome &&
    attempt.tlsResult === decision.fault.result
  return isSame ? { wasRefused: true, usedTlsa: false } : null
}

/** Whether TLS failed, and the session continued. */
const wasInClear = ({ kind, decision, tlsVersion, tlsResult }: AttemptColumns): boolean =>
  tlsVersion === undefined && decision !== 'TlsNotMet' && (kind === 'Delivered' || tlsResult !== undefined)

/** The requirement of the attempt, without certificate name and authorities. */
function pastRequirement(attempt: AttemptColumns): TlsRequirement {
  const { mode = 'Enforce', requiredLevel, requiredTlsVersion, policySource, connectorLevel } = attempt
  const enforced = policySource === 'Connector' && requiredLevel !== 'Dane' ? requiredLevel : undefined
  return {
    ...opportunistic,
    mode,
    level: connectorLevel ?? enforced ?? 'Opportunistic',
    minimumTlsVersion: requiredTlsVersion ?? 'TLSv1.2',
    smtpDaneMode: attempt.smtpDaneMode ?? 'Opportunistic',
    mtaStsMode: attempt.mtaStsMode ?? 'Opportunistic',
  }
}

const failed = reply(451, '4.4.3', '')

/** TLSA records exist only where DNSSEC proves that the host is one of the domain's. An address has none. */
function daneStates({ host = '', tlsResult }: AttemptColumns) {
  const states: { dane: DaneState; authentic: boolean }[] = [
    { dane: { kind: 'None' }, authentic: false },
    { dane: { kind: 'None' }, authentic: true },
  ]
  if (isIP(host) !== 0) return states
  states.push({ dane: tlsaRecords(host, usableRecord), authentic: true })
  states.push({ dane: tlsaRecords(host, { ...usableRecord, usage: 0 }), authentic: true })
  // A failure of DNS is not assumed where the attempt shows none.
  if (tlsResult === 'dnssec-invalid')
    for (const bogus of [true, false])
      states.push({ dane: { kind: 'Failed', reply: failed, bogus }, authentic: true })
  return states
}

/** Its digest is not read: whether the certificate matches is a fact of its own. */
const usableRecord = { usage: 3, selector: 1, matchingType: 1, data: '0'.repeat(64) }

const tlsaRecords = (host: string, record: typeof usableRecord): DaneState => ({
  kind: 'Records',
  baseDomain: host,
  names: [host],
  records: [record],
})

function mtaStsStates({ host = '', tlsResult, decision }: AttemptColumns): MtaStsState[] {
  const policy = (mode: MtaStsPolicy['mode'], mx: string[]): MtaStsState => ({
    kind: 'Policy',
    policy: { id: '', mode, mx, maxAge: 0 },
  })
  return [
    noMtaSts,
    { kind: 'None', fault: { result: 'sts-policy-fetch-error', detail: '' } },
    policy('enforce', [host]),
    policy('enforce', []),
    ...(tlsResult === 'sts-policy-fetch-error' && decision === 'TemporaryFailure'
      ? [{ kind: 'Unknown' } as const]
      : []),
  ]
}
