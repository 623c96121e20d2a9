/** Assesses the TLS of a past session with a next hop against a requirement, from the columns of its event. Pure. */
import type { TlsResult } from '../../contract/tls-result.ts'
import {
  assessRevocation,
  assessServerTls,
  type EstablishedTls,
  type ServerTls,
} from '../../tls/assess-server-tls.ts'
import { maxSummaryNames } from '../../tls/certificate-summary.ts'
import { forcesTls, type HopRequirement } from '../../tls/requirement.ts'
import { trustAnchorsDigest } from '../../tls/trust-anchors-digest.ts'
import type { Assume } from './assumptions.ts'
import type { AttemptColumns } from './mail-facts.ts'
import type { PossibleHop } from './possible-policies.ts'

/** The TLS of the host; for a session that continued in the clear, why. */
export type PastTls = 'Established' | 'NotOffered' | 'HandshakeFailed'

/** @returns null for an attempt that ended before TLS */
export function pastTlsOf(attempt: AttemptColumns, assume: Assume): PastTls | null {
  const { kind, decision, tlsVersion, tlsResult, mode } = attempt
  if (tlsVersion !== undefined) return 'Established'
  if (tlsResult === undefined && kind !== 'Delivered') return null
  if (tlsResult === 'starttls-not-supported') return 'NotOffered'
  const isEnforced = mode === 'Enforce' || decision === 'TlsNotMet'
  if (tlsResult === 'validation-failure' && isEnforced) return 'HandshakeFailed'
  // The result may be that of a requirement in ReportOnly mode.
  return assume({
    key: 'why in the clear',
    sentence: 'The events do not hold why the session with the next hop had no TLS.',
    values: ['NotOffered', 'HandshakeFailed'] as const,
  })
}

/**
 * @returns the result of the first fault; null if the requirement is met. `Unassessable`: the handshake failed, perhaps
 * because it required a newer version
 */
export function assessPastServer(
  enforced: HopRequirement,
  attempt: AttemptColumns & Pick<PossibleHop, 'usedTlsa'>,
  tls: PastTls,
  assume: Assume,
): TlsResult | 'Unassessable' | null {
  if (!forcesTls(enforced)) return null
  const { requiredTlsVersion = 'TLSv1.2' } = attempt
  if (tls === 'HandshakeFailed' && enforced.minimumTlsVersion < requiredTlsVersion) return 'Unassessable'
  for (const requirement of [withoutAdditional(enforced), ...(enforced.additional ?? [])]) {
    const result = assessPart(requirement, attempt, tls, assume)
    if (result !== null) return result
  }
  if (tls !== 'Established' || enforced.revocationCheck === 'None') return null
  const status =
    attempt.revocation ??
    assume({
      key: revocationOfServer,
      sentence: "The revocation of the next hop's certificate was not checked in the session.",
      values: ['Good', 'Unknown', 'Revoked'] as const,
    })
  return assessRevocation(enforced, { status, detail: '' })?.result ?? null
}

export const revocationOfServer = "revocation of the next hop's certificate"

const withoutAdditional = ({ additional: _, ...requirement }: HopRequirement): HopRequirement => requirement

function assessPart(
  requirement: HopRequirement,
  attempt: AttemptColumns & Pick<PossibleHop, 'usedTlsa'>,
  tls: PastTls,
  assume: Assume,
): TlsResult | null {
  if (requirement.level === 'Dane' && tls === 'Established')
    return matchesTlsa(attempt, assume) ? null : 'tlsa-invalid'
  // A certificate's dates are in its verdict.
  return (
    assessServerTls(requirement, serverTls(requirement, attempt, tls, assume), new Date(0))?.result ?? null
  )
}

/** The records and the chain are not in events, but the result of a session under DANE is. */
function matchesTlsa(
  { decision, tlsResult, usedTlsa, revocation }: AttemptColumns & Pick<PossibleHop, 'usedTlsa'>,
  assume: Assume,
): boolean {
  // Revocation is checked after all else is met.
  if (usedTlsa && (decision !== 'TlsNotMet' || revocation !== undefined)) return true
  if (usedTlsa && tlsResult === 'tlsa-invalid') return false
  return assume({
    key: 'tlsa',
    sentence: 'The events do not hold whether the certificate matches the TLSA records.',
    values: [true, false],
  })
}

function serverTls(
  requirement: HopRequirement,
  attempt: AttemptColumns,
  kind: PastTls,
  assume: Assume,
): ServerTls {
  if (kind === 'NotOffered') return { kind, serverReply: null }
  if (kind === 'HandshakeFailed') return { kind, cause: '' }
  const { level } = requirement
  const isVerified = level === 'CertificateValidation' || level === 'DomainValidation'
  const trust = isVerified ? trustBy(requirement, attempt, assume) : { trusted: false, trustError: null }
  return {
    kind,
    protocol: attempt.tlsVersion ?? '',
    cipher: '',
    group: null,
    ...trust,
    trustedBy: requirement.certificateAuthorities,
    names: level === 'DomainValidation' ? serverNames(requirement, attempt, assume) : noNames,
    fingerprint256: null,
    chain: [],
    certificates: [],
  }
}

/** Events have the verdict for the trust anchors of the session, and not the chain. */
function trustBy(
  { certificateAuthorities }: HopRequirement,
  { trustAnchors, serverCertificateVerdict: verdict }: AttemptColumns,
  assume: Assume,
): Pick<EstablishedTls, 'trusted' | 'trustError'> {
  const digest = certificateAuthorities.length > 0 ? trustAnchorsDigest(certificateAuthorities) : undefined
  if (digest === trustAnchors) {
    const trusted = verdict === 'trusted'
    return { trusted, trustError: trusted ? null : (verdict ?? null) }
  }
  const trusted = assume({
    key: `chain of the next hop to ${digest ?? 'public roots'}`,
    sentence:
      digest === undefined
        ? "The session verified the next hop's chain with a connector's authorities, not with the public roots."
        : "The events do not hold the next hop's chain, and the connector trusts its own authorities.",
    values: [true, false],
  })
  return { trusted, trustError: null }
}

const noNames = { subjectAltNames: [], commonName: null }

function serverNames(
  { names: expected }: HopRequirement,
  { serverCertificateNames = '', serverCertificateCommonName }: AttemptColumns,
  assume: Assume,
): EstablishedTls['names'] {
  const names = serverCertificateNames.split(' ').filter((name) => name !== '')
  const hasFurtherName =
    names.length >= maxSummaryNames &&
    assume({
      key: `further names ${expected.join(' ')}`,
      sentence: "The events do not hold all names of the next hop's certificate.",
      values: [true, false],
    })
  return {
    subjectAltNames: hasFurtherName ? [...names, ...expected] : names,
    commonName: serverCertificateCommonName ?? null,
  }
}
