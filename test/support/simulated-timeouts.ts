/** `AbortSignal.timeout` with a clock that only the test advances. */
import type { TestContext } from 'node:test'

export interface SimulatedTimeouts {
  /** Advances the clock and aborts the signals that are due. */
  advance(ms: number): void
}

/** Replaces `AbortSignal.timeout` in this process until the test ends. */
export function simulateTimeouts(context: TestContext): SimulatedTimeouts {
  let now = 0
  let waiting: { dueTimeouts: number; controller: AbortController }[] = []
  context.mock.method(AbortSignal, 'timeout', (ms: number) => {
    const controller = new AbortController()
    waiting.push({ dueTimeouts: now + ms, controller })
    return controller.signal
  })
  return {
    advance(ms) {
      now += ms
      const dueTimeouts = waiting.filter((each) => each.dueTimeouts <= now)
      waiting = waiting.filter((each) => each.dueTimeouts > now)
      for (const { controller } of dueTimeouts)
        controller.abort(new DOMException('timed out', 'TimeoutError'))
    },
  }
}
