import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type SessionProgress,
  SessionTimeouts,
} from '../../../../functions/smtp-ingress/connection/session-timeouts.ts'

/** @returns the second of the timeout, or null when there is none within `seconds` */
function timeoutSecond(seconds: number, at: (second: number) => Partial<SessionProgress>): number | null {
  const timeouts = new SessionTimeouts()
  for (let second = 0; second <= seconds; second++) {
    const progress: SessionProgress = {
      phase: 'Command',
      steps: 0,
      messages: 1,
      messageOctets: 0,
      ...at(second),
    }
    if (timeouts.isTimedOut(progress)) return second
  }
  return null
}

const hour = 3600

const phaseTimeouts: [phase: SessionProgress['phase'], seconds: number | null][] = [
  ['Greeting', 60],
  ['Command', 300],
  ['Data', 180],
  ['Handshake', 60],
  ['Deciding', null],
  ['Ended', 10],
]
for (const [phase, seconds] of phaseTimeouts)
  test(`a session without progress in the phase ${phase} ${seconds === null ? 'never times out' : `times out after ${seconds} s`}`, () =>
    assert.equal(
      timeoutSecond(hour, () => ({ phase })),
      seconds,
    ))

test('a new step of the session restarts the timeout', () => {
  assert.equal(
    timeoutSecond(hour, (second) => ({ steps: Math.floor(second / 299) })),
    null,
  )
  assert.equal(
    timeoutSecond(hour, (second) => ({ steps: second < 299 ? 0 : 1 })),
    599,
  )
})

test('the phase Deciding, in which the client waits for the server, restarts the timeout', () =>
  assert.equal(
    timeoutSecond(hour, (second) => ({ phase: second % 200 === 199 ? 'Deciding' : 'Command' })),
    null,
  ))

test('a message times out after ten minutes if its average rate is below 10 KiB/s', () => {
  const timeoutAtRate = (rate: number) =>
    timeoutSecond(2 * hour, (second) => ({ phase: 'Data', steps: second, messageOctets: second * rate }))
  assert.equal(timeoutAtRate(1), 600)
  assert.equal(timeoutAtRate(10_239), 600)
  assert.equal(timeoutAtRate(10_300), null)
})

test('the ten minutes of a slow message begin again with the next message', () =>
  assert.equal(
    timeoutSecond(hour, (second) => ({ phase: 'Data', steps: second, messages: Math.floor(second / 500) })),
    null,
  ))
