/** `AbortSignal.timeout` with a clock that only the test advances. */
import type { TestContext } from 'node:test'

export interface SimulatedTimeouts {
  /** Advances the clock and aborts what is due. */
  advance(ms: number): void
}

/** Applies to this process until the test ends. */
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
