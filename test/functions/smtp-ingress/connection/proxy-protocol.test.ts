import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  crc32c,
  readProxyHeader,
  trustedProxyMatcher,
} from '../../../../functions/smtp-ingress/connection/proxy-protocol.ts'

const signature = '0d0a0d0a000d0a515549540a'

/** @param block hexadecimal octets after the length */
function header(command: number, family: number, block: string): Buffer {
  const octets = Buffer.from(block, 'hex')
  const fixedPart = Buffer.alloc(16)
  fixedPart.write(signature, 'hex')
  fixedPart[12] = command
  fixedPart[13] = family
  fixedPart.writeUInt16BE(octets.length, 14)
  return Buffer.concat([fixedPart, octets])
}

/** 198.51.100.7:51234 to 192.0.2.1:25 */
const ipv4Addresses = 'c6336407c0000201c8220019'
/** [2001:db8::7]:51234 to [2001:db8::1]:25 */
const ipv6Addresses = '20010db800000000000000000000000720010db8000000000000000000000001c8220019'
/** The same as `ipv4Addresses`, with an IPv4-mapped client: [::ffff:198.51.100.7]:51234 to [2001:db8::1]:25 */
const mappedAddresses = '00000000000000000000ffffc633640720010db8000000000000000000000001c8220019'
const extension = (type: number, value: Buffer) =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value]).toString('hex')

/** An AWS VPC endpoint (type EA), then padding (type 04). */
const extensions =
  extension(0xea, Buffer.from('\x01vpce-08d2bf15fac5001c9')) + extension(0x04, Buffer.from([0xff, 0xff]))

/** Adds an extension with a correct checksum: type 03, four octets. */
function withChecksum(octets: Buffer): Buffer {
  const headerOctets = Buffer.concat([octets, Buffer.from('03000400000000', 'hex')])
  headerOctets.writeUInt16BE(headerOctets.length - 16, 14)
  headerOctets.writeUInt32BE(crc32c(headerOctets), headerOctets.length - 4)
  return headerOctets
}

const peer = { ip: '198.51.100.7', port: 51234 }
const peer6 = { ip: '2001:db8::7', port: 51234 }

describe('a PROXY protocol header', () => {
  const validHeaders: [description: string, octets: Buffer, source: { ip: string; port: number } | null][] = [
    ['over IPv4', header(0x21, 0x11, ipv4Addresses), peer],
    ['over IPv6', header(0x21, 0x21, ipv6Addresses), peer6],
    ['with an IPv4-mapped IPv6 address', header(0x21, 0x21, mappedAddresses), peer],
    ['with extensions', header(0x21, 0x11, `${ipv4Addresses}${extensions}`), peer],
    ['with an empty extension', header(0x21, 0x11, `${ipv4Addresses}040000`), peer],
    ['with a checksum', withChecksum(header(0x21, 0x11, ipv4Addresses)), peer],
    [
      'over IPv6 with a checksum after extensions',
      withChecksum(header(0x21, 0x21, `${ipv6Addresses}${extensions}`)),
      peer6,
    ],
    ['of maximum length', header(0x21, 0x11, `${ipv4Addresses}040fe1${'00'.repeat(0xfe1)}`), peer],
    ['LOCAL, of the load balancer itself,', header(0x20, 0x00, ''), null],
    ['LOCAL with addresses', header(0x20, 0x11, ipv4Addresses), null],
    ['LOCAL with invalid addresses', header(0x20, 0x31, 'ff'), null],
  ]
  for (const [description, octets, source] of validHeaders) {
    it(`${description} is read, and the octets after it are not`, () => {
      assert.deepEqual(readProxyHeader(octets), { source, length: octets.length })
      const more = Buffer.concat([octets, Buffer.from('EHLO a\r\n')])
      assert.deepEqual(readProxyHeader(more), { source, length: octets.length })
    })

    it(`${description} needs more octets while it is incomplete`, () => {
      for (let length = 0; length < octets.length; length++) {
        const result = readProxyHeader(octets.subarray(0, length))
        assert.deepEqual(result, { need: length < 16 ? 16 : octets.length }, `after ${length}`)
      }
    })
  }

  const withFlippedBit = (octets: Buffer, at: number) => {
    const copy = Buffer.from(octets)
    copy[at] = (copy[at] as number) ^ 1
    return copy
  }
  const twoChecksums = withChecksum(withChecksum(header(0x21, 0x11, ipv4Addresses)))
  const invalidHeaders: [description: string, octets: Buffer, fault: RegExp][] = [
    [
      'of version 1',
      Buffer.from('PROXY TCP4 198.51.100.7 192.0.2.1 51234 25\r\n'),
      /^no PROXY protocol header/,
    ],
    ['that is an SMTP command', Buffer.from('EHLO client.example\r\n'), /^no PROXY protocol header/],
    ['that is an empty line', Buffer.from('\r\nEHLO'), /^no PROXY protocol header/],
    [
      'with a wrong last octet of the signature',
      withFlippedBit(header(0x21, 0x11, ipv4Addresses), 11),
      /^no PROXY protocol header/,
    ],
    ['of version 1 in binary', header(0x11, 0x11, ipv4Addresses), /version or command/],
    ['of version 3', header(0x31, 0x11, ipv4Addresses), /version or command/],
    ['with an unknown command', header(0x22, 0x11, ipv4Addresses), /version or command/],
    ['over UDP', header(0x21, 0x12, ipv4Addresses), /not for TCP/],
    ['over UDP and IPv6', header(0x21, 0x22, ipv6Addresses), /not for TCP/],
    ['over a Unix socket', header(0x21, 0x31, '00'.repeat(216)), /not for TCP/],
    ['of an unknown family', header(0x21, 0x00, ipv4Addresses), /not for TCP/],
    ['without addresses', header(0x21, 0x11, ''), /no addresses/],
    ['that ends within its addresses', header(0x21, 0x11, ipv4Addresses.slice(0, -2)), /no addresses/],
    ['over IPv6 with IPv4 addresses', header(0x21, 0x21, ipv4Addresses), /no addresses/],
    ['with an extension of one octet', header(0x21, 0x11, `${ipv4Addresses}04`), /truncated/],
    ['with an extension of two octets', header(0x21, 0x11, `${ipv4Addresses}0400`), /truncated/],
    ['with an extension longer than the header', header(0x21, 0x11, `${ipv4Addresses}040002ff`), /truncated/],
    ['with a checksum of another length', header(0x21, 0x11, `${ipv4Addresses}0300020000`), /checksum/],
    [
      'with a truncated checksum',
      header(0x21, 0x11, `${ipv4Addresses}0300040000000000`.slice(0, -2)),
      /checksum/,
    ],
    [
      'whose checksum is damaged',
      withFlippedBit(withChecksum(header(0x21, 0x11, ipv4Addresses)), 34),
      /checksum/,
    ],
    [
      'whose address does not match its checksum',
      withFlippedBit(withChecksum(header(0x21, 0x11, ipv4Addresses)), 17),
      /checksum/,
    ],
    ['whose first of two checksums is wrong', twoChecksums, /checksum/],
    ['that is too long', header(0x21, 0x11, `${ipv4Addresses}040fe2${'00'.repeat(0xfe2)}`), /: 4097 octets/],
    ['that announces 64 KiB', header(0x21, 0x11, '00'.repeat(0xffff)).subarray(0, 16), /65551 octets/],
    ['LOCAL that is too long', header(0x20, 0, '00'.repeat(0xfff)), /4111 octets/],
  ]
  for (const [description, octets, fault] of invalidHeaders)
    it(`${description} is refused`, () => {
      const result = readProxyHeader(octets)
      assert.ok('fault' in result, JSON.stringify(result))
      assert.match(result.fault, fault)
    })

  it('of any octets is read or refused, or needs at most 4096 octets', () => {
    const random = fc.uint8Array({ maxLength: 300 })
    const validStart = fc
      .tuple(fc.constantFrom(0x20, 0x21), fc.constantFrom(0x11, 0x21, 0x12), random)
      .map(([command, family, block]) => header(command, family, Buffer.from(block).toString('hex')))
    const octets = fc.oneof(
      random.map((block) => Buffer.from(block)),
      validStart,
      fc.tuple(validStart, fc.nat(320)).map(([headerOctets, length]) => headerOctets.subarray(0, length)),
    )
    fc.assert(
      fc.property(octets, (input) => {
        const result = readProxyHeader(input)
        if ('need' in result) assert.ok(result.need > input.length && result.need <= 4096)
        else if ('fault' in result) assert.match(result.fault, /PROXY/)
        else assert.ok(result.length >= 16 && result.length <= input.length)
      }),
    )
  })

  it('with a checksum is refused when one bit is changed, except in the type of the checksum', () => {
    const octets = withChecksum(header(0x21, 0x21, `${ipv6Addresses}${extensions}`))
    for (let at = 0; at < octets.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const copy = Buffer.from(octets)
        copy[at] = (copy[at] as number) ^ (1 << bit)
        const result = readProxyHeader(copy)
        const isAccepted = 'source' in result && result.source !== null
        // With another type the checksum becomes an ordinary extension.
        assert.ok(
          !isAccepted || at === octets.length - 7,
          `octet ${at}, bit ${bit}: ${JSON.stringify(result)}`,
        )
      }
  })
})

describe('the CRC-32C', () => {
  const vectors: [description: string, octets: Buffer, checksum: number][] = [
    ['nine digits', Buffer.from('123456789'), 0xe3069283],
    ['32 octets of zero', Buffer.alloc(32), 0x8a9136aa],
    ['32 octets with all bits set', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['the octets 0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['no octets', Buffer.alloc(0), 0],
  ]
  for (const [description, octets, checksum] of vectors)
    it(`of ${description} equals the published value`, () => assert.equal(crc32c(octets), checksum))
})

describe('the addresses of trusted proxies', () => {
  const ranges = ['10.0.0.0/24', '10.0.1.7/32', '2001:db8:1::/64']
  const isTrusted = trustedProxyMatcher(ranges)
  const rows: [ip: string, trusted: boolean][] = [
    ['10.0.0.1', true],
    ['10.0.0.255', true],
    ['::ffff:10.0.0.1', true],
    ['10.0.1.7', true],
    ['10.0.1.8', false],
    ['10.0.2.0', false],
    ['2001:db8:1::5', true],
    ['2001:db8:2::5', false],
    ['127.0.0.1', false],
    ['::10.0.0.1', false],
    ['', false],
    ['nonsense', false],
  ]
  for (const [ip, trusted] of rows)
    it(`[${ranges.join(', ')}] ${trusted ? 'include' : 'do not include'} "${ip}"`, () =>
      assert.equal(isTrusted(ip), trusted))

  it('[] include none', () => assert.equal(trustedProxyMatcher([])('10.0.0.1'), false))

  for (const range of ['10.0.0.1', '10.0.0.0/33', '2001:db8::/129', 'example.com', '', '10.0.0.0/'])
    it(`cannot be given as "${range}"`, () =>
      assert.throws(() => trustedProxyMatcher(['10.0.0.0/8', range]), {
        message: new RegExp(`^"${range}" is not an IP range`),
      }))
})
