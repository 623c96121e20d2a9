import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  formatMailCommand,
  formatRecipientCommand,
  parseExtensions,
  traitsOf,
} from '../../../shared/net/esmtp.ts'
import { message, recipient } from '../../support/fixtures.ts'

const envelopeWith = (envid: string | null) => ({
  ...message().envelope,
  dsn: { ret: null, envid },
})

describe('the extensions in a reply to EHLO', () => {
  const rows: [string, string, [string, string][]][] = [
    [
      'are the lines after the first, in capitals',
      '250-SIZE.example\n250-SIZE 100\n250 8bitmime',
      [
        ['SIZE', '100'],
        ['8BITMIME', ''],
      ],
    ],
    ['are none when the reply has one line, as to HELO', '250 DSN.example', []],
    ['have all their parameters', '250-x\n250 AUTH PLAIN  LOGIN', [['AUTH', 'PLAIN LOGIN']]],
  ]
  for (const [title, reply, expected] of rows) {
    it(title, () => assert.deepEqual([...parseExtensions(reply)], expected))
  }
})

describe('the commands MAIL and RCPT', () => {
  const dsn = parseExtensions('250-x\n250 DSN')

  it('are one line of printable ASCII for any ENVID and ORCPT', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const traits = traitsOf(envelopeWith(text), [], Buffer.alloc(0))
        assert.match(
          formatMailCommand(traits, dsn),
          /^MAIL FROM:<a@elsewhere\.example>( ENVID=[!-*,-<>-~+]+)?$/,
        )
        const command = formatRecipientCommand(recipient({ address: 'b@ours.example', orcpt: text }), dsn)
        assert.match(command, /^RCPT TO:<b@ours\.example>( ORCPT=[!-~]+)?$/)
      }),
    )
  })

  it('have no DSN parameters when the server does not announce DSN', () => {
    const none = parseExtensions('250 x')
    assert.equal(
      formatMailCommand(traitsOf(envelopeWith('id'), [], Buffer.alloc(0)), none),
      'MAIL FROM:<a@elsewhere.example>',
    )
    const command = formatRecipientCommand(recipient({ notify: ['NEVER'], orcpt: 'rfc822;x@y' }), none)
    assert.equal(command, 'RCPT TO:<b@ours.example>')
  })
})

describe('the extensions that a message needs', () => {
  const ascii = Buffer.from('Subject: x\r\n\r\nbody\r\n')
  const utf8Body = Buffer.from('Subject: x\r\n\r\né\r\n')
  const utf8Header = Buffer.from('Subject: é\r\n\r\nbody\r\n')
  const rows: [string, Buffer, boolean, string, boolean, boolean][] = [
    [
      'none when all is ASCII, even if the client declared SMTPUTF8',
      ascii,
      true,
      'b@ours.example',
      false,
      false,
    ],
    ['8BITMIME for a body in UTF-8', utf8Body, true, 'b@ours.example', true, false],
    ['8BITMIME and SMTPUTF8 for a header field in UTF-8', utf8Header, true, 'b@ours.example', true, true],
    [
      'only 8BITMIME for a header field in UTF-8 when the client did not declare SMTPUTF8',
      utf8Header,
      false,
      'b@ours.example',
      true,
      false,
    ],
    ['SMTPUTF8 for an address in UTF-8', ascii, true, 'é@ours.example', false, true],
  ]
  for (const [title, content, smtpUtf8, address, eightBit, internationalised] of rows) {
    it(`are ${title}`, () => {
      const traits = traitsOf({ ...message().envelope, smtpUtf8 }, [{ address }], content)
      assert.deepEqual([traits.isEightBit, traits.isInternationalised], [eightBit, internationalised])
    })
  }
})
