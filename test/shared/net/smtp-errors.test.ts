import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply } from '../../../shared/mail/reply.ts'
import { replyForError, type SmtpError } from '../../../shared/net/smtp-errors.ts'

const rows: [condition: string, fields: Partial<SmtpError>, said: string][] = [
  ['a connection that timed out', { code: 'ETIMEDOUT' }, '451 4.4.315 Connection timed out'],
  ['a refused connection', { originalCode: 'ECONNREFUSED' }, '451 4.4.316 Connection refused'],
  [
    'no route to a host',
    { originalCode: 'EHOSTUNREACH' },
    '451 4.4.317 Next hop is unreachable: EHOSTUNREACH',
  ],
  [
    'no route to its network',
    { originalCode: 'ENETUNREACH' },
    '451 4.4.317 Next hop is unreachable: ENETUNREACH',
  ],
  [
    'an address family without a local address',
    { code: 'EADDRNOTAVAIL' },
    '451 4.4.317 Next hop is unreachable: EADDRNOTAVAIL',
  ],
  ['a port that a local firewall blocks', { code: 'EACCES' }, '451 4.4.317 Next hop is unreachable: EACCES'],
  [
    'a connection that broke',
    { code: 'ECONNECTION', originalCode: 'ECONNRESET' },
    '451 4.4.318 Connection closed by the next hop: ECONNRESET',
  ],
  ['an error without a code', {}, '451 4.4.318 Connection closed by the next hop: it broke'],
  [
    "the server's own refusal",
    { code: 'EENVELOPE', response: '550 5.1.1 No such user' },
    '550 5.1.1 No such user',
  ],
  ['a refusal without an enhanced code', { response: '421 bye' }, '421 bye'],
  ['an invalid reply', { response: 'hello' }, '451 4.5.0 Next hop did not speak SMTP: hello'],
  [
    'an unexpected success reply',
    { response: '250 2.0.0 fine' },
    '451 4.5.0 Next hop did not speak SMTP: 250 2.0.0 fine',
  ],
]

describe('an attempt that failed by', () => {
  for (const [title, fields, expected] of rows)
    it(`${title} becomes ${expected}`, () =>
      assert.equal(formatReply(replyForError(Object.assign(new Error('it broke'), fields))), expected))
})
