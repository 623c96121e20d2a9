/** Evaluates a domain's SPF record for the plan's senders as a receiver does (RFC 7208). */

import { errorMessage } from '../../contract/error-message.ts'
import type { DnsAnswer, RecordData, RecordType, Resolver } from '../../net/dns/answer.ts'
import { sesSender } from '../publication-plan.ts'
import { sesSpfName } from '../zone-records.ts'

export interface SpfResult {
  /** `Amazon SES`, or an IP address that sends mail. */
  sender: string
  /** RFC 7208 §2.6, such as `pass`; null when the sender's addresses are unknown. */
  result: string | null
  reason: string
}

export const sesName = 'Amazon SES'

export const isSpf = (record: string): boolean => /^v=spf1(?: |$)/i.test(record)

/** @param egress IP addresses, and `ses` for Amazon SES */
export const evaluateSpf = (
  domain: string,
  egress: readonly string[],
  resolver: Resolver,
): Promise<SpfResult[]> =>
  Promise.all(
    egress.map((sender) =>
      sender === sesSender ? evaluateSes(domain, resolver) : evaluateSender(domain, sender, sender, resolver),
    ),
  )

async function evaluateSes(domain: string, resolver: Resolver): Promise<SpfResult> {
  const sender = sesName
  const address = firstAddress(await resolver.query(sesSpfName, 'TXT'))
  if (address !== null) return evaluateSender(domain, sender, address, resolver)
  return { sender, result: null, reason: `its addresses cannot be read from ${sesSpfName}` }
}

/** Returns the first IPv4 address or network address in the SPF record of Amazon SES; null without one. */
function firstAddress(answer: DnsAnswer<string>): string | null {
  const record = answer.kind === 'Found' ? answer.records.find(isSpf) : undefined
  return /[ +]ip4:(\d{1,3}(?:\.\d{1,3}){3})/i.exec(record ?? '')?.[1] ?? null
}

async function evaluateSender(
  domain: string,
  sender: string,
  ip: string,
  resolver: Resolver,
): Promise<SpfResult> {
  // Loaded only by this command, because loading is slow.
  const { spf } = await import('mailauth/lib/spf/index.js')
  try {
    const { status } = await spf({
      sender: `postmaster@${domain}`,
      ip,
      helo: domain,
      mta: domain,
      maxElapsedTime: 20_000,
      resolver: (name: string, type: string) => nodeDnsAnswers(resolver, name, type),
    })
    return { sender, result: status.result, reason: (status.comment || '').replace(`${domain}: `, '') }
  } catch (error) {
    return { sender, result: 'temperror', reason: errorMessage(error) }
  }
}

/**
 * Answers in the form of node:dns. PTR queries get no answer, so the mechanism `ptr` never matches. RFC 7208 §5.5 says
 * that it should not be published.
 */
async function nodeDnsAnswers(
  resolver: Resolver,
  name: string,
  type: string,
): Promise<string[] | string[][]> {
  if (type === 'TXT') return (await recordsOf(resolver, name, type)).map((text) => [text])
  if (type === 'A' || type === 'AAAA') return recordsOf(resolver, name, type)
  if (type !== 'MX') throw dnsError('ENODATA')
  const mxRecords = await recordsOf(resolver, name, type)
  // The library takes node:dns objects, although its types allow only strings.
  return mxRecords.map(({ preference, exchange }) => ({
    priority: preference,
    exchange,
  })) as unknown as string[]
}

async function recordsOf<K extends RecordType>(
  resolver: Resolver,
  name: string,
  type: K,
): Promise<RecordData[K][]> {
  const answer = await resolver.query(name, type)
  if (answer.kind === 'Found') return answer.records
  throw dnsError(
    { Failed: answer.kind === 'Failed' ? answer.code : '', NoSuchName: 'ENOTFOUND', NoData: 'ENODATA' }[
      answer.kind
    ],
  )
}

const dnsError = (code: string): Error => Object.assign(new Error(`DNS: ${code}`), { code })
