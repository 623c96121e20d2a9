/** Whether a connector would defer mail because of a finding; the functions by which deliveries decide say so. Pure. */
import type { Revocation, RevocationCheck } from '../../../shared/contract/revocation.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import { assessRevocation, assessServerTls } from '../../../shared/tls/server-certificate.ts'
import type { SourceFacts, Trust } from '../facts/facts.ts'

/** @returns what is to stand behind the cause; nothing where mail goes out, or where there was no session */
export function deferralByTls(
  level: 'CertificateValidation' | 'DomainValidation',
  names: readonly string[],
  { tls }: Trust,
  at: Date,
): string {
  const demands = { ...opportunistic, level, names, source: 'Connector' } as const
  const fault = tls && assessServerTls({ ...demands, certificateAuthorities: tls.trustedBy }, tls, at)
  return fault ? `; a connector with ${level} puts mail off with ${fault.reply.enhanced}` : ''
}

const checks: readonly RevocationCheck[] = ['SoftFail', 'HardFail']

/** Likewise, of revocation. */
export function deferralByRevocation(revocation: Revocation): string {
  const refusing = checks.flatMap((revocationCheck) => {
    const fault = assessRevocation({ revocationCheck }, revocation)
    return fault ? [{ revocationCheck, code: fault.reply.enhanced }] : []
  })
  const names = refusing.map(({ revocationCheck }) => revocationCheck).join(' or ')
  return refusing[0]
    ? `; a connector with revocationCheck ${names} puts mail off with ${refusing[0].code}`
    : ''
}

/** Of a whole chain, as a delivery puts it together: one source that says something decides about its certificate. */
export function chainRevocation(facts: readonly SourceFacts[]): Revocation {
  const each = facts.map(ofCertificate)
  const found =
    each.find(({ status }) => status === 'Revoked') ?? each.find(({ status }) => status === 'Unknown')
  return (
    found ?? {
      status: 'Good',
      detail: 'no certificate of the chain was revoked, as far as any names whom to ask',
    }
  )
}

function ofCertificate({ places, sources }: SourceFacts): Revocation {
  if (places === 0) return { status: 'Good', detail: 'it names nobody to ask' }
  const found =
    sources?.find(({ status }) => status === 'Revoked') ?? sources?.find(({ status }) => status === 'Good')
  return found ?? { status: 'Unknown', detail: 'nobody says whether a certificate was revoked' }
}
