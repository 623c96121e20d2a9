/**
 * One invocation of a function for one job. Everything it awaits is a step that the test executes. So the test can stop
 * it before and after each step, for ever.
 */
import { type Entry, timeoutMs } from '../../support/pipeline/queues.ts'

interface Step {
  name: string
  execute(): unknown
  resolve(value: unknown): void
  reject(error: unknown): void
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
      this.#steps.push({ name, execute: make, resolve: (value) => resolve(value as Awaited<T>), reject })
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
  takeStep(choose: (steps: readonly Step[]) => Step): Step {
    const chosen = choose(this.#steps)
    this.#steps = this.#steps.filter((step) => step !== chosen)
    return chosen
  }
}

/** Executes a step and returns its outcome. */
export async function make({ execute, resolve, reject }: Step): Promise<void> {
  try {
    resolve(await execute())
  } catch (error) {
    reject(error)
  }
}

export const lostResponses = [
  'refused',
  'done without a response',
  'done twice, since its first response was lost',
] as const

/** A request that is lost, whose response is lost, or whose first response is lost, so that it is repeated. */
export async function loseRequest(step: Step, how: (typeof lostResponses)[number]): Promise<void> {
  try {
    if (how !== 'refused') await step.execute()
    if (how === 'done twice, since its first response was lost') return make(step)
    step.reject(new Error('the request had no response'))
  } catch (error) {
    step.reject(error)
  }
}
