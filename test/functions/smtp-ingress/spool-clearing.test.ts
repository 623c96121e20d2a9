import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Spool } from '../../../functions/smtp-ingress/intake/spool.ts'

test('Spool.open of fifty starting processes does not affect the spool files of a running process', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'spool-'))
  try {
    const running = await Spool.open(directory, 1_000_000)
    const files = Array.from({ length: 200 }, () => running.createFile())
    const starting = Array.from({ length: 50 }, () => Spool.open(directory, 1_000_000))
    const appended = files.map((file) => file.append(Buffer.from('text')))
    const outcomes = await Promise.allSettled([...starting, ...appended])
    assert.deepEqual(
      outcomes.filter(({ status }) => status === 'rejected'),
      [],
    )
    await Promise.all(files.map((file) => file.discard()))
    assert.equal(running.freeOctets, 1_000_000)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
