import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mailMemory } from '../../../shared/contract/ingress-memory.ts'

const mebibyte = 1024 * 1024

test('the smallest task has room for a thousand sessions', () =>
  assert.equal(
    mailMemory({ memoryMebibytes: 512, sessions: 1000, workers: 1 }),
    (512 - 208 - 187.5) * mebibyte,
  ))

test('workers share what their programs, their supervisor and all sessions leave', () =>
  assert.equal(
    mailMemory({ memoryMebibytes: 4096, sessions: 1000, workers: 2 }),
    ((4096 - 2 * 208 - 96 - 187.5) / 2) * mebibyte,
  ))

const faults: [memoryMebibytes: number, sessions: number, workers: number, message: RegExp][] = [
  [512, 5000, 1, /^512 MiB of memory are not enough for 5000 sessions$/],
  [511.5, 5000, 1, /^511 MiB of memory are not enough for 5000 sessions$/],
  [512, 1000, 2, /^512 MiB of memory are not enough for 1000 sessions in 2 processes$/],
]

for (const [memoryMebibytes, sessions, workers, message] of faults)
  test(`${sessions} sessions in ${workers} processes are too many for ${memoryMebibytes} MiB`, () =>
    assert.throws(() => mailMemory({ memoryMebibytes, sessions, workers }), { message }))
