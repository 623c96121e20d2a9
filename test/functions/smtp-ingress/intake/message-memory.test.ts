import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type MessageMemory,
  messageMemory,
} from '../../../../functions/smtp-ingress/intake/message-memory.ts'

const kibibyte = 1024

const rows: [mebibytes: number, sessions: number, heldKibibytes: number, uploads: number][] = [
  [512, 1000, 64, 2],
  [1024, 1000, 256, 8],
  [1024, 128, 256, 8],
  [2048, 1000, 256, 8],
]

for (const [mebibytes, sessions, heldKibibytes, uploads] of rows)
  test(`${mebibytes} MiB and ${sessions} sessions permit ${heldKibibytes} KiB of memory for a message and ${uploads} concurrent uploads`, () =>
    assert.deepEqual(messageMemory(mebibytes, sessions), {
      memoryOctets: heldKibibytes * kibibyte,
      maxUploads: uploads,
    } satisfies MessageMemory))

test('messageMemory throws when the memory is not enough for the sessions', () =>
  assert.throws(
    () => messageMemory(512, 5000),
    /^Error: 512 MiB of memory are not enough for 5000 sessions$/,
  ))

test('messageMemory uses the memory of the system when no memory is given', () =>
  assert.ok(messageMemory(undefined, 10).memoryOctets >= 64 * kibibyte))
