/** Known attacks on SMTP servers, octet for octet against the real ingress. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  Wire,
} from '../../support/ingress/ingress.ts'

const running = new Set<TestIngress>()
let ingress: TestIngress
let normalising: TestIngress

async function ingressWith(options: TestIngressOptions): Promise<TestIngress> {
  const startedIngress = await startTestIngress(options)
  running.add(startedIngress)
  return startedIngress
}

before(async () => {
  ingress = await ingressWith({})
  normalising = await ingressWith({ settings: { BARE_NEWLINES: 'Normalise' } })
})
after(() => Promise.all([...running].map((each) => each.drain())))

const inData = ['MAIL FROM:<a@elsewhere.example>', 'RCPT TO:<b@ours.example>', 'DATA']

async function openData(): Promise<Wire> {
  const wire = await Wire.greet(ingress.smtpPort)
  for (const command of inData) await wire.command(command)
  return wire
}

const visible = (octets: string): string => JSON.stringify(octets).slice(1, -1)

/**
 * CVE-2023-51764, CVE-2023-51765, CVE-2023-51766 and similar: sequences that some server accepted as the end of data.
 */
const falseEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r',
  '\r.\n',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\n\r.\n\r',
  '\r\n\n.\n\r\n',
]

describe('a false end of data', () => {
  for (const end of falseEnds)
    for (const segmentation of ['in one segment', 'in segments of one octet'])
      test(`${visible(end)} ${segmentation} does not end the message, and the octets after it are no commands`, async () => {
        const jobCount = ingress.queue.jobs.length
        const wire = await openData()
        const smuggled = `Subject: x\r\n\r\ntext${end}MAIL FROM:<admin@ours.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\nevil`
        if (segmentation === 'in one segment') wire.write(Buffer.from(smuggled, 'latin1'))
        else for (const octet of smuggled) wire.write(Buffer.from(octet, 'latin1'))
        wire.write('\r\n.\r\n')
        assert.equal(await wire.reply(), '550 5.6.11 Message contains a bare CR, a bare LF or a NUL')
        assert.match(await wire.command('NOOP'), /^250 /, 'one message, one reply')
        assert.equal(ingress.queue.jobs.length, jobCount)
        wire.destroy()
      })

  for (const end of falseEnds)
    test(`${visible(end)} does not end a normalised message, and leaves no bare CR, bare LF or NUL`, async () => {
      const jobCount = normalising.queue.jobs.length
      const wire = await Wire.greet(normalising.smtpPort)
      for (const command of inData) await wire.command(command)
      wire.write(Buffer.from(`Subject: x\r\n\r\ntext${end}RSET\r\n`, 'latin1'))
      assert.match(await wire.command('.'), /^250 /)
      assert.match(await wire.command('NOOP'), /^250 /)
      const [job] = normalising.queue.jobs.slice(jobCount)
      assert.equal(normalising.queue.jobs.length, jobCount + 1)
      const { key = '', offset = 0, length = 0 } = job?.message.content ?? {}
      const content = normalising.bucket.objects
        .get(key)
        ?.subarray(offset, offset + length)
        .toString('latin1')
      assert.doesNotMatch(content ?? '\0', /\0|\r(?!\n)|(?<!\r)\n/)
      assert.match(content ?? '', /RSET\r\n$/)
    })
})

describe('a false end of data within a chunk (RFC 3030)', () => {
  const smuggledCommands =
    'MAIL FROM:<admin@ours.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\nevil\r\n.\r\n'
  const bareNewlines = '550 5.6.11 Message contains a bare CR, a bare LF or a NUL'
  const rows: [end: string, reply: string | RegExp][] = [
    ...falseEnds.map((end): [string, string] => [end, bareNewlines]),
    ['\r\n.\r\n', /^250 2\.0\.0 Ok: queued as /],
  ]
  for (const [end, expected] of rows)
    for (const isSplit of [false, true])
      test(`${visible(end)} ${isSplit ? 'in two chunks' : 'in one chunk'} does not end the message, and the octets after it are no commands`, async () => {
        const jobCount = ingress.queue.jobs.length
        const wire = await Wire.greet(ingress.smtpPort)
        for (const command of inData.slice(0, 2)) await wire.command(command)
        const content = `Subject: x\r\n\r\ntext${end}${smuggledCommands}`
        const cut = isSplit ? content.indexOf(end) + 2 : 0
        const chunk = (octets: string, last = '') => `BDAT ${octets.length}${last}\r\n${octets}`
        if (isSplit) wire.write(Buffer.from(chunk(content.slice(0, cut)), 'latin1'))
        wire.write(Buffer.from(chunk(content.slice(cut), ' LAST'), 'latin1'))
        const replies = [await wire.reply()]
        if (isSplit) replies.push(await wire.reply())
        if (typeof expected === 'string') assert.ok(replies.includes(expected), replies.join())
        else assert.match(replies.at(-1) ?? '', expected)
        assert.match(await wire.command('NOOP'), /^250 /, 'one message, no further reply')
        assert.equal(ingress.queue.jobs.length - jobCount, typeof expected === 'string' ? 0 : 1)
        wire.destroy()
      })

  test('is stored as content, so that a next hop receives it with a doubled dot', async () => {
    const wire = await Wire.greet(ingress.smtpPort)
    for (const command of inData.slice(0, 2)) await wire.command(command)
    const octets = `text\r\n.\r\n${smuggledCommands}`
    wire.write(`BDAT ${octets.length} LAST\r\n${octets}`)
    assert.match(await wire.reply(), /^250 /)
    const { key = '', offset = 0, length = 0 } = ingress.queue.jobs.at(-1)?.message.content ?? {}
    const content = ingress.bucket.objects.get(key)?.subarray(offset, offset + length)
    assert.ok(content?.toString().endsWith(`\r\n${octets}`))
    wire.destroy()
  })
})

describe('STARTTLS with pipelined octets (CVE-2011-0411)', () => {
  const injected = [
    'RSET\r\n',
    'EHLO evil.example\r\nMAIL FROM:<evil@elsewhere.example>\r\n',
    'MAIL FROM:<evil@',
  ]
  for (const octets of injected) {
    test(`${visible(octets)} in the segment of STARTTLS is dropped before the handshake`, async () => {
      const wire = await Wire.greet(ingress.smtpPort)
      wire.write(`STARTTLS\r\n${octets}`)
      assert.equal(await wire.reply(), '220 2.0.0 Ready to start TLS')
      await wire.secure()
      await isNew(wire)
    })

    test(`${visible(octets)} after the reply to STARTTLS makes the handshake fail`, async () => {
      const wire = await Wire.greet(ingress.smtpPort)
      assert.equal(await wire.command('STARTTLS'), '220 2.0.0 Ready to start TLS')
      wire.write(octets)
      await assert.rejects(wire.secure())
    })
  }

  test('EHLO and MAIL before STARTTLS have no effect after the handshake', async () => {
    const wire = await Wire.greet(ingress.smtpPort)
    for (const command of inData.slice(0, 2)) assert.match(await wire.command(command), /^250 /)
    await wire.command('STARTTLS')
    await wire.secure()
    await isNew(wire)
  })

  test('a partial command before STARTTLS has no effect after the handshake', async () => {
    const wire = await Wire.greet(ingress.smtpPort)
    wire.write('MAIL FROM:<evil@elsewhere.example> ')
    assert.match(await wire.command('STARTTLS'), /^5\d\d /, 'it was part of the previous line')
    assert.match(await wire.command('STARTTLS'), /^220 /)
    await wire.secure()
    await isNew(wire)
  })

  async function isNew(wire: Wire): Promise<void> {
    assert.match(await wire.command('RCPT TO:<b@ours.example>'), /^503 5\.5\.1 Need MAIL command/)
    assert.match(
      await wire.command('MAIL FROM:<a@elsewhere.example>'),
      /^503 5\.5\.1 Send HELO or EHLO first/,
    )
    assert.match(await wire.command('EHLO client.example'), /^250-mx\.ours\.example/)
    assert.match(await wire.command('DATA'), /^503 5\.5\.1 Need MAIL command/)
    assert.match(await wire.command('STARTTLS'), /^503 5\.5\.1 TLS already active/)
    wire.destroy()
  }
})

describe('a client that does not wait for replies', () => {
  test('and sends commands directly after the end of data gets their replies in order, after the reply to the message', async () => {
    const wire = await openData()
    wire.write(`Subject: x\r\n\r\n.\r\n${inData.join('\r\n')}\r\n`)
    const replies = [await wire.reply(), await wire.reply(), await wire.reply(), await wire.reply()]
    assert.deepEqual(
      replies.map((reply) => reply.slice(0, 3)),
      ['250', '250', '250', '354'],
    )
    assert.match(await wire.command('.'), /^250 /)
    wire.destroy()
  })

  test('and sends the message directly after DATA gets 421 when DATA is refused, and the message is not read as commands', async () => {
    const wire = await Wire.greet(ingress.smtpPort)
    wire.write(`MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@fremd.example>\r\nDATA\r\nRSET\r\n.\r\n`)
    assert.match(await wire.reply(), /^250 /)
    assert.match(await wire.reply(), /^550 5\.7\.64 /)
    assert.equal(await wire.reply(), '421 4.5.1 Data sent before the 354 reply')
    assert.equal(await wire.line(), null)
  })
})

describe('octets that are not SMTP', () => {
  const otherProtocols: [name: string, octets: Buffer, reply: string][] = [
    [
      'an HTTP request',
      Buffer.from('GET / HTTP/1.1\r\nHost: mx\r\n\r\n'),
      '421 4.5.1 This is not an HTTP server',
    ],
    [
      'a ClientHello in the clear',
      Buffer.from('16030100f8010000f40303', 'hex'),
      '421 4.5.1 TLS handshake without STARTTLS',
    ],
  ]
  for (const [name, octets, reply] of otherProtocols)
    test(`${name} gets a 421 that names the fault, and ends the session`, async () => {
      const wire = await Wire.open(ingress.smtpPort)
      await wire.reply()
      wire.write(octets)
      assert.equal(await wire.reply(), reply)
      assert.equal(await wire.line(), null)
    })

  test('a command before the greeting gets 421 and ends the session', async () => {
    const wire = await Wire.open(ingress.smtpPort)
    wire.write('EHLO client.example\r\n')
    assert.equal(await wire.reply(), '421 4.5.1 Client spoke before the greeting')
    assert.equal(await wire.line(), null)
  })
})

describe('a client that does not read', () => {
  test('makes the server stop reading before it has read 200 MiB', async () => {
    const socket = connect(ingress.smtpPort, '127.0.0.1')
    await once(socket, 'data')
    socket.pause()
    socket.write('EHLO client.example\r\nMAIL FROM:<a@elsewhere.example>\r\n')
    let writtenOctets = 0
    const line = Buffer.from('RCPT TO:<b@ours.example>\r\n'.repeat(1000))
    while (socket.write(line) || (await waitForDrain(socket))) {
      writtenOctets += line.length
      if (writtenOctets > 200 * 1024 * 1024) break
    }
    assert.ok(writtenOctets < 200 * 1024 * 1024, 'the server stopped reading')
    socket.destroy()
  })

  async function waitForDrain(socket: ReturnType<typeof connect>): Promise<boolean> {
    const signal = AbortSignal.timeout(1000)
    return once(socket, 'drain', { signal }).then(
      () => true,
      () => false,
    )
  }
})

describe('the PROXY protocol', () => {
  const proxyHeader = (ip: number[], port: number) =>
    Buffer.concat([
      Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
      Buffer.from([...ip, 127, 0, 0, 1, port >> 8, port & 255, 0, 25]),
    ])

  test('states the client\u2019s address in the job when a trusted load balancer sends the header', async () => {
    const ingressBehindProxy = await ingressWith({ settings: { PROXY_TRUSTED_ADDRESSES: ['127.0.0.0/8'] } })
    const wire = await Wire.open(ingressBehindProxy.smtpPort)
    wire.write(proxyHeader([192, 0, 2, 7], 4711))
    await wire.reply()
    await wire.command('EHLO client.example')
    assert.match(await wire.send('Subject: x\r\n'), /^250 /)
    assert.deepEqual(ingressBehindProxy.queue.jobs[0]?.message.source, {
      ip: '192.0.2.7',
      port: 4711,
      helo: 'client.example',
    })
    wire.destroy()
  })

  test('is mandatory for a trusted load balancer: without the header the connection closes without a reply', async () => {
    const ingressBehindProxy = await ingressWith({ settings: { PROXY_TRUSTED_ADDRESSES: ['127.0.0.0/8'] } })
    const wire = await Wire.open(ingressBehindProxy.smtpPort)
    wire.write('EHLO client.example\r\n')
    assert.equal(await wire.line(), null)
  })

  test('from another address gets 421, as octets before the greeting do', async () => {
    const wire = await Wire.open(ingress.smtpPort)
    wire.write(proxyHeader([192, 0, 2, 7], 4711))
    assert.equal(await wire.reply(), '421 4.5.1 Client spoke before the greeting')
    assert.equal(await wire.line(), null)
  })
})

test('the ingress with LISTEN_ADDRESS ::1 greets an IPv6 client', async () => {
  const ipv6Ingress = await ingressWith({ settings: { LISTEN_ADDRESS: '::1' } })
  const socket = connect(ipv6Ingress.smtpPort, '::1')
  const [greeting] = await once(socket, 'data')
  assert.equal(String(greeting), '220 mx.ours.example ESMTP\r\n')
  socket.destroy()
})

test('the ingress with LISTEN_ADDRESS :: records an IPv4 client by its IPv4 address', async () => {
  const dualStackIngress = await ingressWith({ settings: { LISTEN_ADDRESS: '::' } })
  const wire = await Wire.greet(dualStackIngress.smtpPort)
  assert.match(await wire.send('Subject: x\r\n'), /^250 /)
  assert.equal(dualStackIngress.queue.jobs[0]?.message.source?.ip, '127.0.0.1')
  wire.destroy()
})
