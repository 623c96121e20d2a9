import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mailMemoryOctets } from '../../../shared/contract/ingress-memory.ts'

const mebibyte = 1024 * 1024

// 208 MiB for the program, and 187.5 MiB for a thousand sessions of 192 KiB.
test('mailMemoryOctets is what program and sessions leave of the memory: 116.5 of 512 MiB with 1000 sessions', () =>
  assert.equal(mailMemoryOctets({ memoryMebibytes: 512, maxSessions: 1000 }), (512 - 208 - 187.5) * mebibyte))

const faults: [memoryMebibytes: number, sessions: number, message: RegExp][] = [
  [512, 5000, /^512 MiB of memory are not enough for 5000 sessions$/],
  [511.5, 5000, /^511 MiB of memory are not enough for 5000 sessions$/],
]

for (const [memoryMebibytes, sessions, message] of faults)
  test(`mailMemoryOctets throws for ${sessions} sessions with ${memoryMebibytes} MiB of memory`, () =>
    assert.throws(() => mailMemoryOctets({ memoryMebibytes, maxSessions: sessions }), { message }))
