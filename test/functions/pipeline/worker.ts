/**
 * One invocation of a function for one job. Whatever it awaits is a step, made only when it is told to; so it can
 * be stopped before and after each, for ever.
 */
import { type Entry, timeoutMs } from '../../support/pipeline/queues.ts'

interface Step {
  name: string
  make(): unknown
  answer(value: unknown): void
  refuse(error: unknown): void
}

export type Ending = 'Done' | 'Failed'

export class Worker {
  readonly name: string
  readonly entry: Entry
  readonly deadline: number
  ending: Ending | null = null
  #steps: Step[] = []

  constructor(entry: Entry, now: number) {
    this.name = `worker ${entry.number}.${entry.receives}`
    this.entry = entry
    this.deadline = now + timeoutMs[entry.unit]
  }

  /** What the product's code awaits. */
  step<T>(name: string, make: () => T): Promise<Awaited<T>> {
    return new Promise((resolve, reject) => {
      this.#steps.push({ name, make, answer: (value) => resolve(value as Awaited<T>), refuse: reject })
    })
  }

  run(work: () => Promise<unknown>, failed: (error: unknown) => void): void {
    work().then(
      () => {
        this.ending = 'Done'
      },
      (error) => {
        this.ending = 'Failed'
        failed(error)
      },
    )
  }

  /** Neither waiting for a step nor at its end. */
  get isThinking(): boolean {
    return this.ending === null && this.#steps.length === 0
  }

  /** Takes one of the steps it waits for; several wait when the code awaits them together. */
  take(choose: (steps: readonly Step[]) => Step): Step {
    const chosen = choose(this.#steps)
    this.#steps = this.#steps.filter((step) => step !== chosen)
    return chosen
  }
}

/** Makes a step and hands its outcome on. */
export async function make({ make, answer, refuse }: Step): Promise<void> {
  try {
    answer(await make())
  } catch (error) {
    refuse(error)
  }
}

export const lostAnswers = [
  'refused',
  'done and not answered',
  'done twice, since its first answer was lost',
] as const

/** A request that the network does not carry: not at all, not back, or not back at first, so that it is repeated. */
export async function lose(step: Step, how: (typeof lostAnswers)[number]): Promise<void> {
  try {
    if (how !== 'refused') await step.make()
    if (how === 'done twice, since its first answer was lost') return make(step)
    step.refuse(new Error('the request was not answered'))
  } catch (error) {
    step.refuse(error)
  }
}
