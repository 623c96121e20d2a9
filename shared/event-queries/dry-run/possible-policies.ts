/**
 * What the recipient's domain may publish about its servers (DANE, MTA-STS), as far as a past attempt shows it. An attempt
 * shows the requirement that was enforced: a policy is possible if it leads to that requirement. Pure.
 */
import { isIP } from 'node:net'
import { TlsRequirement } from '../../contract/jobs.ts'
import { reply } from '../../mail/reply.ts'
import type { DaneState, HopFacts, MtaStsPolicy, MtaStsState, SenderRequest } from '../../policy/hop-facts.ts'
import { noMtaSts } from '../../policy/hop-facts.ts'
import { opportunistic } from '../../policy/outbound.ts'
import { decideHop } from '../../policy/transport-security.ts'
import type { AttemptColumns } from './mail-facts.ts'

/** A next hop, what may be published about it, and whether the past attempt opened no session for that reason. */
export interface PossibleHop {
  hop: HopFacts
  mtaSts: MtaStsState
  wasRefused: boolean
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
  const pasts = pastRequirements(attempt)
  const possible = all.flatMap((facts) => {
    const ways = new Set(pasts.flatMap((past) => wayOf(past, request, facts, attempt) ?? []))
    return [...ways].map((way): PossibleHop => ({ ...facts, wasRefused: way === 'Refused' }))
  })
  // A release with other rules may have made the attempt.
  return possible.length > 0 ? possible : all.map((facts) => ({ ...facts, wasRefused: false }))
}

type HopPolicies = Pick<PossibleHop, 'hop' | 'mtaSts'>

/** @returns how the requirement leads to the columns of the attempt; null if it does not */
function wayOf(
  past: TlsRequirement,
  request: SenderRequest,
  { hop, mtaSts }: HopPolicies,
  attempt: AttemptColumns,
): 'Tried' | 'Refused' | null {
  const decision = decideHop(past, request, hop, mtaSts)
  const { level, source, minimumTlsVersion } = decision.enforced
  if (level !== attempt.requiredLevel || source !== attempt.policySource) return null
  if (decision.kind === 'Try') {
    const version = level === 'Opportunistic' ? 'TLSv1.2' : minimumTlsVersion
    return version === (attempt.requiredTlsVersion ?? 'TLSv1.2') ? 'Tried' : null
  }
  const isSame =
    attempt.tlsVersion === undefined &&
    attempt.decision === decision.outcome &&
    attempt.tlsResult === decision.fault.result
  return isSame ? 'Refused' : null
}

/** The requirements that the connector of the attempt may have had. */
function pastRequirements(attempt: AttemptColumns): TlsRequirement[] {
  if (attempt.outboundConnector === undefined) return [opportunistic]
  const { mode = 'Enforce', requiredLevel, requiredTlsVersion } = attempt
  const { level: Level, smtpDaneMode: Mode } = TlsRequirement.shape
  const { data: ownLevel = 'Opportunistic' } = Level.safeParse(requiredLevel)
  const levels = new Set(mode === 'Enforce' ? (['Opportunistic', ownLevel] as const) : Level.options)
  const modes = Mode.unwrap().options
  return [...levels].flatMap((level) =>
    modes.flatMap((smtpDaneMode) =>
      modes.map((mtaStsMode) => ({
        ...opportunistic,
        mode,
        level,
        minimumTlsVersion: requiredTlsVersion ?? 'TLSv1.2',
        smtpDaneMode,
        mtaStsMode,
      })),
    ),
  )
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
