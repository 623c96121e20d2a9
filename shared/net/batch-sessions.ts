/**
 * The sessions of one batch of jobs. Messages for the same host under the same requirement share a session. The
 * session's TLS is assessed when the session opens, and the result applies to each of these messages. An unmet TLS
 * requirement, or a temporary failure to open a session, also applies to the messages that follow, so that a timeout
 * elapses only once. All sessions end with the batch, because Lambda may then freeze the function for hours.
 */
import { createHash } from 'node:crypto'
import type { Reply } from '../contract/message.ts'
import { isPermanent } from '../mail/reply.ts'
import type { Endpoint, SessionOptions } from './smtp/connection.ts'
import { openSession, type SessionOpening, type SmtpSession } from './smtp-session.ts'

/** A session lent to one message. `close` ends the session, or keeps it for the next message. */
export type LentSession = Pick<SmtpSession, 'supportsDsn' | 'findRefusal' | 'send' | 'close'>

export type BatchOpening = SessionOpening<LentSession> & {
  /** Whether the session was opened, or the failure found, for an earlier message. */
  isFromEarlier?: boolean
}

interface IdleSession {
  opening: Extract<SessionOpening, { kind: 'Admitted' }>
  /** Closes the session after the idle time. */
  timer: NodeJS.Timeout
}

interface CachedFailure {
  opening: Exclude<SessionOpening, { kind: 'Admitted' }>
  /** Time of the monotonic clock. */
  foundAtMs: number
}

/** Short, because an idle session occupies a connection of the server. */
const maxIdleMs = 2_000

/** The wait for the replies to QUIT at the end of a batch. */
const quitTimeoutMs = 1_000

export class BatchSessions {
  readonly #idle = new Map<string, IdleSession[]>()
  readonly #failures = new Map<string, CachedFailure>()
  readonly #open: typeof openSession
  /** All sessions that are not closed yet. */
  readonly #unclosed = new Set<SmtpSession>()
  #isEnded = false

  constructor(open: typeof openSession = openSession) {
    this.#open = open
  }

  /**
   * Like `openSession`, but returns an idle session or an earlier failure if there is one.
   * @param options with the `signal` of the whole batch
   * @param mustBeNew whether the session must not have carried a message
   */
  async open(hop: Endpoint, options: SessionOptions, mustBeNew = false): Promise<BatchOpening> {
    const key = sessionKey(hop, options)
    const idle = mustBeNew ? null : await this.#takeIdle(key)
    if (idle) return { ...idle, session: this.#lend(key, idle), isFromEarlier: true }
    const failure = this.#failures.get(key)
    if (failure) return repeatFailure(failure)
    const opening = await this.#open(hop, options)
    if (opening.kind === 'Admitted') {
      this.#unclosed.add(opening.session)
      void opening.session.closed.then(() => this.#unclosed.delete(opening.session))
      return { ...opening, session: this.#lend(key, opening) }
    }
    if (isCacheable(opening) && !options.signal.aborted && !options.attemptSignal?.aborted)
      this.#failures.set(key, { opening, foundAtMs: performance.now() })
    return opening
  }

  /** Closes all sessions, also those in use. Waits a limited time for the servers. */
  async close(): Promise<void> {
    this.#isEnded = true
    for (const { timer } of [...this.#idle.values()].flat()) clearTimeout(timer)
    this.#idle.clear()
    const unclosed = [...this.#unclosed]
    for (const session of unclosed) session.close()
    let timeoutTimer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timeoutTimer = setTimeout(resolve, quitTimeoutMs)
    })
    await Promise.race([Promise.all(unclosed.map(({ closed }) => closed)), timeout])
    clearTimeout(timeoutTimer)
  }

  async #takeIdle(key: string): Promise<IdleSession['opening'] | null> {
    for (let idle = this.#idle.get(key)?.pop(); idle; idle = this.#idle.get(key)?.pop()) {
      clearTimeout(idle.timer)
      if (await idle.opening.session.prepareForNext()) return idle.opening
      idle.opening.session.close()
    }
    return null
  }

  #lend(key: string, opening: IdleSession['opening']): LentSession {
    const { session } = opening
    let isLent = true
    return {
      supportsDsn: session.supportsDsn,
      findRefusal: (mail) => session.findRefusal(mail),
      send: (...message) => session.send(...message),
      close: () => {
        if (isLent) this.#returnSession(key, opening)
        isLent = false
      },
    }
  }

  #returnSession(key: string, opening: IdleSession['opening']): void {
    const { session } = opening
    if (this.#isEnded || !session.isIdle) {
      session.close()
      return
    }
    const idleSessions = this.#idle.get(key) ?? []
    this.#idle.set(key, idleSessions)
    const timer = setTimeout(() => {
      idleSessions.splice(idleSessions.indexOf(entry), 1)
      session.close()
    }, maxIdleMs)
    const entry = { opening, timer }
    idleSessions.push(entry)
  }
}

/** Covers every input of the assessment of the session's TLS. A digest, because the inputs include credentials. */
function sessionKey({ host, ip, port }: Endpoint, options: SessionOptions): string {
  const { ehloName, serverName, enforced, reportOnly = [], credentials = null } = options
  const inputs = [host, ip, port, ehloName, serverName, enforced, reportOnly, credentials]
  return createHash('sha256').update(JSON.stringify(inputs)).digest('base64')
}

/** A permanent refusal ends only its own message; the next message connects again. */
function isCacheable(opening: CachedFailure['opening']): boolean {
  return opening.kind === 'TlsNotMet' || !isPermanent(opening.reply)
}

function repeatFailure({ opening, foundAtMs }: CachedFailure): BatchOpening {
  const seconds = Math.round((performance.now() - foundAtMs) / 1000)
  const withNote = (reply: Reply): Reply => ({
    ...reply,
    text: `${reply.text} (found ${seconds} s before; no new connection was made)`,
  })
  if (opening.kind === 'Failed') return { ...opening, reply: withNote(opening.reply), isFromEarlier: true }
  const { fault } = opening
  return { ...opening, fault: { ...fault, reply: withNote(fault.reply) }, isFromEarlier: true }
}
