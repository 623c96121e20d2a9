/** The reply for a failed DNS query of routing: MX, address, alias or TLSA records. */
import type { Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import type { DnsAnswer } from './resolver.ts'

export type DnsFailure = Extract<DnsAnswer<unknown>, { kind: 'Failed' }>

/** @returns a 4yz reply */
export const dnsFailureReply = (subject: string, { code, bogus }: DnsFailure): Reply =>
  bogus
    ? reply(451, '4.7.324', `DNSSEC validation failed for the ${subject}`)
    : reply(451, '4.4.312', `DNS failed for the ${subject}: ${code}`)
