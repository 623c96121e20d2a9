/**
 * The questions to one name server by TLS. Several are under way on one connection and answered in any order
 * (RFC 7858 §3.3, RFC 7766 §6.2.1.1); it is closed when nobody has asked for some seconds. The attack: a server, or
 * what is left of it after a function was frozen, that keeps a connection and answers nothing, other questions, or
 * without end. The defence: an answer belongs to the question with its identifier, and is compared with it; each
 * question has its time; a connection on which nothing is heard is given up before that, and what was asked there is
 * asked on a new one, once.
 */
import { randomInt } from 'node:crypto'
import { TlsConnection, type TlsServer } from './tls-connection.ts'
import { type End, type Reader, settle, type TransportFailure } from './transport.ts'

/** Milliseconds, but for `now`. */
export interface ChannelOptions {
  /** For so long a connection without questions is kept. */
  idle: number
  /**
   * After so long a connection that has answered before, and now says nothing, is given up. Short: it is what the first
   * question costs after a function was thawed within `idle`.
   */
  doubt: number
  /** The machine's clock, which goes on while a function is frozen. */
  now: () => number
}

const usual: ChannelOptions = { idle: 5_000, doubt: 1_000, now: Date.now }

/** Messages that answer nothing, after which a connection is closed. */
const mostUnsolicited = 32
/** Questions no longer waited for whose answers may still come on one connection. */
const mostAbandoned = 64
/** Under way at once: more than a worker's batch has, and so few that a free identifier is soon found. */
const mostQuestions = 1_000

interface Open {
  id: number
  query: Buffer
  /** Reads what has its identifier. */
  hear: (octets: Buffer) => void
  fail: (code: string) => void
  answered: boolean
  /** Where it was asked last. */
  link: Link
  /** What the link had answered when this was asked. */
  heardBefore: number
  /** Milliseconds of a clock that only goes on. */
  askedAt: number
  /** Whether it was asked again after a connection that answered nothing. */
  again: boolean
  doubt: NodeJS.Timeout | undefined
}

/** A connection and what is known of it. */
interface Link {
  connection: TlsConnection
  underWay: Set<Open>
  /** Questions answered. */
  heard: number
  unsolicited: number
  /** Identifiers whose answers may still come: they are not given to others. */
  abandoned: Set<number>
  /** Since when there is no question under way; null while there is. */
  idleSince: number | null
  retirement: NodeJS.Timeout | undefined
}

/** There is one link at most, and every open question is under way on it: whatever breaks it takes them elsewhere. */
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
   * @param queryOf with the identifier that the question gets
   * @param read what has that identifier; null when it answers something else
   * @param wait milliseconds in all
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

  /** The link that there is, unless it was silent for so long that it may lead nowhere. */
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

  /** Whatever ended it. */
  #end(asked: Open): void {
    const { link, id } = asked
    clearTimeout(asked.doubt)
    this.#open.delete(id)
    link.underWay.delete(asked)
    // What broke has been seen to.
    if (this.#link !== link) return
    if (!asked.answered) link.abandoned.add(id)
    if (this.#isHopeless(asked)) this.#giveUp(link, 'ETIMEOUT')
    else if (link.underWay.size === 0) this.#rest(link)
  }

  /** Whether what was not answered is the link's fault. */
  #isHopeless(asked: Open): boolean {
    if (asked.answered) return false
    const waited = performance.now() - asked.askedAt
    return asked.link.abandoned.size > mostAbandoned || (isSilent(asked) && waited >= this.#options.doubt)
  }

  /** No process stays alive for a link that nobody uses. */
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
   * What was under way is asked again, on a new connection, when this one was the right server's: as often as one
   * answers something before it breaks, and once after one that did not.
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

/** Nothing was heard where it was asked since then. */
const isSilent = ({ link, heardBefore }: Open): boolean => link.heard === heardBefore
