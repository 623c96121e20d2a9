import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferPool } from '../../../../functions/smtp-ingress/intake/buffer-pool.ts'

test('BufferPool reuses a released buffer for the same size only', () => {
  const buffers = new BufferPool(100)
  const [first, second] = [buffers.take(10), buffers.take(10)]
  assert.notEqual(first, second)
  buffers.release(first)
  assert.notEqual(buffers.take(11), first)
  assert.equal(buffers.take(10), first)
  assert.notEqual(buffers.take(10), first)
})

test('BufferPool keeps released buffers up to its limit of octets', () => {
  const buffers = new BufferPool(25)
  const firstBuffers = [10, 10, 10].map((octets) => buffers.take(octets))
  firstBuffers.forEach((buffer) => {
    buffers.release(buffer)
  })
  const secondBuffers = [10, 10, 10].map((octets) => buffers.take(octets))
  assert.equal(secondBuffers.filter((buffer) => firstBuffers.includes(buffer)).length, 2)
  buffers.release(secondBuffers[0] as Buffer)
  assert.equal(buffers.take(10), secondBuffers[0])
})
