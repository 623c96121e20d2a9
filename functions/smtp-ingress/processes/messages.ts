/** What a supervisor and its workers say to one another. */
import type { Count } from '../metrics.ts'
import type { Refused } from '../replies.ts'
import type { OthersTook, Took } from './rates-by-supervisor.ts'

export type FromWorker =
  | { kind: 'Listening'; smtpPort: number }
  /** It cannot start, and ends. */
  | { kind: 'Unable'; cause: string }
  | { kind: 'Admit'; request: number; address: string }
  | { kind: 'Release'; address: string }
  | Took
  | Report

/** How a worker fares, and what it counted since its last report. */
export interface Report {
  kind: 'Report'
  /** That of `ReportNow`, or null for what a worker tells unasked before it ends. */
  request: number | null
  /** Why it should get no new connections, or null. */
  fault: string | null
  connections: number
  counts: readonly Count[]
}

export type FromSupervisor =
  | { kind: 'Admitted'; request: number; refused: Refused | null }
  | OthersTook
  | { kind: 'ReportNow'; request: number }
  | { kind: 'Drain' }

/** Sends a list of messages, as `process.send` does. @param done is told when it has left, or cannot leave */
export type SendList<Message> = (messages: readonly Message[], done: (error: Error | null) => void) => void

/** Gathers what is said: a message between processes costs two system calls and two wake-ups, however much it says. */
export class Outbox<Message> {
  readonly #send: SendList<Message>
  readonly #schedule: (leave: () => void) => void
  #waiting: Message[] = []
  #isScheduled = false

  /** @param gatherMs how long something may wait for more; 0 means that it leaves behind this turn of the event loop */
  constructor(send: SendList<Message>, gatherMs = 0) {
    this.#send = send
    this.#schedule = gatherMs === 0 ? setImmediate : (leave) => setTimeout(leave, gatherMs)
  }

  /** To whom has gone, it is said in vain. */
  tell(message: Message): void {
    this.#waiting.push(message)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(() => {
      this.#isScheduled = false
      void this.flush()
    })
  }

  /** Resolves when all that was said has left this process, or never will. */
  flush(): Promise<void> {
    const messages = this.#waiting
    this.#waiting = []
    if (messages.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#send(messages, () => resolve()))
  }
}
