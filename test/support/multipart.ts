/** Parses a multipart message strictly. A violation of RFC 2046 fails the test. */
import assert from 'node:assert/strict'

export interface MimePart {
  type: string
  encoding: string
  /** The decoded body. */
  octets: Buffer
  text: string
}

export function readMultipart(message: Buffer): { headers: Map<string, string>; parts: MimePart[] } {
  const [head, body] = atEmptyLine(message)
  const headers = readFields(head)
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1]
  assert.ok(boundary, 'no boundary')
  const sections = `\r\n${body.toString('latin1')}`.split(`\r\n--${boundary}`)
  assert.equal(sections.shift(), '', 'something stands before the first part')
  assert.equal(sections.pop(), '--\r\n', 'the last part is not closed')
  return { headers, parts: sections.map((section) => readPart(Buffer.from(section.slice(2), 'latin1'))) }
}

function readPart(section: Buffer): MimePart {
  const [head, body] = atEmptyLine(section)
  const fields = readFields(head)
  const encoding = fields.get('content-transfer-encoding') ?? '7bit'
  const octets = encoding === 'quoted-printable' ? fromQuotedPrintable(body) : body
  if (encoding === '7bit') assert.ok(!/[^\0-\x7f]/.test(body.toString('latin1')), 'eight-bit octets in 7bit')
  for (const line of body.toString('latin1').split('\r\n'))
    assert.ok(line.length <= 998, 'a line is too long')
  return { type: fields.get('content-type') ?? '', encoding, octets, text: octets.toString() }
}

function atEmptyLine(octets: Buffer): [Buffer, Buffer] {
  const end = octets.indexOf('\r\n\r\n')
  assert.ok(end >= 0, 'no empty line')
  return [octets.subarray(0, end), octets.subarray(end + 4)]
}

function readFields(head: Buffer): Map<string, string> {
  const lines = head
    .toString()
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      assert.ok(colon > 0, `no field: ${line}`)
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
}

function fromQuotedPrintable(body: Buffer): Buffer {
  const text = body.toString('latin1')
  assert.match(text, /^(?:[\t -<>-~]|=[0-9A-F]{2}|=\r\n|\r\n)*$/, 'not quoted-printable')
  const joined = text.replaceAll('=\r\n', '')
  return Buffer.from(
    joined.replace(/=([0-9A-F]{2})/g, (_, hexadecimal) =>
      String.fromCharCode(Number.parseInt(hexadecimal, 16)),
    ),
    'latin1',
  )
}
