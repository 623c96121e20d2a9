import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { formatReply } from '../../../shared/mail/reply.ts'
import {
  classifySesError,
  isSesAccountFailure,
  replyForSesError,
  type SesErrorClass,
  sesErrors,
} from '../../../shared/net/ses-errors.ts'

const error = (name: string, message = 'because'): Error => Object.assign(new Error(message), { name })

const rows: [name: string, text: string, expected: SesErrorClass][] = [
  ['Throttling', 'Maximum sending rate exceeded.', 'Rate'],
  ['ThrottlingException', 'Rate exceeded', 'Rate'],
  ['TooManyRequestsException', 'Too Many Requests', 'Rate'],
  ['TooManyRequestsException', 'Daily message quota exceeded.', 'DailyQuota'],
  ['Throttling', 'Daily message quota exceeded.', 'DailyQuota'],
  ['LimitExceededException', 'Maximum sending rate exceeded.', 'Rate'],
  ['LimitExceededException', 'because', 'Service'],
  ['LimitExceeded', 'because', 'Service'],
  ['InvalidParameterValue', "Message length is more than 10485760 bytes long: '12078147'.", 'Size'],
  ['BadRequestException', "Message length is more than 41943040 bytes long: '50000000'.", 'Size'],
  [
    'MessageRejected',
    'Email address is not verified. The following identities failed the check in region EU-WEST-1: a@ours.example',
    'Account',
  ],
  ['MessageRejected', 'Account is paused', 'Account'],
  ['MessageRejected', 'Transaction failed: Expected a header', 'Message'],
  ['MailFromDomainNotVerifiedException', 'because', 'Account'],
  ['MailFromDomainNotVerified', 'because', 'Account'],
  ['AccountSendingPausedException', 'because', 'Account'],
  ['SendingPausedException', 'because', 'Account'],
  ['AccountSuspendedException', 'because', 'Account'],
  ['ProductionAccessNotGrantedException', 'because', 'Account'],
  ['OptInRequired', 'because', 'Account'],
  ['ConfigurationSetSendingPausedException', 'because', 'Account'],
  ['ConfigurationSetDoesNotExistException', 'because', 'Account'],
  ['ConfigurationSetDoesNotExist', 'because', 'Account'],
  ['NotFoundException', 'Configuration set x does not exist.', 'Account'],
  ['AccessDenied', 'because', 'Account'],
  ['AccessDeniedException', 'because', 'Account'],
  ['BadRequestException', 'Sending is paused for this configuration set', 'Account'],
  ['BadRequestException', 'Local address contains control or whitespace', 'Message'],
  ['InvalidParameterValue', 'Header section too long.', 'Message'],
  ['InvalidParameterCombination', 'because', 'Message'],
  ['MissingParameter', 'because', 'Message'],
  ['ValidationError', 'because', 'Message'],
  ['ExpiredToken', 'because', 'Service'],
  ['InternalFailure', 'because', 'Service'],
  ['InternalServiceErrorException', 'because', 'Service'],
  ['ServiceUnavailable', 'because', 'Service'],
  ['TimeoutError', 'because', 'Service'],
]

describe('an error of Amazon SES', () => {
  for (const [name, text, expected] of rows)
    it(`${name} with the text "${text}" has the class ${expected}`, () =>
      assert.equal(classifySesError(error(name, text)), expected))

  const replies: [name: string, text: string, reply: string][] = [
    ['MessageRejected', 'virus', '554 5.6.0 Amazon SES: MessageRejected: virus'],
    ['MessageRejected', 'Account is paused', '451 4.3.5 Amazon SES: MessageRejected: Account is paused'],
    [
      'BadRequestException',
      'Message length is more than 1',
      '552 5.3.4 Amazon SES: BadRequestException: Message length is more than 1',
    ],
    ['Throttling', 'x', '451 4.4.5 Amazon SES: Throttling: x'],
    [
      'Throttling',
      'Daily message quota exceeded.',
      '451 4.4.5 Amazon SES: Throttling: Daily message quota exceeded.',
    ],
    ['TimeoutError', 'x', '451 4.4.0 Amazon SES: TimeoutError: x'],
  ]
  for (const [name, text, reply] of replies)
    it(`${name} with the text "${text}" becomes ${reply.slice(0, 9)}`, () =>
      assert.equal(formatReply(replyForSesError(error(name, text))), reply))

  it('of the class Account is told apart from the same code of another next hop', () => {
    const reply = replyForSesError(error('NotFoundException'))
    assert.deepEqual(
      ['Amazon SES', 'mx.partner.example', null].map((host) => isSesAccountFailure({ host, reply })),
      [true, false, false],
    )
  })

  it('has a row for each row of the table', () => {
    const rowOf = (name: string, text: string) =>
      sesErrors.find(
        (row) =>
          (row.names?.includes(name.replace(/Exception$/, '')) ?? true) && (row.text?.test(text) ?? true),
      )
    assert.deepEqual(new Set(rows.map(([name, text]) => rowOf(name, text))), new Set(sesErrors))
  })

  for (const [client, command] of [
    ['client-ses', 'SendRawEmailCommand'],
    ['client-sesv2', 'SendEmailCommand'],
  ] as const)
    it(`has a row for each error that the SDK documents for ${command}`, () => {
      const main = createRequire(import.meta.url).resolve(`@aws-sdk/${client}`)
      const types = readFileSync(join(dirname(main), `../dist-types/commands/${command}.d.ts`), 'utf8')
      const names = [...types.matchAll(/@throws \{@link (\w+)\} \(/g)].map(([, name = '']) => name)
      assert.ok(names.length >= 5)
      const tested = new Set(rows.map(([name]) => name))
      assert.deepEqual(
        names.filter((name) => !tested.has(name)),
        [],
      )
    })
})
