/**
 * Admission of a worker, whose supervisor counts for all of them. What waits for an answer is bounded in number and
 * time; without an answer a client hears 421 and comes again. The greeting is delayed anyway, so that the way to the
 * supervisor and back costs a client nothing.
 */
import { reply } from '../../../shared/mail/reply.ts'
import type { Admission } from '../limits/admission.ts'
import type { Refused } from '../replies.ts'
import type { FromSupervisor, FromWorker } from './messages.ts'

const patienceMs = 2000
const waitingAtOnce = 4096

export const supervisorSilent: Refused = {
  reason: 'SupervisorSilent',
  reply: reply(421, '3.2', 'Service not available, try again later'),
}

interface Waiting {
  address: string
  answer(refused: Refused | null): void
}

export class AdmissionBySupervisor implements Admission {
  readonly #tell: (message: FromWorker) => void
  readonly #waiting = new Map<number, Waiting>()
  /** Not answered in time, and by address: an admission that comes after all is given back. */
  readonly #givenUp = new Map<number, string>()
  #request = 0
  #isAlone = false

  constructor(tell: (message: FromWorker) => void) {
    this.#tell = tell
  }

  admit(address: string): Refused | Promise<Refused | null> {
    if (this.#isAlone || this.#waiting.size + this.#givenUp.size >= waitingAtOnce) return supervisorSilent
    const request = ++this.#request
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(request), patienceMs)
      const answer = (refused: Refused | null) => {
        clearTimeout(timer)
        resolve(refused)
      }
      this.#waiting.set(request, { address, answer })
      this.#tell({ kind: 'Admit', request, address })
    })
  }

  release(address: string): void {
    if (!this.#isAlone) this.#tell({ kind: 'Release', address })
  }

  answered({ request, refused }: Extract<FromSupervisor, { kind: 'Admitted' }>): void {
    const late = this.#givenUp.get(request)
    this.#givenUp.delete(request)
    if (late !== undefined && refused === null) this.release(late)
    this.#waiting.get(request)?.answer(refused)
    this.#waiting.delete(request)
  }

  /** The supervisor has gone: nobody answers any more. */
  abandoned(): void {
    this.#isAlone = true
    for (const { answer } of this.#waiting.values()) answer(supervisorSilent)
    this.#waiting.clear()
    this.#givenUp.clear()
  }

  #giveUp(request: number): void {
    const waiting = this.#waiting.get(request)
    if (waiting === undefined) return
    this.#waiting.delete(request)
    this.#givenUp.set(request, waiting.address)
    waiting.answer(supervisorSilent)
  }
}
