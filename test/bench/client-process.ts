/** A process that runs the outbound SMTP client of one checkout. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { ClientAnswer, ClientLoad, ClientResult } from './client-load.ts'

export class ClientProcess {
  /** The heading of its figures. */
  readonly title: string
  readonly #child: ChildProcess

  constructor(title: string, checkout: string) {
    this.title = title
    this.#child = fork(new URL('./client-load.ts', import.meta.url), [checkout], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
  }

  /** @throws Error when a message is not accepted */
  async run(load: ClientLoad): Promise<ClientResult> {
    const ended = new AbortController()
    const answered = once(this.#child, 'message', { signal: ended.signal })
    const end = () => ended.abort()
    this.#child.once('exit', end)
    this.#child.send(load)
    const [answer] = (await answered.catch(() => [
      { kind: 'Failed', cause: 'the process of the client has ended' },
    ])) as [ClientAnswer]
    this.#child.off('exit', end)
    if (answer.kind === 'Failed') throw new Error(`${this.title}: ${answer.cause}`)
    return answer.result
  }

  async stop(): Promise<void> {
    if (!this.#child.connected) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
