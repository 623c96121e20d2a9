import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RefusalContext } from '../../../../functions/smtp-ingress/rejections/rejection.ts'
import { tooManySessions, unknownTlsFacts } from '../../../../functions/smtp-ingress/replies.ts'
import { SessionDriver } from '../../../support/ingress/session-driver.ts'

const mail = 'MAIL FROM:<a@x.example>'
const rcpt = 'RCPT TO:<b@ours.example>'
const sender = 'a@x.example'

const rows: [name: string, commands: string[], context: RefusalContext, clientName?: string][] = [
  ['MAIL before EHLO', [mail], { stage: 'Mail', sender }, ''],
  ['MAIL with REQUIRETLS in the clear', ['EHLO c', `${mail} REQUIRETLS`], { stage: 'Mail', sender }],
  ['a sender that cannot be parsed', ['EHLO c', 'MAIL FROM:<a@@b>'], { stage: 'Mail' }],
  ['the next sender that cannot be parsed', ['EHLO c', mail, 'RSET', 'MAIL FROM:<@>'], { stage: 'Mail' }],
  ['a recipient that cannot be parsed', ['EHLO c', mail, 'RCPT TO:<b@@c>'], { stage: 'Rcpt', sender }],
  [
    'a recipient that needs SMTPUTF8',
    ['EHLO c', mail, rcpt, 'RCPT TO:<\u00c3\u00a4@ours.example>'],
    { stage: 'Rcpt', sender, recipient: 'ä@ours.example' },
  ],
  ['DATA without a recipient', ['EHLO c', mail, 'DATA'], { stage: 'Data', sender }],
  ['DATA after the transaction', ['EHLO c', mail, 'RSET', 'DATA'], { stage: 'Data' }],
  ['a command that is unknown after RCPT', ['EHLO c', mail, rcpt, 'FOO'], { stage: 'Rcpt', sender }],
  ['a bad name in EHLO', ['EHLO a b'], { stage: 'Connect' }, ''],
]
for (const [name, commands, context, clientName = 'c'] of rows)
  test(`the refusal of ${name} has the stage ${context.stage} and what is known of sender and recipient`, () => {
    const talk = new SessionDriver()
    talk.session.sendGreeting()
    for (const command of commands) talk.send(`${command}\r\n`)
    assert.deepEqual(talk.refusalContexts, [
      [{ sender: undefined, recipient: undefined, ...context }, clientName],
    ])
  })

test('the refusal of a session has the stage Connect, and that of its TLS session the stage StartTls', () => {
  const refused = new SessionDriver()
  refused.session.sendGreeting(tooManySessions)
  const secured = SessionDriver.greeted()
  secured.send('STARTTLS\r\n')
  secured.session.finishHandshake(unknownTlsFacts)
  assert.deepEqual(
    [refused, secured].map(({ refusalContexts }) => refusalContexts[0]?.[0].stage),
    ['Connect', 'StartTls'],
  )
})
