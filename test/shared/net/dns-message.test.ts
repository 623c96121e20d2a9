import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import packet from 'dns-packet'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { parseNameServer, parseNameServers } from '../../../shared/contract/name-server.ts'
import { encodeFrame, FrameReader } from '../../../shared/net/dns/frames.ts'
import { decodeReply, type Question } from '../../../shared/net/dns/message.ts'

const name = 'mx.partner.example'
const id = 0x1234

const replies = (['A', 'AAAA', 'MX', 'TLSA', 'TXT', 'CAA', 'CNAME'] as const).map((type) => {
  const data = {
    A: '192.0.2.1',
    AAAA: '2001:db8::1',
    MX: { preference: 10, exchange: 'mx.example' },
    TLSA: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32, 7) },
    TXT: ['one', 'two'],
    CAA: { flags: 128, tag: 'issue', value: 'ca.example' },
    CNAME: 'other.example',
  }[type]
  const octets = packet.encode({
    type: 'response',
    id,
    flags: packet.RECURSION_AVAILABLE,
    questions: [{ name, type }],
    answers: [{ name, type, ttl: 1, data }],
    authorities: [],
    additionals: [{ type: 'OPT', name: '.', options: [{ code: 15, data: Buffer.from([0, 6, 65]) }] }],
  })
  return { question: { name, type } as Question, octets }
})

describe('decodeReply for a reply', () => {
  it('returns its record and its extended error', () => {
    for (const { question, octets } of replies) {
      const reply = decodeReply(octets, id, question)
      assert.ok(typeof reply === 'object')
      assert.deepEqual([reply.records.length, reply.errors], [1, [6]])
    }
  })

  it('omits records of another class', () => {
    for (const { question, octets } of replies) {
      const changed = Buffer.from(octets)
      // Sets the class of the only answer, after header, question, name and type, to Chaosnet.
      changed.writeUInt16BE(3, 12 + name.length + 2 + 4 + name.length + 2 + 2)
      const reply = decodeReply(changed, id, question)
      assert.ok(typeof reply === 'object')
      assert.deepEqual(reply.records, [])
    }
  })

  it('that is cut at any octet returns a fault', () => {
    for (const { question, octets } of replies)
      for (let end = 0; end < octets.length; end += 1)
        assert.equal(typeof decodeReply(octets.subarray(0, end), id, question), 'string', `${end}`)
  })

  it('with any changed octets throws no error', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...replies),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 12 }),
        ({ question, octets }, changes) => {
          const changed = Buffer.from(octets)
          for (const [at, value] of changes) if (at < changed.length) changed[at] = value
          const reply = decodeReply(changed, id, question)
          assert.ok(typeof reply === 'string' || reply.records.length <= 10)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it('returns any A or AAAA address as its text', () => {
    const zeros = fc.constantFrom(0, 0, 255, 1)
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.array(zeros, { minLength: 16, maxLength: 16 }),
    )
    fc.assert(
      fc.property(fc.constantFrom('A', 'AAAA'), octets, (type, bytes) => {
        const data = [...bytes].slice(0, type === 'A' ? 4 : 16)
        const questionOctets = Buffer.from(question)
        questionOctets.writeUInt8(type === 'A' ? 1 : 28, questionOctets.length - 3)
        const answer = record(own, type === 'A' ? 1 : 28, data.length, data)
        const reply = decodeReply(Buffer.concat([header(1), questionOctets, answer]), id, {
          name,
          type,
        } as Question)
        assert.ok(typeof reply === 'object')
        assert.deepEqual(ipaddr.parse(reply.records[0]?.data as string).toByteArray(), data)
      }),
    )
  })

  const header = (answers: number) => {
    const octets = Buffer.alloc(12)
    octets.writeUInt16BE(id, 0)
    octets.writeUInt16BE(0x8180, 2)
    octets.writeUInt16BE(1, 4)
    octets.writeUInt16BE(answers, 6)
    return octets
  }
  const question = Buffer.from('\x02mx\x07partner\x07example\x00\x00\x01\x00\x01', 'latin1')
  const record = (owner: number[], type: number, length: number, data: number[]) =>
    Buffer.from([...owner, type >> 8, type & 255, 0, 1, 0, 0, 0, 1, length >> 8, length & 255, ...data])
  const own = [0xc0, 12]
  const hostile: [string, Buffer][] = [
    ['whose name points at itself', record([0xc0, 36], 1, 4, [1, 2, 3, 4])],
    ['whose name points forwards', record([0xc0, 50], 1, 4, [1, 2, 3, 4])],
    ['whose alias points at itself', record(own, 5, 2, [0xc0, 48])],
    ['with an address of three octets', record(own, 1, 3, [1, 2, 3])],
    ['with an address of five octets', record(own, 1, 5, [1, 2, 3, 4, 5])],
    ['that is longer than the message', record(own, 1, 400, [1, 2, 3, 4])],
    ['with TLSA data of two octets', record(own, 52, 2, [3, 1])],
    ['with a string longer than its record', record(own, 16, 3, [9, 65, 65])],
    ['with a CAA record of one octet', record(own, 257, 1, [0])],
    ['with a CAA record that ends before its tag', record(own, 257, 3, [0, 5, 105])],
    ['with a CAA record without a tag', record(own, 257, 4, [0, 0, 65, 66])],
    ['with a name that ends after its record', record(own, 15, 3, [0, 1, 7])],
    ['that the header counts but the message lacks', Buffer.alloc(0)],
  ]
  for (const [condition, octets] of hostile) {
    it(`with a record ${condition} returns Malformed`, () => {
      const number = octets.length < 4 ? 1 : octets.readUInt16BE(2)
      const type = ({ 257: 'CAA', 52: 'TLSA', 16: 'TXT', 15: 'MX' } as const)[number] ?? 'A'
      const questionOctets = Buffer.from(question)
      questionOctets.writeUInt16BE(
        { A: 1, CAA: 257, TLSA: 52, TXT: 16, MX: 15 }[type],
        questionOctets.length - 4,
      )
      assert.equal(
        decodeReply(Buffer.concat([header(1), questionOctets, octets]), id, { name, type }),
        'Malformed',
      )
    })
  }

  it('with CAA records returns their flags, their tag in lower case, and their value, which may be empty', () => {
    const questionOctets = Buffer.from(question)
    questionOctets.writeUInt16BE(257, questionOctets.length - 4)
    const properties = [Buffer.from('\x80\x05ISSUEca.example; a=b', 'latin1'), Buffer.from('\0\x05iodef')]
    const answers = properties.map((data) => record(own, 257, data.length, [...data]))
    const reply = decodeReply(Buffer.concat([header(2), questionOctets, ...answers]), id, {
      name,
      type: 'CAA',
    })
    assert.ok(typeof reply === 'object')
    assert.deepEqual(
      reply.records.map(({ data }) => data),
      [
        { flags: 128, tag: 'issue', value: 'ca.example; a=b' },
        { flags: 0, tag: 'iodef', value: '' },
      ],
    )
  })

  it('with four thousand records, whose names are chains of thousands of pointers, ends without an error', () => {
    // A chain of pointers, each to the pointer before it, up to the largest offset of a pointer.
    const chain = Buffer.alloc(0x3000)
    const begin = 12 + question.length + 12
    for (let at = 0; at < chain.length; at += 2)
      chain.writeUInt16BE(0xc000 | (at === 0 ? 12 : begin + at - 2), at)
    const carrier = record(own, 99, chain.length, [...chain])
    const last = begin + chain.length - 2
    const others = Array.from({ length: 4_000 }, () => record([0xc0 | (last >> 8), last & 255], 99, 0, []))
    const octets = Buffer.concat([header(4_001), question, carrier, ...others])
    assert.ok(octets.length < 65_536 && octets.length > 60_000)
    const reply = decodeReply(octets, id, { name, type: 'A' })
    assert.ok(reply === 'Malformed' || typeof reply === 'object')
  })
})

describe('DNS messages in a stream', () => {
  it('are read unchanged for any chunks of the stream', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(
        messages,
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        (sentMessages, cuts) => {
          const stream = Buffer.concat(sentMessages.map((message) => encodeFrame(Buffer.from(message))))
          const frames = new FrameReader()
          const received: Buffer[] = []
          for (let at = 0, cut = 0; at < stream.length; cut += 1) {
            const length = cuts[cut % cuts.length] ?? 1
            received.push(...frames.read(stream.subarray(at, at + length)))
            at += length
          }
          assert.deepEqual(
            received.map((message) => [...message]),
            sentMessages.map((message) => [...message]),
          )
        },
      ),
    )
  })

  it('of the maximum length are read when each octet arrives alone', () => {
    const frames = new FrameReader()
    const whole = encodeFrame(Buffer.alloc(65_535, 7))
    const received = Array.from(whole, (octet) => frames.read(Buffer.from([octet]))).flat()
    assert.deepEqual(
      received.map(({ length }) => length),
      [65_535],
    )
  })
})

describe('parseNameServer', () => {
  const rows: [string, string, number][] = [
    ['192.0.2.1', '192.0.2.1', 53],
    ['192.0.2.1:5353', '192.0.2.1', 5353],
    ['2001:db8::1', '2001:db8::1', 53],
    ['::1', '::1', 53],
    ['[2001:db8::1]', '2001:db8::1', 53],
    ['[::1]:5353', '::1', 5353],
    ['fe80::1%eth0', 'fe80::1%eth0', 53],
  ]
  for (const [text, ip, port] of rows) {
    it(`reads ${text} as port ${port} of ${ip}, in the clear`, () =>
      assert.deepEqual(parseNameServer(text), { ip, port, tlsName: null }))
  }
  for (const text of [
    '',
    'dns.example',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '192.0.2',
    '[192.0.2.1]',
    '[]:53',
    ':53',
    '::1]:53',
  ]) {
    it(`refuses "${text}"`, () =>
      assert.throws(() => parseNameServer(text), /is not the address of a name server/))
  }

  const byTls: [string, string, number, string][] = [
    ['tls://192.0.2.1#dns.example', '192.0.2.1', 853, 'dns.example'],
    ['tls://192.0.2.1:8853#DNS.Example', '192.0.2.1', 8853, 'dns.example'],
    ['tls://[2001:db8::1]#dns.example', '2001:db8::1', 853, 'dns.example'],
    ['TLS://[::1]:5353#xn--dns-5qa.example', '::1', 5353, 'xn--dns-5qa.example'],
    ['tls://192.0.2.1#resolver', '192.0.2.1', 853, 'resolver'],
  ]
  for (const [text, ip, port, tlsName] of byTls) {
    it(`reads ${text} as port ${port} of ${ip}, over TLS with the name ${tlsName}`, () =>
      assert.deepEqual(parseNameServer(text), { ip, port, tlsName }))
  }

  it('reads each example in docs/deploy.md and infra/config.ts', () => {
    for (const file of ['docs/deploy.md', 'infra/config.ts']) {
      const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')
      const exampleAddresses = [...text.matchAll(/tls:\/\/[^`"\s]*/g)].map(([each]) => each)
      const examples = exampleAddresses.filter((each) => !each.includes('address'))
      assert.ok(examples.length > 0, file)
      for (const each of examples) assert.ok(parseNameServer(each).tlsName)
    }
  })

  const address = /: an address is required, IPv6 in brackets$/
  const nameless = /: the name in its certificate is required/
  const noName = /is not a host name$/
  const wrong: [string, RegExp][] = [
    ['tls:192.0.2.1#dns.example', address],
    ['tls://', address],
    ['tls://dns.example', address],
    ['tls://dns.example#dns.example', address],
    ['tls://2001:db8::1#dns.example', address],
    ['tls://[192.0.2.1]#dns.example', address],
    ['tls://192.0.2.1:0#dns.example', address],
    ['tls://192.0.2.1:65536#dns.example', address],
    ['tls://192.0.2.1/#dns.example', address],
    ['tls://192.0.2.1', nameless],
    ['tls://192.0.2.1#', nameless],
    ['tls://[2001:db8::1]:853', nameless],
    ['tls://192.0.2.1#192.0.2.1', noName],
    ['tls://192.0.2.1#2001:db8::1', noName],
    ['tls://192.0.2.1#dns example', noName],
    ['tls://192.0.2.1#*.example', noName],
    ['tls://192.0.2.1#dns.example.', noName],
    ['tls://192.0.2.1#dns.example#other', noName],
    ['tls://192.0.2.1#dns..example', noName],
    ['tls://192.0.2.1#dns.ex\u00e4mple', noName],
    [`tls://192.0.2.1#${'a.'.repeat(127)}`, noName],
  ]
  for (const [text, why] of wrong) {
    it(`refuses "${text.length > 60 ? `${text.slice(0, 60)}…` : text}" with the reason`, () =>
      assert.throws(
        () => parseNameServer(text),
        ({ message }: Error) => message.startsWith(`"${text}" is not the address`) && why.test(message),
      ))
  }
})

describe('parseNameServers', () => {
  const [tls, changed, clear] = ['tls://192.0.2.1#dns.example', 'tls://192.0.2.2#dns.example', '192.0.2.3']

  it('reads a list of servers that all use TLS, that are all in the clear, or that is empty', () => {
    assert.deepEqual(
      parseNameServers([tls, changed]).map(({ ip }) => ip),
      ['192.0.2.1', '192.0.2.2'],
    )
    assert.equal(parseNameServers([clear, '192.0.2.4']).length, 2)
    assert.deepEqual(parseNameServers([]), [])
  })

  for (const mixed of [
    [tls, clear],
    [clear, changed, tls],
    [tls, changed, clear],
  ]) {
    it(`refuses ${mixed.join(', ')}, because not all use TLS`, () =>
      assert.throws(
        () => parseNameServers(mixed),
        /^Error: "tls:\S+" uses TLS and "192\.0\.2\.3" does not: /,
      ))
  }
})
