/**
 * DNS queries to one name server over TLS. Several are pending on one connection, answered in any order (RFC 7858 §3.3,
 * RFC 7766 §6.2.1.1); an idle connection closes after some seconds. The attack: a server, or a connection that broke
 * while Lambda froze the function, answers nothing, wrong queries, or without end. The defence: a reply is matched to
 * its query by the identifier and compared with it; each query times out; a silent connection is dropped before that,
 * and its queries are sent again on a new one, once.
 */
import { randomInt } from 'node:crypto'
import { TlsConnection, type TlsServer } from './tls-connection.ts'
import { type End, type Reader, settle, type TransportFailure } from './transport.ts'

/** In milliseconds, except `now`. */
export interface ChannelOptions {
  /** How long an idle connection stays open. */
  idle: number
  /**
   * How long a connection that has answered before may be silent before it is dropped. Short, since the first query
   * after a freeze shorter than the idle time waits this long.
   */
  doubt: number
  /** The system clock: unlike a monotonic one, it advances while the function is frozen. */
  now: () => number
}

const usual: ChannelOptions = { idle: 5_000, doubt: 1_000, now: Date.now }

/** Unexpected messages before a connection is closed. */
const mostUnsolicited = 32
/** Abandoned queries on one connection whose replies may still arrive. */
const mostAbandoned = 64
/** Pending queries: more than one worker's batch needs, and few enough to find a free identifier soon. */
const mostQuestions = 1_000

interface Open {
  id: number
  query: Buffer
  /** Receives the message with its identifier. */
  hear: (octets: Buffer) => void
  fail: (code: string) => void
  answered: boolean
  /** The connection that it was last sent on. */
  link: Link
  /** The link's count of replies when this query was sent. */
  heardBefore: number
  /** By the monotonic clock, in milliseconds. */
  askedAt: number
  /** Whether it was sent again after a connection without any reply. */
  again: boolean
  doubt: NodeJS.Timeout | undefined
}

/** A connection and its state. */
interface Link {
  connection: TlsConnection
  underWay: Set<Open>
  /** Queries answered. */
  heard: number
  unsolicited: number
  /** Identifiers whose replies may still arrive; not used for other queries. */
  abandoned: Set<number>
  /** Start of the idle time; null while queries are pending. */
  idleSince: number | null
  retirement: NodeJS.Timeout | undefined
}

/** At most one link exists, and all pending queries are on it. A broken link moves them to the next. */
export class TlsChannel {
  readonly #server: TlsServer
  readonly #options: ChannelOptions
  readonly #open = new Map<number, Open>()
  #link: Link | null = null

  constructor(server: TlsServer, options: Partial<ChannelOptions> = {}) {
    this.#server = server
    this.#options = { ...usual, ...options }
  }

  /**
   * @param queryOf encodes the query with its identifier
   * @param read decodes the reply with that identifier; null when it does not match the query
   * @param wait milliseconds in total
   */
  async ask<T>(
    queryOf: (id: number) => { query: Buffer; read: Reader<T> },
    wait: number,
    signal: AbortSignal,
  ): Promise<T | TransportFailure> {
    if (this.#open.size >= mostQuestions) return { kind: 'Unanswered', code: 'EBUSY' }
    let asked: Open | undefined
    return settle<T>(
      wait,
      signal,
      (end) => {
        const link = this.#usable()
        const id = this.#freeId(link)
        const { query, read } = queryOf(id)
        asked = this.#begin(id, query, link, read, end)
      },
      () => asked && this.#end(asked),
    )
  }

  #begin<T>(id: number, query: Buffer, link: Link, read: Reader<T>, end: End<T>): Open {
    const asked: Open = {
      id,
      query,
      link,
      hear: (octets) => {
        asked.answered = true
        end(read(octets) ?? { kind: 'Unanswered', code: 'EBADRESP' })
      },
      fail: (code) => end({ kind: 'Unanswered', code }),
      answered: false,
      heardBefore: 0,
      askedAt: 0,
      again: false,
      doubt: undefined,
    }
    this.#open.set(id, asked)
    this.#send(asked, link)
    return asked
  }

  #freeId({ abandoned }: Link): number {
    for (;;) {
      const id = randomInt(0x10000)
      if (!this.#open.has(id) && !abandoned.has(id)) return id
    }
  }

  /** Returns the current link, unless it was idle so long that it may be broken. */
  #usable(): Link {
    const link = this.#link
    if (link === null) return this.#connect()
    if (link.idleSince === null) return link
    const idle = this.#options.now() - link.idleSince
    if (idle >= 0 && idle < this.#options.idle) return link
    this.#retire(link)
    return this.#connect()
  }

  #connect(): Link {
    const link: Link = {
      connection: new TlsConnection(this.#server, {
        message: (octets) => this.#hear(link, octets),
        broken: (code) => this.#broken(link, code),
      }),
      underWay: new Set(),
      heard: 0,
      unsolicited: 0,
      abandoned: new Set(),
      idleSince: null,
      retirement: undefined,
    }
    this.#link = link
    return link
  }

  #send(asked: Open, link: Link): void {
    asked.link = link
    asked.heardBefore = link.heard
    asked.askedAt = performance.now()
    link.underWay.add(asked)
    link.idleSince = null
    clearTimeout(link.retirement)
    link.connection.hold(true)
    link.connection.send(asked.query)
    if (link.heard > 0) asked.doubt = setTimeout(() => this.#doubt(asked), this.#options.doubt)
  }

  #hear(link: Link, octets: Buffer): void {
    const id = octets.length < 2 ? -1 : octets.readUInt16BE(0)
    const asked = this.#open.get(id)
    if (asked) {
      link.heard += 1
      asked.hear(octets)
    } else if (!link.abandoned.delete(id)) {
      link.unsolicited += 1
      if (link.unsolicited >= mostUnsolicited) this.#giveUp(link, 'EBADRESP')
    }
  }

  #doubt(asked: Open): void {
    if (isSilent(asked)) this.#giveUp(asked.link, 'ETIMEOUT')
  }

  /** Runs after any result. */
  #end(asked: Open): void {
    const { link, id } = asked
    clearTimeout(asked.doubt)
    this.#open.delete(id)
    link.underWay.delete(asked)
    // A broken link has moved its queries already.
    if (this.#link !== link) return
    if (!asked.answered) link.abandoned.add(id)
    if (this.#isHopeless(asked)) this.#giveUp(link, 'ETIMEOUT')
    else if (link.underWay.size === 0) this.#rest(link)
  }

  /** Whether the link caused the missing reply. */
  #isHopeless(asked: Open): boolean {
    if (asked.answered) return false
    const waited = performance.now() - asked.askedAt
    return asked.link.abandoned.size > mostAbandoned || (isSilent(asked) && waited >= this.#options.doubt)
  }

  /** An idle link does not keep the process alive. */
  #rest(link: Link): void {
    link.connection.hold(false)
    link.idleSince = this.#options.now()
    link.retirement = setTimeout(() => this.#retire(link), this.#options.idle).unref()
  }

  #giveUp(link: Link, code: string): void {
    link.connection.close()
    this.#broken(link, code)
  }

  #retire(link: Link): void {
    clearTimeout(link.retirement)
    link.connection.close()
    this.#link = null
  }

  /**
   * Sends the pending queries again on a new connection, if this one had verified the server. Without any reply on the
   * link, a query is sent again only once.
   */
  #broken(link: Link, code: string): void {
    this.#retire(link)
    for (const asked of [...link.underWay]) {
      clearTimeout(asked.doubt)
      link.underWay.delete(asked)
      if (!link.connection.isVerified || (asked.again && isSilent(asked))) {
        asked.fail(code)
        continue
      }
      asked.again ||= isSilent(asked)
      this.#send(asked, this.#link ?? this.#connect())
    }
  }
}

/** Whether no reply has arrived on the link since the query was sent. */
const isSilent = ({ link, heardBefore }: Open): boolean => link.heard === heardBefore
