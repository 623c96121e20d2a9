/**
 * One invocation of a function for one job. Everything it awaits is a step that the test executes. So the test can stop
 * it before and after each step, for ever.
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

  /** Executes one of the steps it waits for; there are several when the code awaits them together. */
  take(choose: (steps: readonly Step[]) => Step): Step {
    const chosen = choose(this.#steps)
    this.#steps = this.#steps.filter((step) => step !== chosen)
    return chosen
  }
}

/** Executes a step and returns its outcome. */
export async function make({ make, answer, refuse }: Step): Promise<void> {
  try {
    answer(await make())
  } catch (error) {
    refuse(error)
  }
}

export const lostAnswers = [
  'refused',
  'done without a response',
  'done twice, since its first response was lost',
] as const

/** A request that is lost, whose response is lost, or whose first response is lost, so that it is repeated. */
export async function lose(step: Step, how: (typeof lostAnswers)[number]): Promise<void> {
  try {
    if (how !== 'refused') await step.make()
    if (how === 'done twice, since its first response was lost') return make(step)
    step.refuse(new Error('the request had no response'))
  } catch (error) {
    step.refuse(error)
  }
}
