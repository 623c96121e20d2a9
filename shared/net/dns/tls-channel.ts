/**
 * DNS queries to one name server over TLS. Several queries may be pending on one connection, and the server answers in
 * any order (RFC 7858 §3.3, RFC 7766 §6.2.1.1); an idle connection closes after some seconds. The attack: a server, or
 * a connection that broke while Lambda froze the function, answers nothing, answers other queries, or never stops
 * sending. The defence: a reply must have the identifier of a query, and repeat that query's question; each query times
 * out; a silent connection is dropped before the queries time out, and they are sent again on a new connection.
 */
import { randomInt } from 'node:crypto'
import { TlsConnection, type TlsServer } from './tls-connection.ts'
import { type Finish, type Reader, settleOnce, type TransportFailure } from './transport.ts'

export interface ChannelOptions {
  /** An idle connection stays open for this time. */
  idleTimeoutMs: number
  /**
   * A connection that has answered before is dropped when it is silent for this time. The time is short: the next query
   * waits this long when the connection broke while Lambda froze the function for less than the idle time.
   */
  silenceTimeoutMs: number
  /** The system clock: unlike a monotonic one, it advances while the function is frozen. */
  now: () => number
}

const defaultOptions: ChannelOptions = { idleTimeoutMs: 5_000, silenceTimeoutMs: 1_000, now: Date.now }

/** After this number of unexpected messages, the connection is closed. */
const maxUnsolicited = 32
/** Limits the abandoned queries of one connection whose replies may still arrive. */
const maxAbandoned = 64
/** More than the batch of one worker needs, and few enough to find a free identifier soon. */
const maxPendingQueries = 1_000

interface PendingQuery {
  id: number
  query: Buffer
  /** Receives the message that has the query's identifier. */
  onReply: (octets: Buffer) => void
  fail: (code: string) => void
  isAnswered: boolean
  /** The connection on which the query was last sent. */
  link: Link
  /** The value of the link's `replies` when this query was sent. */
  repliesBefore: number
  /** Time of the monotonic clock. */
  sentAtMs: number
  /** Whether the query was sent again because its connection broke without any reply since the query was sent. */
  isRetry: boolean
  silenceTimer: NodeJS.Timeout | undefined
}

/** A connection and its state. */
interface Link {
  connection: TlsConnection
  pending: Set<PendingQuery>
  /** The number of replies received. */
  replies: number
  unsolicited: number
  /** Identifiers whose replies may still arrive; not used for other queries. */
  abandoned: Set<number>
  /** Start of the idle time; null while queries are pending. */
  idleSinceMs: number | null
  idleTimer: NodeJS.Timeout | undefined
}

/**
 * At most one link exists, and all pending queries are on it. When a link breaks, its queries move to the next link or
 * fail.
 */
export class TlsChannel {
  readonly #server: TlsServer
  readonly #options: ChannelOptions
  readonly #pending = new Map<number, PendingQuery>()
  #link: Link | null = null

  constructor(server: TlsServer, options: Partial<ChannelOptions> = {}) {
    this.#server = server
    this.#options = { ...defaultOptions, ...options }
  }

  /**
   * @param createQuery encodes the query with its identifier; `read` decodes the reply with that identifier, and
   * returns null when the reply does not match the query
   */
  async query<T>(
    createQuery: (id: number) => { query: Buffer; read: Reader<T> },
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<T | TransportFailure> {
    if (this.#pending.size >= maxPendingQueries) return { kind: 'Unanswered', code: 'EBUSY' }
    let pendingQuery: PendingQuery | undefined
    return settleOnce<T>(
      timeoutMs,
      signal,
      (end) => {
        const link = this.#usableLink()
        const id = this.#freeId(link)
        const { query, read } = createQuery(id)
        pendingQuery = this.#start(id, query, link, read, end)
      },
      () => pendingQuery && this.#finish(pendingQuery),
    )
  }

  #start<T>(id: number, query: Buffer, link: Link, read: Reader<T>, end: Finish<T>): PendingQuery {
    const pendingQuery: PendingQuery = {
      id,
      query,
      link,
      onReply: (octets) => {
        pendingQuery.isAnswered = true
        end(read(octets) ?? { kind: 'Unanswered', code: 'EBADRESP' })
      },
      fail: (code) => end({ kind: 'Unanswered', code }),
      isAnswered: false,
      repliesBefore: 0,
      sentAtMs: 0,
      isRetry: false,
      silenceTimer: undefined,
    }
    this.#pending.set(id, pendingQuery)
    this.#send(pendingQuery, link)
    return pendingQuery
  }

  #freeId({ abandoned }: Link): number {
    for (;;) {
      const id = randomInt(0x10000)
      if (!this.#pending.has(id) && !abandoned.has(id)) return id
    }
  }

  /** Returns the current link, or a new one when the current link was idle so long that it may be broken. */
  #usableLink(): Link {
    const link = this.#link
    if (link === null) return this.#connect()
    if (link.idleSinceMs === null) return link
    const idleMs = this.#options.now() - link.idleSinceMs
    if (idleMs >= 0 && idleMs < this.#options.idleTimeoutMs) return link
    this.#closeLink(link)
    return this.#connect()
  }

  #connect(): Link {
    const link: Link = {
      connection: new TlsConnection(this.#server, {
        onMessage: (octets) => this.#onMessage(link, octets),
        onBroken: (code) => this.#onBroken(link, code),
      }),
      pending: new Set(),
      replies: 0,
      unsolicited: 0,
      abandoned: new Set(),
      idleSinceMs: null,
      idleTimer: undefined,
    }
    this.#link = link
    return link
  }

  #send(pendingQuery: PendingQuery, link: Link): void {
    pendingQuery.link = link
    pendingQuery.repliesBefore = link.replies
    pendingQuery.sentAtMs = performance.now()
    link.pending.add(pendingQuery)
    link.idleSinceMs = null
    clearTimeout(link.idleTimer)
    link.connection.keepProcessAlive(true)
    link.connection.send(pendingQuery.query)
    if (link.replies > 0)
      pendingQuery.silenceTimer = setTimeout(
        () => this.#checkSilence(pendingQuery),
        this.#options.silenceTimeoutMs,
      )
  }

  #onMessage(link: Link, octets: Buffer): void {
    const id = octets.length < 2 ? -1 : octets.readUInt16BE(0)
    const pendingQuery = this.#pending.get(id)
    if (pendingQuery) {
      link.replies += 1
      pendingQuery.onReply(octets)
    } else if (!link.abandoned.delete(id)) {
      link.unsolicited += 1
      if (link.unsolicited >= maxUnsolicited) this.#abandon(link, 'EBADRESP')
    }
  }

  #checkSilence(pendingQuery: PendingQuery): void {
    if (isLinkSilent(pendingQuery)) this.#abandon(pendingQuery.link, 'ETIMEOUT')
  }

  /** Runs after every query, whatever its result. */
  #finish(pendingQuery: PendingQuery): void {
    const { link, id } = pendingQuery
    clearTimeout(pendingQuery.silenceTimer)
    this.#pending.delete(id)
    link.pending.delete(pendingQuery)
    // The queries of a broken link have already failed or moved to the next link.
    if (this.#link !== link) return
    if (!pendingQuery.isAnswered) link.abandoned.add(id)
    if (this.#isLinkBroken(pendingQuery)) this.#abandon(link, 'ETIMEOUT')
    else if (link.pending.size === 0) this.#startIdle(link)
  }

  /**
   * Whether to treat the link as broken: too many queries were abandoned on it, or it was silent for the silence
   * timeout.
   */
  #isLinkBroken(pendingQuery: PendingQuery): boolean {
    if (pendingQuery.isAnswered) return false
    const waitedMs = performance.now() - pendingQuery.sentAtMs
    return (
      pendingQuery.link.abandoned.size > maxAbandoned ||
      (isLinkSilent(pendingQuery) && waitedMs >= this.#options.silenceTimeoutMs)
    )
  }

  /** An idle link does not keep the process alive. */
  #startIdle(link: Link): void {
    link.connection.keepProcessAlive(false)
    link.idleSinceMs = this.#options.now()
    link.idleTimer = setTimeout(() => this.#closeLink(link), this.#options.idleTimeoutMs).unref()
  }

  #abandon(link: Link, code: string): void {
    link.connection.close()
    this.#onBroken(link, code)
  }

  #closeLink(link: Link): void {
    clearTimeout(link.idleTimer)
    link.connection.close()
    this.#link = null
  }

  /**
   * Sends the pending queries again on a new connection, if the server of the broken connection was verified; otherwise
   * they fail with `code`. A query that was sent twice, each time on a link that then sent no reply, also fails.
   */
  #onBroken(link: Link, code: string): void {
    this.#closeLink(link)
    for (const pendingQuery of [...link.pending]) {
      clearTimeout(pendingQuery.silenceTimer)
      link.pending.delete(pendingQuery)
      if (!link.connection.isVerified || (pendingQuery.isRetry && isLinkSilent(pendingQuery))) {
        pendingQuery.fail(code)
        continue
      }
      pendingQuery.isRetry ||= isLinkSilent(pendingQuery)
      this.#send(pendingQuery, this.#link ?? this.#connect())
    }
  }
}

/** Whether no reply has arrived on the link since the query was sent. */
const isLinkSilent = ({ link, repliesBefore }: PendingQuery): boolean => link.replies === repliesBefore
