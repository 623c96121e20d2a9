/** A new call of AWS without a new recording fails here: `npm run record:calls`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { differences } from './compare-recordings.ts'
import { recordRoute } from './record-calls.ts'
import { readRecording, routes } from './recording.ts'

describe('the calls of AWS for each message are those of test/bench/cost/recordings/', () => {
  for (const route of routes)
    test(`with the route ${route}`, { timeout: 240_000 }, async () => {
      const recorded = readRecording(route)
      const { messageOctets } = recorded.conditions
      const options = { route, messagesPerSecond: 10, seconds: 3, messageOctets, bursts: 2 }
      const observed = await recordRoute(options, () => {})
      assert.deepEqual(differences(recorded, observed), [], 'npm run record:calls')
    })
})
