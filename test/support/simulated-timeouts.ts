/** `AbortSignal.timeout` by a clock that only the test moves. */
import type { TestContext } from 'node:test'

export interface SimulatedTimeouts {
  /** Moves the clock on; what is due by then aborts. */
  advance(ms: number): void
}

/** Until the test ends, for this process. */
export function simulateTimeouts(context: TestContext): SimulatedTimeouts {
  let now = 0
  let waiting: { due: number; controller: AbortController }[] = []
  context.mock.method(AbortSignal, 'timeout', (ms: number) => {
    const controller = new AbortController()
    waiting.push({ due: now + ms, controller })
    return controller.signal
  })
  return {
    advance(ms) {
      now += ms
      const due = waiting.filter((each) => each.due <= now)
      waiting = waiting.filter((each) => each.due > now)
      for (const { controller } of due) controller.abort(new DOMException('timed out', 'TimeoutError'))
    },
  }
}
