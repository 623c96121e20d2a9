/**
 * A stub resolver that reports whether DNSSEC proves an answer. It does not validate: it trusts the AD bit of the
 * configured resolver. So that resolver must validate, and the path to it must be trusted: TLS, the same machine or a
 * private network (RFC 4035 §4.9.3, RFC 7672 §2.1.1). With a resolver that sets no AD bit, every domain counts as
 * unsigned.
 */
import { randomInt } from 'node:crypto'
import { getServers } from 'node:dns'
import { type NameServerAddress, parseNameServers } from '../contract/name-server.ts'
import type { DnsAnswer, RecordOf, RecordType, Resolver } from './dns/answer.ts'
import { encodeQuery, isAskable, type Question, type Reply, readReply } from './dns/message.ts'
import { type ChannelOptions, TlsChannel } from './dns/tls-channel.ts'
import { askByDatagram, askByStream, type TransportFailure } from './dns/transport.ts'

export type { DnsAnswer, Exchange, RecordOf, RecordType, Resolver } from './dns/answer.ts'

export interface Round {
  /** Ignored for a server with TLS. */
  by: 'Datagram' | 'Stream'
  /** Milliseconds for each query to each server. */
  wait: number
}

/** TCP last: a firewall may drop the datagrams of a server. */
const patience: readonly Round[] = [
  { by: 'Datagram', wait: 2_000 },
  { by: 'Datagram', wait: 3_000 },
  { by: 'Stream', wait: 5_000 },
]

/** Aliases in a row, over all replies. */
const mostAliases = 16

/**
 * @param servers in the form of `parseNameServers`; empty means those of the system
 * @param channel options of TLS connections
 * @throws Error that names the invalid server
 */
export function createResolver(
  servers: readonly string[],
  rounds: readonly Round[] = patience,
  channel: Partial<ChannelOptions> = {},
): Resolver {
  const addresses = parseNameServers(servers.length > 0 ? servers : getServers())
  const line = new Line(
    addresses.map((address) => serverAt(address, channel)),
    rounds,
  )
  return {
    async ask<K extends RecordType>(name: string, type: K, signal?: AbortSignal) {
      return (await resolve(line, { name, type }, signal ?? new AbortController().signal)) as DnsAnswer<
        RecordOf[K]
      >
    },
  }
}

type Answer = DnsAnswer<RecordOf[RecordType]>

/** RFC 7672 §2.1.3: follows an alias without its target by another query; after an insecure alias all is insecure. */
async function resolve(line: Line, question: Question, signal: AbortSignal): Promise<Answer> {
  let { name } = question
  let secure = true
  for (let aliases = 0; ; ) {
    if (!isAskable(name)) return failure('EBADNAME')
    const reply = await line.ask({ ...question, name }, signal)
    if (reply.kind === 'Failed') return reply
    secure &&= reply.authentic
    const found = follow(reply, name, question.type)
    aliases += found.aliases
    if (aliases > mostAliases) return failure('EBADRESP')
    if (reply.rcode === nxDomain) return { kind: 'NoSuchName', secure }
    if (found.records.length > 0) return { kind: 'Found', records: found.records, secure, name: found.name }
    if (found.aliases === 0 || reply.negative) return { kind: 'NoData', secure }
    name = found.name
  }
}

const nxDomain = 3

/** Follows the aliases within one reply. */
function follow(
  { records }: Reply,
  asked: string,
  type: RecordType,
): { name: string; aliases: number; records: RecordOf[RecordType][] } {
  let name = asked.toLowerCase()
  for (let aliases = 0; ; aliases += 1) {
    const own = records.filter(({ owner }) => owner === name)
    const wanted = own.filter((record) => record.type === type)
    const alias = own.find((record) => record.type === 'CNAME')
    if (wanted.length > 0 || alias === undefined || aliases > mostAliases)
      return { name, aliases, records: wanted.map(({ data }) => data) }
    name = alias.data as string
  }
}

const failure = (code: string, bogus = false): Extract<Answer, { kind: 'Failed' }> => ({
  kind: 'Failed',
  code,
  bogus,
})

type Told = (Reply & { kind: 'Answered' }) | Extract<Answer, { kind: 'Failed' }>

interface Server {
  address: NameServerAddress
  /** Null for queries in the clear. */
  channel: TlsChannel | null
}

function serverAt(address: NameServerAddress, options: Partial<ChannelOptions>): Server {
  const { tlsName } = address
  return { address, channel: tlsName === null ? null : new TlsChannel({ ...address, tlsName }, options) }
}

/** The servers in the order of their use. */
class Line {
  #servers: readonly Server[]
  readonly #rounds: readonly Round[]

  constructor(servers: readonly Server[], rounds: readonly Round[]) {
    this.#servers = servers
    this.#rounds = rounds
  }

  /** When none answers, a server's error reply is reported before a timeout: it says more. */
  async ask(question: Question, signal: AbortSignal): Promise<Told> {
    let refusal: Told | null = null
    let silence = failure('ETIMEOUT')
    let left = this.#servers
    for (const round of this.#rounds) {
      for (const server of left) {
        const told = await askServer(server, question, round, signal)
        if (told.kind === 'Answered' || (told.kind === 'Failed' && told.bogus)) {
          this.#prefer(server)
          return told
        }
        if (told.kind === 'Failed') {
          refusal = told
          left = left.filter((each) => each !== server)
        } else silence = failure(told.code)
      }
    }
    return refusal ?? silence
  }

  /** Moves the servers that did not answer to the end. */
  #prefer(server: Server): void {
    if (this.#servers[0] === server) return
    const at = this.#servers.indexOf(server)
    this.#servers = [...this.#servers.slice(at), ...this.#servers.slice(0, at)]
  }
}

/** @returns `Failed` for the server's own error reply */
async function askServer(
  server: Server,
  question: Question,
  round: Round,
  signal: AbortSignal,
): Promise<Told | TransportFailure> {
  const ask = (checkingDisabled = false) =>
    askEitherWay(server, question, { checkingDisabled }, round, signal)
  const reply = await ask()
  if (reply.kind !== 'Answered' || isAnswer(reply)) return reply
  if (reply.rcode === servFail) return diagnose(reply, ask)
  return failure(codeOf(reply))
}

const isAnswer = ({ rcode, conclusive, records }: Reply): boolean =>
  rcode === nxDomain || (rcode === 0 && (conclusive || records.length > 0))

const servFail = 2

/** RFC 8914 §4.7–4.13: DNSSEC failures, from bogus to a missing NSEC. */
const isDnssec = (error: number): boolean => error >= 6 && error <= 12

/**
 * Finds out whether SERVFAIL means a DNSSEC failure. Without an extended error it does if the query succeeds with
 * checking disabled, and fails again without.
 */
async function diagnose(
  reply: Reply,
  ask: (checkingDisabled?: boolean) => Promise<(Reply & { kind: 'Answered' }) | TransportFailure>,
): Promise<Told | TransportFailure> {
  if (reply.errors.some(isDnssec)) return failure('ESERVFAIL', true)
  const unchecked = await ask(true)
  if (unchecked.kind !== 'Answered' || !isAnswer(unchecked)) return failure('ESERVFAIL')
  const again = await ask()
  if (again.kind === 'Answered' && isAnswer(again)) return again
  return failure('ESERVFAIL', again.kind === 'Answered' && again.rcode === servFail)
}

const codes = new Map([
  [1, 'EFORMERR'],
  [servFail, 'ESERVFAIL'],
  [4, 'ENOTIMP'],
  [5, 'EREFUSED'],
])

/** A referral to other servers is no answer. */
const codeOf = ({ rcode }: Reply): string =>
  rcode === 0 ? 'EBADRESP' : (codes.get(rcode) ?? `rcode ${rcode}`)

type Spoken = (Reply & { kind: 'Answered' }) | TransportFailure

/** RFC 6891 §7: a server that does not support EDNS is queried without it. */
async function askEitherWay(
  server: Server,
  question: Question,
  options: { checkingDisabled: boolean },
  round: Round,
  signal: AbortSignal,
): Promise<Spoken> {
  const reply = await exchange(server, question, { ...options, edns: true }, round, signal)
  if (reply.kind !== 'Answered' || !knowsNoEdns.has(reply.rcode)) return reply
  return exchange(server, question, { ...options, edns: false }, round, signal)
}

/** FORMERR, NOTIMP, BADVERS. */
const knowsNoEdns = new Set([1, 4, 16])

/** Uses TCP when a datagram is too small for the answer, or only wrong datagrams arrive. */
async function exchange(
  { address, channel }: Server,
  question: Question,
  options: { checkingDisabled: boolean; edns: boolean },
  { by, wait }: Round,
  signal: AbortSignal,
): Promise<Spoken> {
  const queryOf = (id: number) => ({
    query: encodeQuery(question, { ...options, id, padded: channel !== null }),
    read: (octets: Buffer) => readAnswer(octets, id, question),
  })
  if (channel) return unlessTruncated(await channel.ask(queryOf, wait, signal))
  const { query, read } = queryOf(randomInt(0x10000))
  if (by === 'Datagram') {
    const told = await askByDatagram(address, query, read, wait, signal)
    if (told.kind === 'Answered' ? !told.truncated : told.code === 'ETIMEOUT') return told
  }
  return unlessTruncated(await askByStream(address, query, read, wait, signal))
}

/** @returns null for a message that does not belong to the query */
function readAnswer(octets: Buffer, id: number, question: Question): Spoken | null {
  const reply = readReply(octets, id, question)
  if (reply === 'OtherQuery') return null
  return reply === 'Malformed' ? { kind: 'Unanswered', code: 'EBADRESP' } : { kind: 'Answered', ...reply }
}

/** A reply over a stream must not be truncated. */
const unlessTruncated = (told: Spoken): Spoken =>
  told.kind === 'Answered' && told.truncated ? { kind: 'Unanswered', code: 'EBADRESP' } : told
