/**
 * The sessions of one batch of jobs. Messages for the same host under the same requirement share a session: its TLS was
 * assessed when it was opened, and the result holds for each. A failure to connect, or unmet TLS, also holds for the
 * batch, so that its timeout passes only once. The limit: nothing outlives the batch, since Lambda may then freeze the
 * function for hours.
 */
import { createHash } from 'node:crypto'
import type { Reply } from '../contract/message.ts'
import { isPermanent } from '../mail/reply.ts'
import type { Endpoint, SessionOptions } from './gated-connection.ts'
import { type Opening, openSession, type SmtpSession } from './smtp-session.ts'

/** A session lent to one message. `close` may return it for the next one. */
export type Carrier = Pick<SmtpSession, 'passesDsnOn' | 'refuses' | 'send' | 'close'>

export type Opened = Opening<Carrier> & {
  /** Whether the session or the failure comes from an earlier message. */
  known?: boolean
}

interface Kept {
  opening: Extract<Opening, { kind: 'Admitted' }>
  /** Closes the session after the idle time. */
  timer: NodeJS.Timeout
}

interface Failure {
  opening: Exclude<Opening, { kind: 'Admitted' }>
  /** By the monotonic clock, in milliseconds. */
  at: number
}

/** Milliseconds that an idle session stays open: it occupies a connection of the server. */
const longestIdle = 2_000

/** Milliseconds for QUIT at the end of a batch. */
const longestFarewell = 1_000

export class Sessions {
  readonly #idle = new Map<string, Kept[]>()
  readonly #failures = new Map<string, Failure>()
  readonly #open: typeof openSession
  /** All sessions that are not closed yet. */
  readonly #live = new Set<SmtpSession>()
  #ended = false

  constructor(open: typeof openSession = openSession) {
    this.#open = open
  }

  /**
   * Like `openSession`, but returns an idle session or an earlier failure if there is one.
   * @param options its `signal` is that of the whole batch
   * @param anew whether the session must not have carried a message
   */
  async open(hop: Endpoint, options: SessionOptions, anew = false): Promise<Opened> {
    const key = keyOf(hop, options)
    const kept = anew ? null : await this.#take(key)
    if (kept) return { ...kept, session: this.#lend(key, kept), known: true }
    const failure = this.#failures.get(key)
    if (failure) return repeated(failure)
    const opening = await this.#open(hop, options)
    if (opening.kind === 'Admitted') {
      this.#live.add(opening.session)
      void opening.session.closed.then(() => this.#live.delete(opening.session))
      return { ...opening, session: this.#lend(key, opening) }
    }
    if (isLasting(opening) && !options.signal.aborted)
      this.#failures.set(key, { opening, at: performance.now() })
    return opening
  }

  /** Closes all sessions, those in use too. Waits a limited time for the servers. */
  async close(): Promise<void> {
    this.#ended = true
    for (const { timer } of [...this.#idle.values()].flat()) clearTimeout(timer)
    this.#idle.clear()
    const live = [...this.#live]
    for (const session of live) session.close()
    let late: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, longestFarewell)
    })
    await Promise.race([Promise.all(live.map(({ closed }) => closed)), patience])
    clearTimeout(late)
  }

  async #take(key: string): Promise<Kept['opening'] | null> {
    for (let kept = this.#idle.get(key)?.pop(); kept; kept = this.#idle.get(key)?.pop()) {
      clearTimeout(kept.timer)
      if (await kept.opening.session.ready()) return kept.opening
      kept.opening.session.close()
    }
    return null
  }

  #lend(key: string, opening: Kept['opening']): Carrier {
    const { session } = opening
    let lent = true
    return {
      passesDsnOn: session.passesDsnOn,
      refuses: (mail) => session.refuses(mail),
      send: (...message) => session.send(...message),
      close: () => {
        if (lent) this.#giveBack(key, opening)
        lent = false
      },
    }
  }

  #giveBack(key: string, opening: Kept['opening']): void {
    const { session } = opening
    if (this.#ended || !session.isIdle) {
      session.close()
      return
    }
    const kept = this.#idle.get(key) ?? []
    this.#idle.set(key, kept)
    const timer = setTimeout(() => {
      kept.splice(kept.indexOf(entry), 1)
      session.close()
    }, longestIdle)
    const entry = { opening, timer }
    kept.push(entry)
  }
}

/** Covers all that decides the assessment of the session's TLS. A digest, since it includes credentials. */
function keyOf({ host, ip, port }: Endpoint, options: SessionOptions): string {
  const { name, serverName, enforced, trials = [], credentials = null } = options
  const all = [host, ip, port, name, serverName, enforced, trials, credentials]
  return createHash('sha256').update(JSON.stringify(all)).digest('base64')
}

/** A permanent refusal ends only its own message; the next message connects again. */
function isLasting(opening: Failure['opening']): boolean {
  return opening.kind === 'TlsNotMet' || !isPermanent(opening.reply)
}

function repeated({ opening, at }: Failure): Opened {
  const seconds = Math.round((performance.now() - at) / 1000)
  const before = (reply: Reply): Reply => ({
    ...reply,
    text: `${reply.text} (found ${seconds} s before; no new connection was made)`,
  })
  if (opening.kind === 'Failed') return { ...opening, reply: before(opening.reply), known: true }
  const { fault } = opening
  return { ...opening, fault: { ...fault, reply: before(fault.reply) }, known: true }
}
