import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { BufferPool } from '../../../../functions/smtp-ingress/intake/buffer-pool.ts'
import { IncomingMessage, type Outcome } from '../../../../functions/smtp-ingress/intake/incoming-message.ts'
import { Intake, type IntakeOptions } from '../../../../functions/smtp-ingress/intake/intake.ts'
import {
  type MessageSpool,
  Spool,
  SpoolError,
  type SpoolFile,
} from '../../../../functions/smtp-ingress/intake/spool.ts'
import type { SpooledContent } from '../../../../functions/smtp-ingress/intake/spooled-content.ts'
import { messageHasBareNewlines } from '../../../../functions/smtp-ingress/replies.ts'
import { partOctets } from '../../../../shared/content/large-content.ts'
import { sdkObjectStore } from '../../../../shared/content/segment-writer.ts'
import { message, recipient } from '../../../support/fixtures.ts'
import { MemoryBucket, MemoryQueue } from '../../../support/memory-storage.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte
const heldOctets = 128 * kibibyte
const maxMessageOctets = 8 * mebibyte
const spoolOctets = 64 * mebibyte

const directory = await mkdtemp(join(tmpdir(), 'intake-test-'))
after(() => rm(directory, { recursive: true }))

const { content: _content, size: _size, ...unstored } = message({ mailFrom: 'a@elsewhere.example' })
const header = Buffer.from('Received: from a by b\r\n')

async function intakeWith(options: Partial<IntakeOptions> = {}) {
  const bucket = new MemoryBucket()
  const queue = new MemoryQueue()
  const spool = await Spool.open(directory, spoolOctets)
  const intake = new Intake({
    s3: bucket.client,
    objects: sdkObjectStore(bucket.client, 'content'),
    queue,
    probeQueue: async () => {},
    bucket: 'content',
    hostname: 'mx.ours.example',
    maxMessageOctets,
    maxHeaderOctets: 64 * kibibyte,
    memory: { memoryOctets: heldOctets, maxUploads: 2 },
    spool,
    log: () => {},
    ...options,
  })
  const begin = () => intake.begin(header, unstored, [recipient({})])
  return { intake, bucket, queue, spool, begin }
}

/** A message of this many octets. */
function mail(octets: number): Buffer {
  const content = Buffer.alloc(octets, `${'0123456789'.repeat(7)}abcdef\r\n`)
  content.write('Subject: x\r\n\r\n'.slice(0, octets))
  return content
}

/** Writes as a session does: waits for the promise, and reuses the octets. */
async function write(incoming: IncomingMessage, octets: Buffer, piece = 64 * kibibyte): Promise<void> {
  for (let from = 0; from < octets.length; from += piece) {
    const copy = Buffer.from(octets.subarray(from, from + piece))
    const pending = incoming.write(copy)
    copy.fill('?')
    await pending
  }
}

/** @returns the reason of the refusal, or the number of stored octets; null for an abandoned message */
async function outcomeOf(incoming: IncomingMessage): Promise<string | number | null> {
  const outcome = await incoming.end(null)
  if (outcome === null) return null
  return 'size' in outcome ? outcome.size : outcome.reason
}

const earlyRefusalOf = (incoming: IncomingMessage): string | null => incoming.earlyRefusal?.reason ?? null

/** Waits until the spool has this many free octets: files are discarded in the background. */
async function untilSpoolFree(spool: Spool, octets = spoolOctets): Promise<void> {
  while (spool.freeOctets < octets) await new Promise((resolve) => setImmediate(resolve))
}

function contentOf(bucket: MemoryBucket, { jobs }: MemoryQueue): Buffer {
  const reference = jobs.at(-1)?.message.content
  assert.ok(reference)
  const object = bucket.objects.get(reference.key)
  const content = object?.subarray(reference.offset, reference.offset + reference.length) ?? Buffer.alloc(0)
  assert.equal(createHash('sha256').update(content).digest('hex'), reference.sha256)
  return content
}

const sizes = fc.oneof(
  fc.nat(20_000),
  fc.constantFrom(heldOctets, partOctets).chain((edge) => fc.integer({ min: edge - 100, max: edge + 100 })),
  fc.integer({ min: heldOctets, max: 7 * mebibyte }),
)

test('a message of any size in any pieces is stored unchanged, and occupies no spool afterwards', async () => {
  const { bucket, queue, spool, begin } = await intakeWith()
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1000, max: 64 * kibibyte }), async (octets, piece) => {
      const original = mail(octets)
      const incoming = begin()
      await write(incoming, original, piece)
      assert.equal(await outcomeOf(incoming), header.length + octets)
      assert.ok(contentOf(bucket, queue).equals(Buffer.concat([header, original])))
      bucket.objects.clear()
    }),
    { numRuns: 25 },
  )
  await untilSpoolFree(spool)
})

test('concurrent messages in pieces are each stored as sent', async () => {
  const { bucket, queue, begin } = await intakeWith()
  const original = fc.array(fc.tuple(sizes, fc.integer({ min: 1000, max: 16_384 })), {
    minLength: 2,
    maxLength: 6,
  })
  await fc.assert(
    fc.asyncProperty(original, fc.boolean(), async (messages, isSlow) => {
      bucket.before = () => new Promise((resolve) => (isSlow ? setImmediate(resolve) : resolve()))
      queue.jobs.length = 0
      const sums = await Promise.all(
        messages.map(async ([octets, piece], index) => {
          const content = mail(octets)
          content.fill(97 + index, octets - Math.min(octets, 50))
          const incoming = begin()
          for (let from = 0; from < octets; from += piece) {
            await incoming.write(content.subarray(from, from + piece))
            await new Promise((resolve) => setImmediate(resolve))
          }
          assert.equal(await outcomeOf(incoming), header.length + octets)
          return createHash('sha256').update(header).update(content).digest('hex')
        }),
      )
      const stored = queue.jobs.map(({ message: { content } }) => {
        const octets = bucket.objects
          .get(content.key)
          ?.subarray(content.offset, content.offset + content.length)
        return createHash('sha256')
          .update(octets ?? '')
          .digest('hex')
      })
      assert.deepEqual(stored.sort(), sums.sort())
      bucket.objects.clear()
    }),
    { numRuns: 10 },
  )
})

test('the buffer of a message is reused after a successful store, and not after a failed store', async () => {
  const buffers = new BufferPool(mebibyte)
  const usedBuffers: ArrayBufferLike[] = []
  const storeOne = async (outcome: Outcome) => {
    const store = async (content: Buffer | SpooledContent) => {
      usedBuffers.push((content as Buffer).buffer)
      return outcome
    }
    const spool = await Spool.open(directory, spoolOctets)
    const incoming = new IncomingMessage(
      header,
      { maxOctets: 1000, maxHeaderOctets: 1000, maxMemoryOctets: heldOctets },
      { buffers, spool, inspect: () => null, store },
    )
    incoming.write(mail(500))
    await incoming.end(null)
  }
  await storeOne(messageHasBareNewlines)
  await storeOne({ size: 1 })
  await storeOne({ size: 1 })
  assert.notEqual(usedBuffers[0], usedBuffers[1])
  assert.equal(usedBuffers[1], usedBuffers[2])
})

for (const [where, octets] of [
  ['in memory', 100],
  ['in the spool', mebibyte],
] as const)
  test(`the job of a message ${where} has the Message-ID of its header section`, async () => {
    const { begin, queue } = await intakeWith()
    for (const field of ['Message-ID: <1@a.example>\r\n', '']) {
      const incoming = begin()
      incoming.write(Buffer.concat([Buffer.from(`${field}\r\n`), mail(octets)]))
      await incoming.end(null)
    }
    assert.deepEqual(
      queue.jobs.map(({ message }) => message.headerMessageId),
      ['<1@a.example>', undefined],
    )
  })

const own = 'Received: from a.example\r\n\tby mx.ours.example with ESMTP; now\r\n'
const others = 'Received: from mx.ours.example by b.example with ESMTP; now\r\n'
const loops: [title: string, content: Buffer, outcome: string | null][] = [
  ['that has passed this gateway twice', Buffer.from(`${own}${others}${own}\r\n`), null],
  [
    'that has passed this gateway three times',
    Buffer.from(`${own}${others}${own}${others}${own}\r\n`),
    'RoutingLoop',
  ],
  ['whose text has three such fields', Buffer.from(`${others.repeat(4)}\r\n${own.repeat(3)}`), null],
  [
    'that has passed this gateway three times, in the spool',
    Buffer.concat([Buffer.from(own.repeat(3)), mail(mebibyte)]),
    'RoutingLoop',
  ],
]
for (const [title, content, reason] of loops)
  test(`a message ${title} is ${reason === null ? 'stored' : `refused with ${reason}`}`, async () => {
    const { begin, spool, queue } = await intakeWith()
    const incoming = begin()
    await write(incoming, content)
    assert.equal(await outcomeOf(incoming), reason ?? header.length + content.length)
    assert.equal(queue.jobs.length, reason === null ? 1 : 0)
    await untilSpoolFree(spool)
  })

test('a message in a hundred thousand pieces causes no backpressure, and is stored unchanged', async () => {
  const { bucket, queue, begin } = await intakeWith()
  const original = mail(100_000)
  const incoming = begin()
  for (const octet of original) assert.equal(incoming.write(Buffer.of(octet)), undefined)
  assert.equal(await outcomeOf(incoming), header.length + original.length)
  assert.ok(contentOf(bucket, queue).equals(Buffer.concat([header, original])))
})

test('a session may write and end a message without waiting for the disk', async () => {
  const { bucket, queue, begin } = await intakeWith()
  const original = mail(400 * kibibyte)
  const incoming = begin()
  for (let from = 0; from < original.length; from += 10_000)
    void incoming.write(original.subarray(from, from + 10_000))
  assert.equal(await outcomeOf(incoming), header.length + original.length)
  assert.ok(contentOf(bucket, queue).equals(Buffer.concat([header, original])))
})

const hops = (count: number) => 'Received: from x by y\r\n'.repeat(count)

const refusedMessages: [description: string, original: Buffer, reason: string][] = [
  ['more octets than the maximum', mail(maxMessageOctets + 1), 'MessageTooLarge'],
  ['a header section that is too long', Buffer.alloc(64 * kibibyte + 1, 'X: y\r\n'), 'HeaderTooLarge'],
  ['too many hops', Buffer.from(`${hops(31)}\r\nText\r\n`), 'HopCountExceeded'],
  [
    'too many hops after a long field',
    Buffer.from(`X: ${'y'.repeat(50_000)}\r\n${hops(31)}\r\n`),
    'HopCountExceeded',
  ],
]

for (const [description, original, reason] of refusedMessages)
  test(`a message with ${description} is refused after its end: ${reason}`, async () => {
    const { queue, bucket, spool, begin } = await intakeWith()
    const incoming = begin()
    await write(incoming, original)
    await untilSpoolFree(spool)
    await write(incoming, mail(1000))
    assert.equal(earlyRefusalOf(incoming), null)
    assert.equal(await outcomeOf(incoming), reason)
    assert.deepEqual([queue.calls, bucket.operations.length], [0, 0])
  })

test('a message of maximum size is accepted', async () => {
  const { begin } = await intakeWith()
  const incoming = begin()
  await write(incoming, mail(maxMessageOctets))
  assert.equal(await outcomeOf(incoming), header.length + maxMessageOctets)
})

for (const octets of [1000, 2 * heldOctets])
  test(`a message of ${octets} octets in which the session found bare newlines is not stored, and end returns this refusal`, async () => {
    const { queue, bucket, spool, begin } = await intakeWith()
    const incoming = begin()
    await write(incoming, mail(octets))
    assert.deepEqual(await incoming.end(messageHasBareNewlines), messageHasBareNewlines)
    assert.deepEqual([queue.calls, bucket.operations.length], [0, 0])
    await untilSpoolFree(spool)
  })

test('a message is refused before its end when it is more than eight MiB beyond the maximum', async () => {
  const { begin } = await intakeWith()
  const incoming = begin()
  await write(incoming, mail(maxMessageOctets + 8 * mebibyte))
  assert.equal(earlyRefusalOf(incoming), null)
  await write(incoming, mail(1))
  assert.equal(earlyRefusalOf(incoming), 'MessageTooLarge')
  assert.equal(await outcomeOf(incoming), 'MessageTooLarge')
})

test('a message that does not fit into the spool is refused; messages that fit are stored', async () => {
  const spool = await Spool.open(directory, 2 * mebibyte)
  const { begin, intake } = await intakeWith({ spool })
  const [first, second, small] = [begin(), begin(), begin()]
  await write(first, mail(1.5 * mebibyte))
  assert.deepEqual(
    [intake.hasRoomFor(0), intake.hasRoomFor(heldOctets), intake.hasRoomFor(mebibyte)],
    [true, true, false],
  )
  await write(second, mail(mebibyte))
  assert.equal(await outcomeOf(second), 'InsufficientSpool')
  await untilSpoolFree(spool, mebibyte / 2)
  await write(small, mail(1000))
  assert.equal(typeof (await outcomeOf(small)), 'number')
  assert.equal(typeof (await outcomeOf(first)), 'number')
  await untilSpoolFree(spool, 2 * mebibyte)
  const third = begin()
  await write(third, mail(1.5 * mebibyte))
  assert.equal(typeof (await outcomeOf(third)), 'number')
})

test('a message is refused when the spool has no room for its last octets', async () => {
  const spool = await Spool.open(directory, heldOctets + 1000)
  const { begin, queue } = await intakeWith({ spool })
  const incoming = begin()
  await write(incoming, mail(heldOctets - header.length + 2000))
  assert.equal(await outcomeOf(incoming), 'InsufficientSpool')
  assert.equal(queue.calls, 0)
  await untilSpoolFree(spool, heldOctets + 1000)
})

/** A spool whose operations the test delays or fails with `before`. */
class ControlledSpool implements MessageSpool {
  before: (operation: 'append' | 'read') => Promise<void> = async () => {}
  freeOctets = spoolOctets
  readonly #spool: Spool

  constructor(spool: Spool) {
    this.#spool = spool
  }

  createFile(): SpoolFile {
    const file = this.#spool.createFile()
    const { append, read } = file
    return Object.assign(file, {
      append: (octets: Buffer) => this.before('append').then(() => append.call(file, octets)),
      read: (into: Buffer, position: number) =>
        this.before('read').then(() => read.call(file, into, position)),
    })
  }
}

test('a write waits while the disk has not written the earlier octets', async () => {
  const controlledSpool = new ControlledSpool(await Spool.open(directory, spoolOctets))
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  controlledSpool.before = () => opened
  const { begin } = await intakeWith({ spool: controlledSpool })
  const incoming = begin()
  assert.equal(incoming.write(mail(heldOctets - header.length)), undefined)
  const pending = incoming.write(mail(10))
  assert.ok(pending instanceof Promise)
  let isPending = true
  void pending.then(() => {
    isPending = false
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isPending, true)
  open()
  await pending
  assert.equal(await outcomeOf(incoming), heldOctets + 10)
})

for (const operation of ['append', 'read'] as const)
  test(`large messages get 451 with the cause when the disk fails at ${operation}, and this is no storage outage`, async () => {
    const spool = await Spool.open(directory, spoolOctets)
    const controlledSpool = new ControlledSpool(spool)
    const cause = Object.assign(new Error('i/o error'), { code: 'EIO' })
    const { intake, begin } = await intakeWith({ spool: controlledSpool })
    for (let time = 0; time < 4; time++) {
      controlledSpool.before = async (name) => {
        if (name === operation) throw new SpoolError(cause)
      }
      const incoming = begin()
      await write(incoming, mail(mebibyte))
      const outcome = await incoming.end(null)
      assert.ok(outcome !== null && 'reason' in outcome)
      assert.equal(outcome.reply.code, 451)
      assert.ok(outcome.cause !== undefined)
    }
    assert.equal(intake.isFailing, false)
    const small = begin()
    await write(small, mail(1000))
    assert.equal(await outcomeOf(small), header.length + 1000)
    await untilSpoolFree(spool)
  })

test('a large message whose upload fails is refused, and its upload is aborted; three such messages are an outage', async () => {
  const { intake, bucket, queue, spool, begin } = await intakeWith()
  bucket.before = async (operation) => {
    if (operation === 'UploadPart') throw new Error('away')
  }
  for (let time = 0; time < 3; time++) {
    assert.equal(intake.isFailing, false)
    const incoming = begin()
    await write(incoming, mail(6 * mebibyte))
    assert.equal(await outcomeOf(incoming), 'StorageUnavailable')
    assert.equal(bucket.operations.at(-1), 'AbortMultipartUpload')
  }
  assert.equal(intake.isFailing, true)
  assert.equal(queue.calls, 0)
  await untilSpoolFree(spool)
  intake.stop()
})

for (const octets of [1000, mebibyte])
  test(`a message of ${octets} octets leaves nothing when its client disconnects`, async () => {
    const { bucket, queue, spool, begin } = await intakeWith()
    const incoming = begin()
    await write(incoming, mail(octets))
    incoming.abandon()
    await write(incoming, mail(octets))
    assert.equal(await outcomeOf(incoming), null)
    await untilSpoolFree(spool)
    assert.deepEqual([queue.calls, bucket.operations.length], [0, 0])
  })

test('at most two large messages are uploaded at the same time, and a message abandoned in the upload queue ends immediately', async () => {
  const { bucket, queue, spool, begin } = await intakeWith()
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  bucket.before = async () => {
    if (bucket.operations.length === 2) reach()
    await opened
  }
  const messages = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const incoming = begin()
      await write(incoming, mail(mebibyte))
      return incoming
    }),
  )
  const outcomes = messages.slice(0, 2).map(outcomeOf)
  await reached
  // The other two messages end only now. If all ended together, the disk's timing would decide which get the slots.
  outcomes.push(...messages.slice(2).map(outcomeOf))
  const small = begin()
  await write(small, mail(1000))
  const smallOutcome = outcomeOf(small)
  messages[2]?.abandon()
  assert.equal(await outcomes[2], null)
  // Uploads of two large messages, and the segment of the small one, which does not need a slot.
  while (bucket.operations.length < 3) await new Promise((resolve) => setImmediate(resolve))
  open()
  assert.equal(await smallOutcome, header.length + 1000)
  for (const index of [0, 1, 3]) assert.equal(await outcomes[index], header.length + mebibyte)
  assert.equal(queue.jobs.length, 4)
  await untilSpoolFree(spool)
})

test('the upload of a message that is abandoned is aborted', async () => {
  const { bucket, queue, spool, begin } = await intakeWith()
  const incoming = begin()
  bucket.before = async (operation) => {
    if (operation === 'UploadPart') incoming.abandon()
  }
  await write(incoming, mail(7 * mebibyte))
  assert.equal(await outcomeOf(incoming), null)
  assert.deepEqual(bucket.operations, ['CreateMultipartUpload', 'UploadPart', 'AbortMultipartUpload'])
  assert.equal(queue.calls, 0)
  await untilSpoolFree(spool)
})

test('a message that waits four minutes for an upload slot is refused with TooManyLargeMessages', async (context) => {
  const { bucket, begin } = await intakeWith({ memory: { memoryOctets: heldOctets, maxUploads: 1 } })
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  bucket.before = async () => {
    reach()
    await opened
  }
  const [first, second] = [begin(), begin()]
  for (const incoming of [first, second]) await write(incoming, mail(mebibyte))
  const outcome = outcomeOf(first)
  await reached
  context.mock.timers.enable({ apis: ['setTimeout'] })
  let lateOutcome: string | number | null = 0
  void outcomeOf(second).then((outcome) => {
    lateOutcome = outcome
  })
  // The end of the message is first written to the file, which takes real time.
  while (lateOutcome === 0) {
    context.mock.timers.tick(4 * 60_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(lateOutcome, 'TooManyLargeMessages')
  open()
  assert.equal(await outcome, header.length + mebibyte)
})

test('a large message of random octets is stored unchanged', async () => {
  const { bucket, queue, begin } = await intakeWith()
  const original = Buffer.concat([Buffer.from('X: y\r\n\r\n'), randomBytes(6 * mebibyte)])
  const incoming = begin()
  await write(incoming, original, 16_384)
  assert.equal(await outcomeOf(incoming), header.length + original.length)
  assert.ok(contentOf(bucket, queue).equals(Buffer.concat([header, original])))
})

test('messages in the upload queue are refused without an attempt when an outage begins', async () => {
  const { intake, bucket, spool, begin } = await intakeWith({
    memory: { memoryOctets: heldOctets, maxUploads: 1 },
  })
  const { promise: timeout, reject: failUpload } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  bucket.before = () => {
    reach()
    return timeout
  }
  const messages = [begin(), begin(), begin()]
  for (const incoming of messages) await write(incoming, mail(mebibyte))
  const outcomes = messages.map(outcomeOf)
  await reached
  failUpload(Object.assign(new Error('timed out'), { name: 'TimeoutError' }))
  assert.deepEqual(
    await Promise.all(outcomes),
    messages.map(() => 'StorageUnavailable'),
  )
  assert.equal(bucket.operations.length, 1)
  assert.equal(intake.isFailing, true)
  await untilSpoolFree(spool)
  intake.stop()
})

test('four clients that disconnect during uploads cause no outage', async () => {
  const { intake, bucket, begin } = await intakeWith()
  for (let time = 0; time < 4; time++) {
    const incoming = begin()
    bucket.before = async (operation) => {
      if (operation !== 'UploadPart') return
      incoming.abandon()
      // The error with which the SDK ends an aborted request.
      throw Object.assign(new Error('Request aborted'), { name: 'AbortError' })
    }
    await write(incoming, mail(6 * mebibyte))
    assert.equal(await outcomeOf(incoming), null)
  }
  assert.equal(intake.isFailing, false)
})

test('an outage ends when both bucket and queue respond to a probe', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const works = { bucket: false, queue: false }
  const check = async (service: 'bucket' | 'queue') => {
    if (!works[service]) throw new Error('away')
  }
  const { intake, bucket, begin } = await intakeWith({ probeQueue: () => check('queue') })
  bucket.before = () => check('bucket')
  for (let time = 0; time < 3; time++) {
    const incoming = begin()
    await write(incoming, mail(1000))
    assert.equal(await outcomeOf(incoming), 'StorageUnavailable')
  }
  const failsAfterProbe = async (answers: typeof works) => {
    Object.assign(works, answers)
    context.mock.timers.tick(30_000)
    await new Promise(setImmediate)
    return intake.isFailing
  }
  assert.equal(await failsAfterProbe({ bucket: true, queue: false }), true)
  assert.equal(await failsAfterProbe({ bucket: false, queue: true }), true)
  assert.equal(await failsAfterProbe({ bucket: true, queue: true }), false)
})

test('three consecutive unstored messages are an outage; a stored message, also in the same batch, resets the count', async () => {
  const { intake, bucket, queue, begin } = await intakeWith()
  const send = async (count: number) => {
    const messages = Array.from({ length: count }, begin)
    for (const incoming of messages) await write(incoming, mail(1000))
    return Promise.all(messages.map(outcomeOf))
  }
  const isAway = () => Promise.reject(new Error('away'))
  for (let time = 0; time < 3; time++) {
    bucket.before = isAway
    assert.deepEqual(await send(2), ['StorageUnavailable', 'StorageUnavailable'])
    bucket.before = async () => {}
    await send(1)
  }
  let jobCount = 0
  queue.refuse = () => jobCount++ !== 3
  assert.equal((await send(4)).filter((outcome) => outcome === 'StorageUnavailable').length, 3)
  assert.equal(intake.isFailing, false)
  bucket.before = isAway
  await send(3)
  assert.equal(intake.isFailing, true)
  intake.stop()
})

test('one batch whose write times out is an outage', async () => {
  const { intake, bucket, begin } = await intakeWith()
  bucket.before = () => Promise.reject(Object.assign(new Error('timed out'), { name: 'TimeoutError' }))
  const incoming = begin()
  await write(incoming, mail(1000))
  assert.equal(await outcomeOf(incoming), 'StorageUnavailable')
  assert.equal(intake.isFailing, true)
  intake.stop()
})
