import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply } from '../../../shared/mail/reply.ts'
import { causeOf, replyForFault, type SmtpFault } from '../../../shared/net/smtp-faults.ts'

const ended = (cause: string): SmtpFault => ({ kind: 'Ended', cause })
const refused = (response: string): SmtpFault => ({ kind: 'Refused', response })
const unexpected = (response: string): SmtpFault => ({ kind: 'UnexpectedReply', response })

const rows: [condition: string, fault: SmtpFault, said: string][] = [
  ['connection timed out', ended('ETIMEDOUT'), '451 4.4.315 Connection timed out'],
  ['connection refused', ended('ECONNREFUSED'), '451 4.4.316 Connection refused'],
  ['no route to the host', ended('EHOSTUNREACH'), '451 4.4.317 Next hop is unreachable: EHOSTUNREACH'],
  [
    'no route to the network of the host',
    ended('ENETUNREACH'),
    '451 4.4.317 Next hop is unreachable: ENETUNREACH',
  ],
  [
    'no local address of the address family',
    ended('EADDRNOTAVAIL'),
    '451 4.4.317 Next hop is unreachable: EADDRNOTAVAIL',
  ],
  ['port blocked by a local firewall', ended('EACCES'), '451 4.4.317 Next hop is unreachable: EACCES'],
  ['connection reset', ended('ECONNRESET'), '451 4.4.318 Connection closed by the next hop: ECONNRESET'],
  [
    'error without a code',
    ended(causeOf(new Error('it broke'))),
    '451 4.4.318 Connection closed by the next hop: it broke',
  ],
  ['refusal by the server', refused('550 5.1.1 No such user'), '550 5.1.1 No such user'],
  ['refusal by the server without an enhanced status code', refused('421 bye'), '421 bye'],
  ['invalid reply', refused('hello'), '451 4.5.0 Next hop did not speak SMTP: hello'],
  [
    'unexpected success reply',
    refused('250 2.0.0 fine'),
    '451 4.5.0 Next hop did not speak SMTP: 250 2.0.0 fine',
  ],
  ['temporary refusal without a command', unexpected('421 4.3.2 Closing'), '421 4.3.2 Closing'],
  [
    'permanent refusal without a command',
    unexpected('554 5.7.1 Spam'),
    '451 4.5.0 Next hop did not speak SMTP: 554 5.7.1 Spam',
  ],
]

describe('the reply for a failed attempt', () => {
  for (const [title, fault, expected] of rows)
    it(`is "${expected}" after the fault: ${title}`, () =>
      assert.equal(formatReply(replyForFault(fault)), expected))
})
