import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ClientHello, readClientHello } from '../../../../functions/smtp-ingress/tls/client-hello.ts'

const number = (value: number, octets: number): Buffer => {
  const encoded = Buffer.alloc(octets)
  encoded.writeUIntBE(value, 0, octets)
  return encoded
}
const vector = (octets: number, ...content: Buffer[]): Buffer => {
  const octetsOfVector = Buffer.concat(content)
  return Buffer.concat([number(octetsOfVector.length, octets), octetsOfVector])
}
const extension = (type: number, ...content: Buffer[]) =>
  Buffer.concat([number(type, 2), vector(2, ...content)])
/** The extension supported_versions. */
const versions = (...offered: number[]) => extension(43, vector(1, ...offered.map((each) => number(each, 2))))
const identity = (ticket: Buffer) => Buffer.concat([vector(2, ticket), number(7, 4)])
/** The extension pre_shared_key: tickets, each with its age, and one binder. */
const tickets = (...each: Buffer[]) =>
  extension(41, vector(2, ...each.map(identity)), vector(2, vector(1, Buffer.alloc(32))))

/** Version, random, session id, one cipher suite, one compression method, and the extensions if there are any. */
function hello(...extensions: Buffer[]): Buffer {
  const body = [
    Buffer.from([3, 3]),
    Buffer.alloc(32, 1),
    vector(1, Buffer.alloc(32, 2)),
    vector(2, Buffer.from([0x13, 0x02])),
    vector(1, Buffer.from([0])),
    ...(extensions.length > 0 ? [vector(2, ...extensions)] : []),
  ]
  return Buffer.concat([Buffer.from([1]), vector(3, ...body)])
}

/** A handshake record (type 22) of version 3.1. */
const record = (fragment: Buffer) => Buffer.concat([Buffer.from([22, 3, 1]), vector(2, fragment)])

function inRecordsOf(octets: number, message: Buffer): Buffer {
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += octets) records.push(record(message.subarray(at, at + octets)))
  return Buffer.concat(records)
}

const [firstTicket, secondTicket] = [Buffer.from('a ticket'), Buffer.from('and another')]

const read: [name: string, octets: Buffer, isModern: boolean, tickets: Buffer[]][] = [
  ['without extensions', record(hello()), false, []],
  ['of TLS 1.2', record(hello(extension(0, Buffer.from('x')))), false, []],
  ['of TLS 1.2 with the extension supported_versions', record(hello(versions(0x0303, 0x0302))), false, []],
  ['of TLS 1.3', record(hello(versions(0x7a7a, 0x0304, 0x0303))), true, []],
  [
    'with tickets',
    record(hello(versions(0x0304), tickets(firstTicket, secondTicket))),
    true,
    [firstTicket, secondTicket],
  ],
  [
    'in records of 30 octets',
    inRecordsOf(30, hello(versions(0x0304), tickets(firstTicket))),
    true,
    [firstTicket],
  ],
  [
    'with octets after it',
    Buffer.concat([record(hello(versions(0x0304))), Buffer.from([20, 3, 3])]),
    true,
    [],
  ],
]

for (const [name, octets, isModern, expectedTickets] of read)
  test(`readClientHello reads a ClientHello ${name}, and reports it as Incomplete before its last octet`, () => {
    assert.deepEqual(readClientHello(octets), {
      supportsTls13: isModern,
      tickets: expectedTickets,
    } satisfies ClientHello)
    const end = octets.length - (name === 'with octets after it' ? 3 : 0)
    for (let length = 0; length < end; length++)
      assert.equal(readClientHello(octets.subarray(0, length)), 'Incomplete', `${length} octets`)
  })

/** Replaces the octets of the message at a position, and puts the message into a record. */
const within = (message: Buffer, at: number, octets: number[]): Buffer => {
  const changed = Buffer.from(message)
  changed.set(octets, at)
  return record(changed)
}

/**
 * The positions are sums of the lengths of a message's parts in octets: message header 4, version and random 34,
 * session id 33, cipher suites 4, compression methods 2.
 */
const unreadable: [name: string, octets: Buffer][] = [
  ['a command', Buffer.from('EHLO x\r\n')],
  ['a record of another type', Buffer.from([21])],
  ['a record of another version', Buffer.from([22, 2])],
  ['a message of another type', record(Buffer.concat([Buffer.from([2]), hello().subarray(1)]))],
  ['a ClientHello of 16 MiB', record(Buffer.from([1, 0xff, 0xff, 0xff]))],
  ['a ClientHello with one octet in each record', inRecordsOf(1, hello())],
  ['empty records', Buffer.concat(Array.from({ length: 16 }, () => record(Buffer.alloc(0))))],
  ['a session id that ends beyond the message', within(hello(), 4 + 34, [0xff])],
  ['cipher suites that end beyond the message', within(hello(), 4 + 34 + 33, [0xff, 0xff])],
  [
    'extensions that end beyond the message',
    within(hello(versions(0x0304)), 4 + 34 + 33 + 4 + 2, [0xff, 0xff]),
  ],
  ['an extension that ends beyond the extensions', record(hello(Buffer.from([0, 43, 0, 9])))],
  ['versions that end beyond their extension', record(hello(extension(43, Buffer.from([9, 3, 4]))))],
  ['half a version', record(hello(extension(43, Buffer.from([3, 3, 4, 3]))))],
  [
    'a ticket that ends beyond its extension',
    record(hello(extension(41, vector(2, Buffer.from([0, 9, 1]))))),
  ],
  ['a ticket without its age', record(hello(extension(41, vector(2, vector(2, firstTicket)))))],
]

for (const [name, octets] of unreadable)
  test(`readClientHello reports as Unreadable: ${name}`, () => {
    assert.equal(readClientHello(octets), 'Unreadable')
  })

test('readClientHello reads a ClientHello of 16 KiB, and reports a larger one as Unreadable', () => {
  const large = record(Buffer.concat([Buffer.from([1, 0, 0x3f, 0xfc]), Buffer.alloc(16_380)]))
  assert.equal(readClientHello(large.subarray(0, -1)), 'Incomplete')
  assert.notEqual(readClientHello(large), 'Incomplete')
  const larger = record(Buffer.from([1, 0, 0x40, 0x00]))
  assert.equal(readClientHello(larger), 'Unreadable')
})

test('readClientHello returns for any octets a result that further octets do not change, unless it is Incomplete', () => {
  const sensible = hello(versions(0x0304), tickets(firstTicket, secondTicket))
  const broken = fc
    .tuple(fc.nat(sensible.length - 1), fc.uint8Array({ maxLength: 6 }), fc.integer({ min: 1, max: 300 }))
    .map(([at, octets, size]) => {
      const changed = Buffer.from(sensible)
      changed.set(octets.subarray(0, changed.length - at), at)
      return inRecordsOf(size, changed)
    })
  const anything = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets))
  fc.assert(
    fc.property(fc.oneof(broken, anything), fc.nat(), (octets, cut) => {
      const length = cut % (octets.length + 1)
      const early = readClientHello(octets.subarray(0, length))
      if (early !== 'Incomplete') assert.deepEqual(readClientHello(octets), early)
    }),
    { numRuns: 500 },
  )
})
