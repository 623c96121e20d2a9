import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withoutForgedFields } from '../../../shared/mail/forged-fields.ts'

const hostname = 'mail.ours.example'
const clean = (text: string): string =>
  withoutForgedFields(Buffer.from(text, 'latin1'), hostname).toString('latin1')
const around = (field: string): string =>
  `Subject: Hello\r\n${field}To: b@ours.example\r\n\r\nBody\r\nX-SES-A: stays\r\n`

describe('a client cannot send', () => {
  for (const field of [
    'X-SES-CONFIGURATION-SET: mine\r\n',
    'x-ses-configuration-set: mine\r\n',
    'X-SES-CONFIGURATION-SET : mine\r\n',
    'X-SES-MESSAGE-TAGS: a=b,\r\n c=d\r\n',
    'X-SES-SOURCE-ARN:arn:aws:ses:x\r\n',
    'X-SES-CONFIGURATION-SET: a\r\nX-Ses-Configuration-Set: b\r\n',
    'Authentication-Results: mail.ours.example; spf=pass\r\n',
    'authentication-results : MAIL.OURS.EXAMPLE 1; dkim=pass\r\n',
    'Authentication-Results:\r\n mail.ours.example;\r\n dmarc=pass\r\n',
    'Authentication-Results: (really) mail.ours.example; spf=pass\r\n',
    'Authentication-Results: ((a) b) mail.ours.example (c); spf=pass\r\n',
    'Authentication-Results: "mail.ours.example"; spf=pass\r\n',
    'Authentication-Results: "mail\\.ours.example"; spf=pass\r\n',
    'Authentication-Results: (no end mail.ours.example; spf=pass\r\n',
    'X-SES-CONFIGURATION-SET\r\n : mine\r\n',
    'X-SES-CONFIGURATION-SET\t \r\n\t: mine\r\n',
    '\x0bX-SES-CONFIGURATION-SET: mine\r\n',
    '\x01X-SES-CONFIGURATION-SET\x0c: mine\r\n',
    'Authentication-Results\r\n : mail.ours.example; spf=pass\r\n',
    'Authentication-Results\x0b: mail.ours.example; spf=pass\r\n',
    'Authentication-\0Results: mail.ours.example; spf=pass\r\n',
    'Authentication-Res\xadults: mail.ours.example; spf=pass\r\n',
    'X-S\x80ES-CONFIGURATION-SET: mine\r\n',
    'Received-\r\n SPF: pass receiver=mail.ours.example\r\n',
    'Authentication-Results: mail.ours.example.; spf=pass\r\n',
    'Authentication-Results: " mail.ours.example"; spf=pass\r\n',
    'Authentication-Results: mail.ours(x).example; spf=pass\r\n',
    'Received-SPF: pass (mail.ours.example: permitted) receiver=mail.ours.example; client-ip=192.0.2.1\r\n',
    'received-spf : Pass client-ip=192.0.2.1;\r\n receiver = "MAIL.OURS.EXAMPLE."\r\n',
    'Received-SPF: pass receiver(x)=mail.ours.example\r\n',
    'Received-SPF: pass receiver=mail.ours\\.example\r\n',
    'Received-SPF: pass (no end receiver=mail.ours.example\r\n',
  ])
    it(JSON.stringify(field), () => assert.equal(clean(around(field)), around('')))
})

describe('a client can send', () => {
  for (const field of [
    'Authentication-Results: mx.elsewhere.example; spf=pass\r\n',
    'Authentication-Results: mx.elsewhere.example (mail.ours.example); spf=pass\r\n',
    'ARC-Authentication-Results: i=1; mail.ours.example; spf=pass\r\n',
    'Received-SPF: pass (mail.ours.example) receiver=mx.elsewhere.example\r\n',
    'Received-SPF: fail\r\n',
    'X-Session: 1\r\n',
    'Comments: x\r\n X-SES-A: folded\r\n',
    '',
  ])
    it(JSON.stringify(field), () => assert.equal(clean(around(field)), around(field)))

  it('octets that are not text, unchanged', () => {
    const octets = Buffer.concat([
      Buffer.from('X-SES-A: b\r\nSubject: '),
      Buffer.from([0xff, 0xfe, 13, 10, 13, 10, 0x80]),
    ])
    assert.deepEqual(withoutForgedFields(octets, hostname), octets.subarray('X-SES-A: b\r\n'.length))
  })

  it('a message without body or empty line', () =>
    assert.equal(clean('X-SES-A: b\r\nSubject: c\r\n'), 'Subject: c\r\n'))

  it('a message without header', () => assert.equal(clean('\r\nX-SES-A: b\r\n'), '\r\nX-SES-A: b\r\n'))
})

describe('a header of 256 KiB is cleaned in a short time', () => {
  const size = 262_144
  const headers: [title: string, header: string][] = [
    ['with such a field on each line', 'X-SES-A: b\r\n'.repeat(size / 12)],
    [
      'with one field of nested comments',
      `Authentication-Results: ${'('.repeat(size / 2)}${')'.repeat(size / 2)}\r\n`,
    ],
    ['with nested comments without end', `Authentication-Results: ${'('.repeat(size)}\r\n`],
    [
      'with nested comments in folded lines',
      `Authentication-Results: ${'(\r\n '.repeat(size / 8)}${')\r\n '.repeat(size / 8)}\r\n`,
    ],
    ['with a name and spaces without a colon', `X-SES-A: b\r\n${`a${' '.repeat(65_000)}\r\n`.repeat(4)}`],
    ['with a line of backslashes', `Authentication-Results: ${'\\'.repeat(size)}\r\n`],
  ]
  for (const [title, header] of headers)
    it(title, () => {
      const begin = performance.now()
      clean(`${header}Subject: c\r\n\r\n`)
      const ms = performance.now() - begin
      assert.ok(ms < 500, `${ms} ms`)
    })
})
