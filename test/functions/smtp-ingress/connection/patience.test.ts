import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Patience, type Progress } from '../../../../functions/smtp-ingress/connection/patience.ts'

/** @returns the second at which patience ends, or null when it lasts so many */
function endsAt(seconds: number, at: (second: number) => Partial<Progress>): number | null {
  const patience = new Patience()
  for (let second = 0; second <= seconds; second++) {
    const progress: Progress = { phase: 'Command', steps: 0, messages: 1, messageOctets: 0, ...at(second) }
    if (patience.isOver(progress)) return second
  }
  return null
}

const hour = 3600

const silences: [phase: Progress['phase'], seconds: number | null][] = [
  ['Greeting', 60],
  ['Command', 300],
  ['Data', 180],
  ['Handshake', 60],
  ['Deciding', null],
  ['Ended', 10],
]
for (const [phase, seconds] of silences)
  test(`silence in ${phase} ends it ${seconds === null ? 'never' : `after ${seconds} s`}`, () =>
    assert.equal(
      endsAt(hour, () => ({ phase })),
      seconds,
    ))

test('only a whole step begins the time anew', () => {
  assert.equal(
    endsAt(hour, (second) => ({ steps: Math.floor(second / 299) })),
    null,
  )
  assert.equal(
    endsAt(hour, (second) => ({ steps: second < 299 ? 0 : 1 })),
    599,
  )
})

test('time that the server takes is not counted', () =>
  assert.equal(
    endsAt(hour, (second) => ({ phase: second % 200 === 199 ? 'Deciding' : 'Command' })),
    null,
  ))

test('a message may crawl for ten minutes, and has to average 10 KiB/s after them', () => {
  const crawling = (rate: number) =>
    endsAt(2 * hour, (second) => ({ phase: 'Data', steps: second, messageOctets: second * rate }))
  assert.equal(crawling(1), 600)
  assert.equal(crawling(10_239), 600)
  assert.equal(crawling(10_300), null)
})

test('each message has its own ten minutes, however short the time between two is', () =>
  assert.equal(
    endsAt(hour, (second) => ({ phase: 'Data', steps: second, messages: Math.floor(second / 500) })),
    null,
  ))
