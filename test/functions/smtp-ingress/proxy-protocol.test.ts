/** The PROXY protocol header on the real ingress, behind a load balancer. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inbound } from '../../support/fixtures.ts'
import {
  startTestIngress,
  type TestIngress,
  type TestIngressOptions,
  type Wire,
} from '../../support/ingress/ingress.ts'

const partner = '203.0.113.9'

/** The header of an IPv4 client, to 192.0.2.1:25. @param command LOCAL is 0x20, PROXY 0x21 */
function header(ip: string, port = 40_000, command = 0x21): Buffer {
  const octets = Buffer.alloc(28)
  octets.write('0d0a0d0a000d0a515549540a', 'hex')
  octets.set([command, 0x11, 0, 12, ...ip.split('.').map(Number), 192, 0, 2, 1], 12)
  octets.writeUInt16BE(port, 24)
  octets.writeUInt16BE(25, 26)
  return octets
}

/** The header of an IPv6 client, from port 40000 to [2001:db8::25]:25. @param address 32 hexadecimal digits */
const ipv6Header = (address: string): Buffer =>
  Buffer.from(`0d0a0d0a000d0a515549540a21210024${address}20010db80000000000000000000000259c400019`, 'hex')

async function withProxies(
  proxies: string[],
  options: TestIngressOptions,
  test: (ingress: TestIngress) => Promise<void>,
): Promise<void> {
  const settings = { ...options.settings, PROXY_TRUSTED_ADDRESSES: proxies }
  const ingress = await startTestIngress({ ...options, settings })
  try {
    await test(ingress)
  } finally {
    await ingress.drain()
  }
}

const loadBalancer = ['127.0.0.1/32']
const greeting = '220 mx.ours.example ESMTP'

async function connectAs(ingress: TestIngress, octets: Buffer): Promise<Wire> {
  const wire = await ingress.connect()
  wire.write(octets)
  return wire
}

describe('behind a load balancer with the PROXY protocol', { concurrency: 4 }, () => {
  it('job and Received header of a message under TLS have the client\u2019s address of the header', () =>
    withProxies(loadBalancer, {}, async (ingress) => {
      const wire = await connectAs(ingress, header(partner, 51_234))
      assert.equal(await wire.reply(), greeting)
      await wire.command('EHLO client.example')
      await wire.startTls()
      assert.match(await wire.send('Subject: hello\r\n\r\n'), /^250 /)
      const [job] = ingress.queue.jobs
      assert.deepEqual(job?.message.source, { ip: partner, port: 51_234, helo: 'client.example' })
      const [segment] = ingress.bucket.objects.values()
      assert.match(String(segment), /^Received: from client\.example \(\[203\.0\.113\.9\]\)/)
      await wire.end()
    }))

  it('the header may arrive octet by octet', () =>
    withProxies(loadBalancer, {}, async (ingress) => {
      const wire = await ingress.connect()
      for (const octet of header(partner)) {
        wire.write(Buffer.of(octet))
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.equal(await wire.reply(), greeting)
      await wire.end()
    }))

  it('a connector applies to the client\u2019s address of the header', () =>
    withProxies(
      loadBalancer,
      {
        inbound: [
          inbound({
            name: 'Headquarters',
            connectorType: 'OnPremises',
            senderDomains: ['*'],
            senderIpAddresses: [`${partner}/32`],
            requireTls: false,
          }),
        ],
      },
      async (ingress) => {
        for (const [ip, reply] of [
          [partner, '250 2.1.5 Accepted'],
          ['203.0.113.10', '550 5.7.64 Relay access denied'],
        ] as const) {
          const wire = await connectAs(ingress, header(ip))
          await wire.reply()
          await wire.command('EHLO client.example')
          await wire.command('MAIL FROM:<a@ours.example>')
          assert.equal(await wire.command('RCPT TO:<b@foreign.example>'), reply)
          await wire.end()
        }
      },
    ))

  it('MAX_CONNECTIONS_PER_ADDRESS applies to the client\u2019s address of the header', () =>
    withProxies(loadBalancer, { settings: { MAX_CONNECTIONS_PER_ADDRESS: 1 } }, async (ingress) => {
      const first = await connectAs(ingress, header(partner))
      assert.equal(await first.reply(), greeting)
      const otherClient = await connectAs(ingress, header('203.0.113.10'))
      assert.equal(await otherClient.reply(), greeting)
      const second = await connectAs(ingress, header(partner))
      assert.match(await second.reply(), /^421 4\.7\.0 /)
      for (const wire of [first, otherClient, second]) await wire.end()
    }))

  it('MAX_CONNECTIONS_PER_ADDRESS applies to the /64 of an IPv6 client of the header', () =>
    withProxies(loadBalancer, { settings: { MAX_CONNECTIONS_PER_ADDRESS: 1 } }, async (ingress) => {
      const first = await connectAs(ingress, ipv6Header('20010db8000100020000000000000007'))
      assert.equal(await first.reply(), greeting)
      const sameNetwork = await connectAs(ingress, ipv6Header('20010db800010002ffff00000000abcd'))
      assert.match(await sameNetwork.reply(), /^421 4\.7\.0 /)
      const otherNetwork = await connectAs(ingress, ipv6Header('20010db8000100030000000000000007'))
      assert.equal(await otherNetwork.reply(), greeting)
      await otherNetwork.command('EHLO client.example')
      assert.match(await otherNetwork.send('Subject: hello\r\n\r\n'), /^250 /)
      assert.equal(ingress.queue.jobs[0]?.message.source?.ip, '2001:db8:1:3::7')
      for (const wire of [first, sameNetwork, otherNetwork]) await wire.end()
    }))

  it('a session with a LOCAL header has the address of the load balancer', () =>
    withProxies(loadBalancer, {}, async (ingress) => {
      const wire = await connectAs(ingress, header(partner, 1, 0x20))
      assert.equal(await wire.reply(), greeting)
      await wire.command('EHLO health.example')
      assert.match(await wire.send('Subject: hello\r\n\r\n'), /^250 /)
      assert.equal(ingress.queue.jobs[0]?.message.source?.ip, '127.0.0.1')
      await wire.end()
    }))

  it('commands in the segment of the header get 421, as octets before the greeting do', () =>
    withProxies(loadBalancer, {}, async (ingress) => {
      const wire = await connectAs(ingress, Buffer.concat([header(partner), Buffer.from('EHLO a\r\n')]))
      assert.equal(await wire.reply(), '421 4.5.1 Client spoke before the greeting')
      assert.equal(await wire.line(), null)
    }))

  for (const [description, octets] of [
    ['no header', Buffer.from('EHLO client.example\r\n')],
    ['a header of version 1', Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n')],
    ['a header over UDP', Buffer.from(header(partner)).fill(0x12, 13, 14)],
  ] as const)
    it(`the ingress closes a connection with ${description} without a reply, and logs that`, () =>
      withProxies(loadBalancer, {}, async (ingress) => {
        const wire = await connectAs(ingress, octets)
        assert.equal(await wire.line(), null)
        const line = await ingress.logged('connection closed: no valid PROXY protocol header')
        assert.equal(line.ip, '127.0.0.1')
      }))

  it('a header from another address than the load balancer\u2019s is read as SMTP', () =>
    withProxies(['10.0.0.0/8'], {}, async (ingress) => {
      const early = await connectAs(ingress, header(partner))
      assert.equal(await early.reply(), '421 4.5.1 Client spoke before the greeting')
      const late = await ingress.connect()
      assert.equal(await late.reply(), greeting)
      late.write(Buffer.concat([header(partner), Buffer.from('\r\n')]))
      for (const line of ['an empty line', 'another empty line', 'NUL', 'QUIT that ends in LF', 'addresses'])
        assert.match(await late.reply(), /^500 5\.5\.2 /, line)
      await late.command('EHLO client.example')
      assert.match(await late.send('Subject: hello\r\n\r\n'), /^250 /)
      assert.equal(ingress.queue.jobs[0]?.message.source?.ip, '127.0.0.1')
      await late.end()
    }))
})
