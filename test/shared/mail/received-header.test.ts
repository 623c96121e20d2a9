import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { noTls } from '../../../shared/contract/message.ts'
import { type ReceivedFields, receivedHeader } from '../../../shared/mail/received-header.ts'
import { overTls, overTlsWith } from '../../support/fixtures.ts'

const hop = (fields: Partial<ReceivedFields> = {}): ReceivedFields => ({
  helo: 'client.example',
  ip: '192.0.2.1',
  by: 'mx.ours.example',
  id: '01KF0CVZT0ABCDEFGHJKMNPQRS',
  esmtp: true,
  smtpUtf8: false,
  tls: noTls,
  recipient: null,
  at: new Date('2026-01-05T12:00:00Z'),
  ...fields,
})

const lines = (fields: Partial<ReceivedFields>) => receivedHeader(hop(fields)).split('\r\n')

test('the Received field of a TLS session names protocol, cipher, client certificate and a single recipient', () => {
  assert.deepEqual(lines({ tls: overTlsWith({ trusted: false }), recipient: 'b@ours.example' }), [
    'Received: from client.example ([192.0.2.1])',
    '\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)',
    '\t(client certificate "mail.contoso.example", not verified)',
    '\tby mx.ours.example with ESMTPS id 01KF0CVZT0ABCDEFGHJKMNPQRS',
    '\tfor <b@ours.example>',
    '\ttls TLS_AES_256_GCM_SHA384;',
    '\tMon, 05 Jan 2026 12:00:00 +0000',
    '',
  ])
})

test('the Received field for several recipients has no for clause, and the tls clause follows the id', () => {
  assert.deepEqual(lines({ tls: overTls }).slice(2), [
    '\tby mx.ours.example with ESMTPS id 01KF0CVZT0ABCDEFGHJKMNPQRS',
    '\ttls TLS_AES_256_GCM_SHA384;',
    '\tMon, 05 Jan 2026 12:00:00 +0000',
    '',
  ])
})

test('the Received field of a session in the clear has no tls clause', () => {
  assert.deepEqual(lines({}), [
    'Received: from client.example ([192.0.2.1])',
    '\tby mx.ours.example with ESMTP id 01KF0CVZT0ABCDEFGHJKMNPQRS;',
    '\tMon, 05 Jan 2026 12:00:00 +0000',
    '',
  ])
})

const protocols: [name: string, fields: Partial<ReceivedFields>, protocol: string][] = [
  ['HELO', { esmtp: false }, 'SMTP'],
  ['EHLO', {}, 'ESMTP'],
  ['EHLO over TLS', { tls: overTls }, 'ESMTPS'],
  ['HELO over TLS', { esmtp: false, tls: overTls }, 'ESMTPS'],
  ['SMTPUTF8', { smtpUtf8: true }, 'UTF8SMTP'],
  ['SMTPUTF8 over TLS', { smtpUtf8: true, tls: overTls }, 'UTF8SMTPS'],
]

for (const [name, fields, protocol] of protocols)
  test(`the Received field after ${name} has "with ${protocol}"`, () =>
    assert.match(receivedHeader(hop(fields)), new RegExp(` with ${protocol} id `)))

const helos: [helo: string, expected: string][] = [
  ['mail.contoso.example', 'mail.contoso.example'],
  ['[192.0.2.7]', '[192.0.2.7]'],
  ['[IPv6:2001:db8::1]', '[IPv6:2001:db8::1]'],
  ['evil (by mx.ours.example)', 'unknown'],
  ['evil;', 'unknown'],
  ['', 'unknown'],
]

for (const [helo, expected] of helos)
  test(`the Received field has the HELO name "${helo}" as ${expected}`, () =>
    assert.equal(lines({ helo })[0], `Received: from ${expected} ([192.0.2.1])`))

test('the Received field has an IPv6 address in the form of RFC 5321 §4.1.3', () =>
  assert.equal(lines({ ip: '2001:db8::1' })[0], 'Received: from client.example ([IPv6:2001:db8::1])'))

test('the Received field has a non-ASCII recipient only with SMTPUTF8', () => {
  assert.doesNotMatch(receivedHeader(hop({ recipient: 'jörg@ours.example' })), /for </)
  assert.match(
    receivedHeader(hop({ recipient: 'jörg@ours.example', smtpUtf8: true })),
    /\tfor <jörg@ours\.example>;/,
  )
})

test('no text from a client adds a line, a comment or a control character to the Received field', () => {
  const evil = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('a\r\nX-Injected: yes', 'a) (b', 'a\\', '\0', '"; evil', '\u2028', '<b>'),
  )
  fc.assert(
    fc.property(evil, evil, evil, (helo, commonName, recipient) => {
      const header = receivedHeader(hop({ helo, tls: overTlsWith({ commonName }), recipient }))
      const text = header.replaceAll('\r\n\t', ' ')
      assert.match(text, /^Received: from \P{Cc}*\r\n$/u)
      assert.match(
        text,
        /^Received: from [\w.:[\]-]+ \(\[192\.0\.2\.1\]\) \(using [^()]*\) \(client certificate "[^()"\\]*", verified\) by mx\.ours\.example with ESMTPS id \w{26}( for <[!-;=?-~]+>)? tls TLS_AES_256_GCM_SHA384; Mon/,
      )
      for (const line of header.split('\r\n')) assert.ok(Buffer.byteLength(line) <= 998)
    }),
    { numRuns: 1000 },
  )
})
