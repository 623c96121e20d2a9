/** Determines whether a connector would defer mail because of a finding. Pure; calls the same code as a delivery. */
import type { Revocation, RevocationCheck } from '../../../shared/contract/revocation.ts'
import { assessRevocation, assessServerTls } from '../../../shared/tls/assess-server-tls.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import type { SourceFacts, Trust } from '../facts/facts.ts'

/** @returns a text to append to the finding; empty if mail would be sent, or there was no session */
export function deferralByTls(
  level: 'CertificateValidation' | 'DomainValidation',
  names: readonly string[],
  { tls }: Trust,
  at: Date,
): string {
  const requirement = { ...opportunistic, level, names, source: 'Connector' } as const
  const fault = tls && assessServerTls({ ...requirement, certificateAuthorities: tls.trustedBy }, tls, at)
  return fault ? `; a connector with ${level} defers mail with ${fault.reply.enhanced}` : ''
}

const revocationChecks: readonly RevocationCheck[] = ['SoftFail', 'HardFail']

/** Returns the text to append to a finding about revocation; empty if mail would be sent. */
export function deferralByRevocation(revocation: Revocation): string {
  const deferring = revocationChecks.flatMap((revocationCheck) => {
    const fault = assessRevocation({ revocationCheck }, revocation)
    return fault ? [{ revocationCheck, code: fault.reply.enhanced }] : []
  })
  const names = deferring.map(({ revocationCheck }) => revocationCheck).join(' or ')
  return deferring[0]
    ? `; a connector with revocationCheck ${names} defers mail with ${deferring[0].code}`
    : ''
}

/**
 * Combines the results of a chain as a delivery does. One source that reports `Revoked` or `Good` is enough for its
 * certificate; `Revoked` has precedence.
 */
export function chainRevocation(facts: readonly SourceFacts[]): Revocation {
  const results = facts.map(certificateRevocation)
  const worst =
    results.find(({ status }) => status === 'Revoked') ?? results.find(({ status }) => status === 'Unknown')
  return (
    worst ?? {
      status: 'Good',
      detail: 'no certificate that names a CRL or OCSP responder is revoked',
    }
  )
}

function certificateRevocation({ urlCount, sources }: SourceFacts): Revocation {
  if (urlCount === 0) return { status: 'Good', detail: 'the certificate names no CRL and no OCSP responder' }
  const conclusive =
    sources?.find(({ status }) => status === 'Revoked') ?? sources?.find(({ status }) => status === 'Good')
  return (
    conclusive ?? {
      status: 'Unknown',
      detail: 'revocation undetermined: for a certificate, no CRL or OCSP responder gave a usable response',
    }
  )
}
