/**
 * A stub resolver that reports whether DNSSEC proves an answer. It does not validate: it trusts the AD bit of the
 * configured resolver. So that resolver must validate, and the path to it must be trustworthy: TLS, the same machine or
 * a private network (RFC 4035 §4.9.3, RFC 7672 §2.1.1). With a resolver that sets no AD bit, every domain is treated as
 * unsigned.
 */
import { randomInt } from 'node:crypto'
import { getServers } from 'node:dns'
import { type NameServerAddress, parseNameServers } from '../contract/name-server.ts'
import type { DnsAnswer, RecordData, RecordType, Resolver } from './dns/answer.ts'
import {
  type AnswerRecord,
  type DnsReply,
  decodeReply,
  encodeQuery,
  isValidName,
  type Question,
} from './dns/message.ts'
import { type ChannelOptions, TlsChannel } from './dns/tls-channel.ts'
import { queryOverTcp, queryOverUdp, type TransportFailure } from './dns/transport.ts'

export type {
  DnsAnswer,
  MxRecord,
  RecordData,
  RecordType,
  Resolver,
} from './dns/answer.ts'

export interface QueryRound {
  /** Ignored for a server with TLS. */
  transport: 'Datagram' | 'Stream'
  /** Milliseconds for each query to each server. */
  timeoutMs: number
}

/** TCP comes last, in case a firewall drops the datagrams of a server. */
const defaultRounds: readonly QueryRound[] = [
  { transport: 'Datagram', timeoutMs: 2_000 },
  { transport: 'Datagram', timeoutMs: 3_000 },
  { transport: 'Stream', timeoutMs: 5_000 },
]

/** Limits the aliases that one query follows, in all its replies together. */
const maxAliases = 16

/**
 * @param servers in the form of `parseNameServers`; empty means the system's servers
 * @param channel options of TLS connections
 * @throws Error that names the invalid server
 */
export function createResolver(
  servers: readonly string[],
  rounds: readonly QueryRound[] = defaultRounds,
  channel: Partial<ChannelOptions> = {},
): Resolver {
  const addresses = parseNameServers(servers.length > 0 ? servers : getServers())
  const rotation = new ServerRotation(
    addresses.map((address) => createNameServer(address, channel)),
    rounds,
  )
  return {
    async query<K extends RecordType>(name: string, type: K, signal?: AbortSignal) {
      return (await resolve(rotation, { name, type }, signal ?? new AbortController().signal)) as DnsAnswer<
        RecordData[K]
      >
    },
  }
}

type Answer = DnsAnswer<RecordData[RecordType]>

/**
 * RFC 7672 §2.1.3: queries the target of an alias when the reply lacks the target's records; after an insecure alias
 * the whole answer is insecure.
 */
async function resolve(rotation: ServerRotation, question: Question, signal: AbortSignal): Promise<Answer> {
  let { name } = question
  let secure = true
  for (let aliases = 0; ; ) {
    if (!isValidName(name)) return failedAnswer('EBADNAME')
    const reply = await rotation.query({ ...question, name }, signal)
    if (reply.kind === 'Failed') return reply
    secure &&= reply.authentic
    const followed = followAliases(reply, name, question.type)
    aliases += followed.aliases
    if (aliases > maxAliases) return failedAnswer('EBADRESP')
    if (reply.rcode === nxDomainRcode) return { kind: 'NoSuchName', secure }
    if (followed.records.length > 0)
      return {
        kind: 'Found',
        records: followed.records.map(({ data }) => data),
        secure,
        name: followed.name,
        ttlSeconds: Math.max(reply.originalTtlSeconds, ...followed.records.map((each) => each.ttlSeconds)),
      }
    if (followed.aliases === 0 || reply.negative) return { kind: 'NoData', secure }
    name = followed.name
  }
}

const nxDomainRcode = 3

/** Follows the aliases within one reply. */
function followAliases(
  { records }: DnsReply,
  queriedName: string,
  type: RecordType,
): { name: string; aliases: number; records: AnswerRecord[] } {
  let name = queriedName.toLowerCase()
  for (let aliases = 0; ; aliases += 1) {
    const ownRecords = records.filter(({ owner }) => owner === name)
    const matchingRecords = ownRecords.filter((record) => record.type === type)
    const alias = ownRecords.find((record) => record.type === 'CNAME')
    if (matchingRecords.length > 0 || alias === undefined || aliases > maxAliases)
      return { name, aliases, records: matchingRecords }
    name = alias.data as string
  }
}

const failedAnswer = (code: string, bogus = false): Extract<Answer, { kind: 'Failed' }> => ({
  kind: 'Failed',
  code,
  bogus,
})

type QueryResult = (DnsReply & { kind: 'Answered' }) | Extract<Answer, { kind: 'Failed' }>

interface NameServer {
  address: NameServerAddress
  /** Null for queries in the clear. */
  channel: TlsChannel | null
}

function createNameServer(address: NameServerAddress, options: Partial<ChannelOptions>): NameServer {
  const { tlsName } = address
  return { address, channel: tlsName === null ? null : new TlsChannel({ ...address, tlsName }, options) }
}

/** The servers in the order of their use. */
class ServerRotation {
  #servers: readonly NameServer[]
  readonly #rounds: readonly QueryRound[]

  constructor(servers: readonly NameServer[], rounds: readonly QueryRound[]) {
    this.#servers = servers
    this.#rounds = rounds
  }

  /**
   * When no server answers, a server's error reply is preferred to a timeout, because the error reply is more specific.
   */
  async query(question: Question, signal: AbortSignal): Promise<QueryResult> {
    let refusal: QueryResult | null = null
    let lastTimeout = failedAnswer('ETIMEOUT')
    let remaining = this.#servers
    for (const round of this.#rounds) {
      for (const server of remaining) {
        const result = await queryServer(server, question, round, signal)
        if (result.kind === 'Answered' || (result.kind === 'Failed' && result.bogus)) {
          this.#prefer(server)
          return result
        }
        if (result.kind === 'Failed') {
          refusal = result
          remaining = remaining.filter((each) => each !== server)
        } else lastTimeout = failedAnswer(result.code)
      }
    }
    return refusal ?? lastTimeout
  }

  /** Moves the servers before `server` to the end of the list, because they gave no usable answer. */
  #prefer(server: NameServer): void {
    if (this.#servers[0] === server) return
    const at = this.#servers.indexOf(server)
    this.#servers = [...this.#servers.slice(at), ...this.#servers.slice(0, at)]
  }
}

/** @returns `Failed` for the server's own error reply */
async function queryServer(
  server: NameServer,
  question: Question,
  round: QueryRound,
  signal: AbortSignal,
): Promise<QueryResult | TransportFailure> {
  const sendOnce = (checkingDisabled = false) =>
    queryWithEdnsFallback(server, question, { checkingDisabled }, round, signal)
  const reply = await sendOnce()
  if (reply.kind !== 'Answered' || isAnswer(reply)) return reply
  if (reply.rcode === servFailRcode) return diagnoseServFail(reply, sendOnce)
  return failedAnswer(errorCodeOf(reply))
}

const isAnswer = ({ rcode, conclusive, records }: DnsReply): boolean =>
  rcode === nxDomainRcode || (rcode === 0 && (conclusive || records.length > 0))

const servFailRcode = 2

/** RFC 8914 §4.7–4.13: DNSSEC failures, from 6 (DNSSEC Bogus) to 12 (NSEC Missing). */
const isDnssecError = (error: number): boolean => error >= 6 && error <= 12

/**
 * Finds out whether SERVFAIL means a DNSSEC failure. An extended error may say so. Otherwise the query is sent twice
 * more, first with checking disabled, then with checking enabled. SERVFAIL means a DNSSEC failure if the first query
 * succeeds and the second one returns SERVFAIL again.
 */
async function diagnoseServFail(
  reply: DnsReply,
  sendAgain: (checkingDisabled?: boolean) => Promise<(DnsReply & { kind: 'Answered' }) | TransportFailure>,
): Promise<QueryResult | TransportFailure> {
  if (reply.errors.some(isDnssecError)) return failedAnswer('ESERVFAIL', true)
  const unchecked = await sendAgain(true)
  if (unchecked.kind !== 'Answered' || !isAnswer(unchecked)) return failedAnswer('ESERVFAIL')
  const retried = await sendAgain()
  if (retried.kind === 'Answered' && isAnswer(retried)) return retried
  return failedAnswer('ESERVFAIL', retried.kind === 'Answered' && retried.rcode === servFailRcode)
}

const codesByRcode = new Map([
  [1, 'EFORMERR'],
  [servFailRcode, 'ESERVFAIL'],
  [4, 'ENOTIMP'],
  [5, 'EREFUSED'],
])

/** A reply with rcode 0 that is no answer is a referral to other servers. */
const errorCodeOf = ({ rcode }: DnsReply): string =>
  rcode === 0 ? 'EBADRESP' : (codesByRcode.get(rcode) ?? `rcode ${rcode}`)

type TransportResult = (DnsReply & { kind: 'Answered' }) | TransportFailure

/** RFC 6891 §7: a server that does not support EDNS is queried without it. */
async function queryWithEdnsFallback(
  server: NameServer,
  question: Question,
  options: { checkingDisabled: boolean },
  round: QueryRound,
  signal: AbortSignal,
): Promise<TransportResult> {
  const reply = await sendQuery(server, question, { ...options, useEdns: true }, round, signal)
  if (reply.kind !== 'Answered' || !rcodesWithoutEdns.has(reply.rcode)) return reply
  return sendQuery(server, question, { ...options, useEdns: false }, round, signal)
}

/** FORMERR, NOTIMP, BADVERS. */
const rcodesWithoutEdns = new Set([1, 4, 16])

/**
 * Uses the server's TLS channel if it has one. Otherwise queries over TCP in a `Stream` round, and in a `Datagram`
 * round when the answer is truncated or UDP fails, except by a timeout.
 */
async function sendQuery(
  { address, channel }: NameServer,
  question: Question,
  options: { checkingDisabled: boolean; useEdns: boolean },
  { transport, timeoutMs }: QueryRound,
  signal: AbortSignal,
): Promise<TransportResult> {
  const createQuery = (id: number) => ({
    query: encodeQuery(question, { ...options, id, isPadded: channel !== null }),
    read: (octets: Buffer) => decodeAnswer(octets, id, question),
  })
  if (channel) return rejectTruncated(await channel.query(createQuery, timeoutMs, signal))
  const { query, read } = createQuery(randomInt(0x10000))
  if (transport === 'Datagram') {
    const result = await queryOverUdp(address, query, read, timeoutMs, signal)
    if (result.kind === 'Answered' ? !result.truncated : result.code === 'ETIMEOUT') return result
  }
  return rejectTruncated(await queryOverTcp(address, query, read, timeoutMs, signal))
}

/** @returns null for a message that does not belong to the query */
function decodeAnswer(octets: Buffer, id: number, question: Question): TransportResult | null {
  const reply = decodeReply(octets, id, question)
  if (reply === 'OtherQuery') return null
  return reply === 'Malformed' ? { kind: 'Unanswered', code: 'EBADRESP' } : { kind: 'Answered', ...reply }
}

/** A reply over a stream must not be truncated. */
const rejectTruncated = (result: TransportResult): TransportResult =>
  result.kind === 'Answered' && result.truncated ? { kind: 'Unanswered', code: 'EBADRESP' } : result
