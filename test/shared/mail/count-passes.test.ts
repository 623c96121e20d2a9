import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noTls } from '../../../shared/contract/message.ts'
import { countPasses } from '../../../shared/mail/count-passes.ts'
import { receivedHeader } from '../../../shared/mail/received-header.ts'

const own = (helo = 'client.example') =>
  receivedHeader({
    ...{ helo, ip: '192.0.2.1', by: 'mx.ours.example', id: '1', esmtp: true, smtpUtf8: false, tls: noTls },
    ...{ recipient: 'a@ours.example', at: new Date(0) },
  })

const rows: [title: string, header: string, passes: number][] = [
  ['no field', 'Subject: by mx.ours.example\r\n', 0],
  ['its own fields', `${own()}Subject: a\r\n${own()}`, 2],
  ['its own field with the HELO name "by"', own('by'), 1],
  ['another letter case', 'RECEIVED: from a BY MX.Ours.Example with SMTP;\r\n now\r\n', 1],
  ['a field that was folded again', 'Received: from a by\r\n\tmx.ours.example\r\n\twith SMTP; now\r\n', 1],
  ['a space before the colon', 'Received : from a by mx.ours.example; now\r\n', 1],
  ['a comment after the name', 'Received: from a by mx.ours.example(mailflow); now\r\n', 1],
  ['the field of another server', 'Received: from mx.ours.example by mx.elsewhere.example; now\r\n', 0],
  ['a longer name', 'Received: from a by mx.ours.example.net; now\r\n', 0],
  ['the name twice in a field', 'Received: by mx.ours.example by mx.ours.example; now\r\n', 1],
  ['a field of another name', 'X-Received: by mx.ours.example; now\r\n', 0],
]
for (const [title, header, passes] of rows)
  test(`countPasses counts ${passes} for ${title}`, () =>
    assert.equal(countPasses(Buffer.from(header), 'mx.ours.example'), passes))

test('a header of 256 KiB is counted in a short time', () => {
  for (const value of [' by '.repeat(65_000), `by${' '.repeat(260_000)}`, 'by\r\n '.repeat(50_000)])
    assert.equal(countPasses(Buffer.from(`Received: ${value}mx.ours.example\r\n`), 'mx.ours.example'), 1)
})
