import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assessRecipientReply } from '../../../functions/check-recipient/assess-reply.ts'

const rows: [reply: string, result: ReturnType<typeof assessRecipientReply>][] = [
  ['250 2.1.5 OK', 'Exists'],
  ['250 OK', 'Exists'],
  ['251 2.1.5 User not local; will forward', 'Exists'],
  ['252 2.1.5 Cannot VRFY user', 'Exists'],
  ['550 5.1.1 User unknown', 'Unknown'],
  ['550-5.1.1 The account does not exist\n550 5.1.1 See our pages', 'Unknown'],
  ['550 5.1.0 Address rejected', 'Unknown'],
  ['550 5.1.10 RESOLVER.ADR.RecipientNotFound', 'Unknown'],
  ['550 5.1.6 Mailbox has moved', 'Unknown'],
  ['550 No such user here', 'Unknown'],
  ['551 User not local', 'Unknown'],
  ['553 5.1.3 Bad address syntax', 'Unknown'],
  ['550 5.4.1 Recipient address rejected: Access denied. AS(201806281)', 'Unknown'],
  ['550 5.4.1 [anna@ours.example]: Recipient address rejected: Access denied', 'Unknown'],
  ['550 5.4.1 Relay access denied', 'Undetermined'],
  ['550 5.7.1 Sender refused for <>', 'Undetermined'],
  ['550 5.7.133 Sender not authenticated for group', 'Undetermined'],
  ['550 5.2.1 Mailbox disabled', 'Undetermined'],
  ['553 5.1.7 Bad sender address', 'Undetermined'],
  ['550 5.1.8 Sender domain not found', 'Undetermined'],
  ['552 5.2.2 Mailbox full', 'Undetermined'],
  ['554 5.7.1 Relay access denied', 'Undetermined'],
  ['554 5.1.1 Refused', 'Undetermined'],
  ['500 5.5.1 Command not recognised', 'Undetermined'],
  ['503 5.5.1 Bad sequence', 'Undetermined'],
  ['530 5.7.0 Must issue a STARTTLS command first', 'Undetermined'],
  ['421 4.3.2 Shutting down', 'Undetermined'],
  ['450 4.1.1 Unverified address', 'Undetermined'],
  ['451 4.7.1 Greylisted', 'Undetermined'],
  ['452 4.2.2 Mailbox full', 'Undetermined'],
]
for (const [text, result] of rows)
  test(`the reply "${text}" to RCPT means ${result}`, () => {
    assert.equal(assessRecipientReply({ code: Number(text.slice(0, 3)), text }), result)
  })

test('octets that are no reply mean nothing', () => {
  assert.equal(assessRecipientReply({ code: 0, text: 'hello' }), 'Undetermined')
})
