import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply } from '../../../shared/mail/reply.ts'
import { replyForError, type SmtpError } from '../../../shared/net/smtp-errors.ts'

const rows: [condition: string, fields: Partial<SmtpError>, said: string][] = [
  ['connection timed out', { code: 'ETIMEDOUT' }, '451 4.4.315 Connection timed out'],
  ['connection refused', { originalCode: 'ECONNREFUSED' }, '451 4.4.316 Connection refused'],
  [
    'no route to the host',
    { originalCode: 'EHOSTUNREACH' },
    '451 4.4.317 Next hop is unreachable: EHOSTUNREACH',
  ],
  [
    'no route to the network of the host',
    { originalCode: 'ENETUNREACH' },
    '451 4.4.317 Next hop is unreachable: ENETUNREACH',
  ],
  [
    'no local address of the address family',
    { code: 'EADDRNOTAVAIL' },
    '451 4.4.317 Next hop is unreachable: EADDRNOTAVAIL',
  ],
  ['port blocked by a local firewall', { code: 'EACCES' }, '451 4.4.317 Next hop is unreachable: EACCES'],
  [
    'connection reset',
    { code: 'ECONNECTION', originalCode: 'ECONNRESET' },
    '451 4.4.318 Connection closed by the next hop: ECONNRESET',
  ],
  ['error without a code', {}, '451 4.4.318 Connection closed by the next hop: it broke'],
  [
    'refusal by the server',
    { code: 'EENVELOPE', response: '550 5.1.1 No such user' },
    '550 5.1.1 No such user',
  ],
  ['refusal by the server without an enhanced status code', { response: '421 bye' }, '421 bye'],
  ['invalid reply', { response: 'hello' }, '451 4.5.0 Next hop did not speak SMTP: hello'],
  [
    'unexpected success reply',
    { response: '250 2.0.0 fine' },
    '451 4.5.0 Next hop did not speak SMTP: 250 2.0.0 fine',
  ],
]

describe('the reply for a failed attempt', () => {
  for (const [title, fields, expected] of rows)
    it(`is "${expected}" after the error: ${title}`, () =>
      assert.equal(formatReply(replyForError(Object.assign(new Error('it broke'), fields))), expected))
})
