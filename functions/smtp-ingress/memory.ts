/**
 * The memory that messages may hold. The attack: as many sessions as the task takes, each with as much of a
 * message as it holds, until the task is out of memory and all sessions end. The defence: every octet held for a
 * message is counted, and when the account is empty the next message is told to come later.
 */
import { totalmem } from 'node:os'
import { partSize } from '../../shared/content/multipart.ts'
import { mailMemory } from '../../shared/contract/ingress-memory.ts'

/** What a large message holds: the part that fills and the one on its way. */
export const largeMessageOctets = 2 * partSize

export class MemoryBudget {
  #left: number

  /** @param octets to give out */
  constructor(octets: number) {
    this.#left = octets
  }

  get left(): number {
    return this.#left
  }

  take(octets: number): void {
    this.#left -= octets
  }
}

/** Small and large messages have an account each, so that neither kind leaves nothing to the other. */
export interface MessageMemory {
  small: MemoryBudget
  large: MemoryBudget
}

const mebibyte = 1024 * 1024

/**
 * Half of what programs and sessions leave, since what is held is copied on its way: into a segment, and into TLS.
 * @param taskMebibytes the whole task's memory; without it, what the system gives this process
 * @param sessions the most there may be, over all workers
 * @throws Error when that many sessions leave no room for messages
 */
export function messageMemory(
  taskMebibytes: number | undefined,
  sessions: number,
  workers = 1,
): MessageMemory {
  const memoryMebibytes = taskMebibytes ?? memoryOfProcess() / mebibyte
  const each = Math.floor(mailMemory({ memoryMebibytes, sessions, workers }) / 4)
  return { small: new MemoryBudget(each), large: new MemoryBudget(each) }
}

function memoryOfProcess(): number {
  // 0 or a number beyond all memory mean that nothing limits the process.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem())
}

/** What one message holds of a budget. */
export class Holding {
  #budget: MemoryBudget
  #octets = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** Holds so many octets from now on, of another budget if one is named. @returns false, and nothing changes, when they are not left */
  hold(octets: number, budget = this.#budget): boolean {
    const given = budget === this.#budget ? this.#octets : 0
    if (octets - given > budget.left) return false
    this.release()
    this.#budget = budget
    this.#octets = octets
    budget.take(octets)
    return true
  }

  release(): void {
    this.#budget.take(-this.#octets)
    this.#octets = 0
  }
}
