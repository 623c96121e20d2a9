/** Processes that generate load together. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Load, LoadResult } from './load.ts'
import { addTallies } from './tally.ts'

export type Order = { kind: 'Open'; load: Load } | { kind: 'Run' } | { kind: 'Close' }

export type Answer =
  | { kind: 'Done' }
  | { kind: 'Ran'; result: LoadResult }
  | { kind: 'Failed'; cause: string }

export class Generators {
  readonly #children: ChildProcess[]

  /** @param profile folder for a V8 CPU profile of each process */
  constructor(count: number, profile?: string) {
    const execArgv = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
    this.#children = Array.from({ length: count }, () =>
      fork(new URL('./generator.ts', import.meta.url), {
        execArgv,
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    )
  }

  /** @throws Error when the server does not accept the sessions */
  async open(load: Load): Promise<void> {
    const shares = shareOut(load.connections, this.#children.length)
    await this.#all((index) => ({ kind: 'Open', load: { ...load, connections: shares[index] ?? 0 } }))
  }

  async run(): Promise<LoadResult> {
    const answers = await this.#all(() => ({ kind: 'Run' }))
    const results = answers.flatMap((answer) => (answer.kind === 'Ran' ? [answer.result] : []))
    return { ...addTallies(results), busy: Math.max(...results.map(({ busy }) => busy)) }
  }

  async close(): Promise<void> {
    await this.#all(() => ({ kind: 'Close' }))
  }

  async stop(): Promise<void> {
    const alive = this.#children.filter(({ connected }) => connected)
    const ends = alive.map((child) => once(child, 'exit'))
    for (const child of alive) child.disconnect()
    await Promise.all(ends)
  }

  #all(order: (index: number) => Order): Promise<Answer[]> {
    return Promise.all(this.#children.map((child, index) => sendOrder(child, order(index))))
  }
}

async function sendOrder(child: ChildProcess, order: Order): Promise<Answer> {
  const endController = new AbortController()
  const nextMessage = once(child, 'message', { signal: endController.signal })
  const end = () => endController.abort()
  child.once('exit', end)
  child.send(order)
  try {
    const [answer] = (await nextMessage) as [Answer]
    if (answer.kind === 'Failed') throw new Error(answer.cause)
    return answer
  } catch (error) {
    if (endController.signal.aborted) throw new Error('the load generator ended')
    throw error
  } finally {
    child.off('exit', end)
  }
}

/** Divides a number into shares as equal as possible. */
const shareOut = (total: number, shares: number): number[] =>
  Array.from({ length: shares }, (_, index) => Math.floor((total + index) / shares))
