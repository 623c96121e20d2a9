/**
 * The sessions of one batch. Messages for the same host under the same requirement follow one another over one
 * session: its TLS was judged when it was opened, and what was found then holds for each of them. What is found out
 * about a host that cannot be reached, or whose TLS is not met, holds for the batch too, so that its waiting is done
 * once. The limit: nothing here outlives the batch, since a function may be frozen behind it for hours.
 */
import { createHash } from 'node:crypto'
import type { Reply } from '../contract/message.ts'
import { isPermanent } from '../mail/reply.ts'
import type { Endpoint, SessionOptions } from './gated-connection.ts'
import { type Opening, openSession, type SmtpSession } from './smtp-session.ts'

/** A session as a message sees it. To close it may be to keep it for others. */
export type Carrier = Pick<SmtpSession, 'passesDsnOn' | 'refuses' | 'send' | 'close'>

export type Opened = Opening<Carrier> & {
  /** Nothing was opened for this message: the session, or the failure, is that of an earlier one. */
  known?: boolean
}

interface Kept {
  opening: Extract<Opening, { kind: 'Admitted' }>
  /** Closes it when nobody takes it. */
  timer: NodeJS.Timeout
}

interface Failure {
  opening: Exclude<Opening, { kind: 'Admitted' }>
  /** Milliseconds of a clock that only goes forward. */
  at: number
}

/** Milliseconds that a session is kept for the next message: a server's place is not held for nothing. */
const longestIdle = 2_000

/** Milliseconds that QUIT may take at the end of a batch. */
const longestFarewell = 1_000

export class Sessions {
  readonly #idle = new Map<string, Kept[]>()
  readonly #failures = new Map<string, Failure>()
  readonly #open: typeof openSession
  /** Those that are not yet closed, however they are. */
  readonly #live = new Set<SmtpSession>()
  #ended = false

  constructor(open: typeof openSession = openSession) {
    this.#open = open
  }

  /**
   * As `openSession`, which is done without where a session is at hand.
   * @param options whose `signal` is that of the whole batch
   * @param anew whether the session must be one that has carried nothing
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

  /** Ends every session, also those that somebody still holds. Waits for the servers, but not long. */
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

/** All that the session's TLS was judged by, and nothing in the clear: credentials are among it. */
function keyOf({ host, ip, port }: Endpoint, options: SessionOptions): string {
  const { name, serverName, enforced, trials = [], credentials = null } = options
  const all = [host, ip, port, name, serverName, enforced, trials, credentials]
  return createHash('sha256').update(JSON.stringify(all)).digest('base64')
}

/** A refusal for good ends its own message only; whoever comes next asks for himself. */
function isLasting(opening: Failure['opening']): boolean {
  return opening.kind === 'TlsNotMet' || !isPermanent(opening.reply)
}

function repeated({ opening, at }: Failure): Opened {
  const seconds = Math.round((performance.now() - at) / 1000)
  const before = (reply: Reply): Reply => ({
    ...reply,
    text: `${reply.text} (found ${seconds} s before, and not asked again)`,
  })
  if (opening.kind === 'Failed') return { ...opening, reply: before(opening.reply), known: true }
  const { fault } = opening
  return { ...opening, fault: { ...fault, reply: before(fault.reply) }, known: true }
}
