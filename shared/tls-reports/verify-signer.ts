/**
 * Verifies the sender of a report, which the reporting domain must sign with DKIM (RFC 8460 §3). The attacks: a
 * signature that covers part of a report or belongs to another domain; a header with thousands of signatures, each of
 * which causes a DNS query. The defence: a signature is accepted if it covers the whole body and its domain is aligned
 * with the only `From` address. The number of signatures, the header's size and the time are limited. Not covered: the
 * owner of a domain can sign false reports for that domain.
 */
import type { DKIMVerifyResult, DNSResolver } from 'mailauth'
import { normaliseDomain } from '../mail/domain.ts'
import { mailauthLookup } from '../net/mailauth-lookup.ts'
import type { Resolver } from '../net/resolver.ts'
import type { Authentication } from './received-report.ts'

export type SignerVerification =
  /** `signedBy` is null unless `authenticated` is `pass`. */
  | { kind: 'Known'; authenticated: Authentication; signedBy: string | null }
  /** The DNS query for the key failed temporarily. */
  | { kind: 'Unknown'; reason: string }

const maxSignatures = 6
const maxHeaderOctets = 262_144
/** For all key queries together. */
const keyTimeoutMs = 20_000

/** @param mail the message's octets */
export async function verifySigner(
  mail: Buffer,
  resolver: Resolver,
  signal: AbortSignal,
): Promise<SignerVerification> {
  const header = headerOf(mail)
  const signatures = signaturesIn(header)
  if (signatures === 0) return { kind: 'Known', authenticated: 'none', signedBy: null }
  if (signatures > maxSignatures || header.length > maxHeaderOctets) return failedVerification
  const result = await verify(
    mail,
    keyLookup(resolver, AbortSignal.any([signal, AbortSignal.timeout(keyTimeoutMs)])),
  )
  if (result === null || result.fromFields !== 1 || result.headerFrom.length !== 1) return failedVerification
  const alignedSignatures = result.results.filter(({ status }) => Boolean(status.aligned))
  const validSignature = alignedSignatures.find(
    ({ status, canonBodyLengthLimited }) => status.result === 'pass' && !canonBodyLengthLimited,
  )
  const signedBy = normaliseDomain(validSignature?.signingDomain ?? '')
  if (signedBy !== null) return { kind: 'Known', authenticated: 'pass', signedBy }
  const unverifiedSignature = alignedSignatures.find(({ status }) => status.result === 'temperror')
  return unverifiedSignature
    ? { kind: 'Unknown', reason: `DNS failed for the DKIM key of ${unverifiedSignature.signingDomain}` }
    : failedVerification
}

/** @returns null for a message that the package cannot read; a retry would also fail */
async function verify(mail: Buffer, resolver: DNSResolver): Promise<DKIMVerifyResult | null> {
  // Loaded on first use: most cold starts handle no report.
  const { dkimVerify } = await import('mailauth/lib/dkim/verify.js')
  return dkimVerify(mail, { resolver, rejectRsaSha1: true }).catch(() => null)
}

const failedVerification: SignerVerification = { kind: 'Known', authenticated: 'fail', signedBy: null }

function headerOf(mail: Buffer): string {
  const end = mail.indexOf('\r\n\r\n')
  return mail.subarray(0, end < 0 ? mail.length : end).toString('latin1')
}

const signaturesIn = (header: string): number =>
  header.match(/^(?:dkim-signature|arc-message-signature)[ \t]*:/gim)?.length ?? 0

function keyLookup(resolver: Resolver, signal: AbortSignal): DNSResolver {
  const lookup = mailauthLookup(resolver, signal)
  return async (name, type) => (await lookup(name, type)).flat().map((record) => [widenReportKey(record)])
}

/** RFC 8460 §3: a key may be for reports only (`s=tlsrpt`), but the package accepts only keys for mail. */
function widenReportKey(record: string): string {
  return record.replace(/(^|;)(\s*s\s*=)([^;]*)/, (whole, before: string, tag: string, services: string) =>
    services.split(':').some((service) => service.trim().toLowerCase() === 'tlsrpt')
      ? `${before}${tag}*`
      : whole,
  )
}
