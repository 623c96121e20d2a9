import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tooManySessions } from '../../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../../shared/contract/message.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { SessionDriver, settled } from '../../../support/ingress/session-driver.ts'

const pipelinedTransaction = 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n'
const pipelinedReplies = '250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n'

test('a session writes the replies to pipelined commands in one write', () => {
  const talk = SessionDriver.greeted()
  const before = talk.writes
  assert.equal(talk.send(pipelinedTransaction), pipelinedReplies)
  assert.equal(talk.writes, before + 1)
})

test('commands that arrive octet by octet get the same replies as commands that arrive together', () => {
  const talk = SessionDriver.greeted()
  assert.equal([...pipelinedTransaction].map((octet) => talk.send(octet)).join(''), pipelinedReplies)
})

test('a message is passed on without the dots that SMTP adds, and gets its reply when stored', async () => {
  const talk = SessionDriver.greeted()
  let sendDecision: (reply: Reply) => void = () => {}
  talk.stored = () => new Promise((resolve) => (sendDecision = resolve))
  talk.send(pipelinedTransaction)
  assert.equal(talk.send('Subject: x\r\n\r\n..dot\r\n.\r\n'), '')
  assert.equal(talk.session.phase, 'Deciding')
  await settled()
  sendDecision(reply(250, '2.0.0', 'queued'))
  await settled()
  assert.equal(talk.messages[0]?.content.toString(), 'Subject: x\r\n\r\n.dot\r\n')
  assert.ok(talk.read.endsWith('250 2.0.0 queued\r\n'))
  assert.equal(talk.session.phase, 'Command')
})

test('commands after the end of data get their replies after the reply to the message', async () => {
  const talk = SessionDriver.greeted()
  let sendDecision: (reply: Reply) => void = () => {}
  talk.stored = () => new Promise((resolve) => (sendDecision = resolve))
  talk.send(pipelinedTransaction)
  assert.equal(talk.send('text\r\n.\r\nMAIL FROM:<c@elsewhere.example>\r\nRCPT TO:'), '')
  assert.equal(talk.send('<d@ours.example>\r\nQUIT\r\n'), '')
  await settled()
  const before = talk.read.length
  sendDecision(reply(250, '2.0.0', 'queued'))
  await settled()
  assert.equal(
    talk.read.slice(before),
    '250 2.0.0 queued\r\n250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n',
  )
})

test('a session stops reading from a client that sends many chunks during a decision, until the decision is made', async () => {
  const talk = SessionDriver.greeted()
  let decide: (reply: Reply) => void = () => {}
  talk.answers.mail = () => new Promise((resolve) => (decide = resolve))
  talk.send('MAIL FROM:<a@elsewhere.example>\r\n')
  for (let count = 0; count < 512; count++) talk.send('N')
  assert.equal(talk.isHeld, true, 'each chunk has overhead')
  decide(reply(250, '2.0.0', 'Ok'))
  await settled()
  assert.equal(talk.isHeld, false)
})

test('a session that was closed while its message waited for room stays ended when room becomes free', async () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  talk.send('first\r\n')
  talk.session.close()
  makeRoom()
  await settled()
  assert.equal(talk.session.phase, 'Ended')
  assert.equal(talk.messages[0]?.end, 'Abandoned')
  assert.equal(talk.send('second\r\n.\r\n'), '')
})

test('a command line longer than 64 KiB gets 421 when its end has not arrived', () => {
  const talk = SessionDriver.greeted()
  for (let piece = 0; piece < 16; piece++) assert.equal(talk.send('x'.repeat(4096)), '')
  assert.equal(talk.send('x'), '421 4.5.6 Line too long, closing connection\r\n')
})

test('a session stops reading while there is no room for the message, and no octets are lost', async () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  talk.send('first\r\n')
  talk.room = undefined
  assert.equal(talk.isHeld, true)
  assert.equal(talk.session.phase, 'Deciding', 'no timeout runs for the client')
  talk.send('second\r\n.\r\n')
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\n')
  makeRoom()
  await settled()
  assert.equal(talk.isHeld, false)
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\nsecond\r\n')
  assert.equal(talk.messages[0]?.end, 'Ended')
})

test('recipients that differ only in ASCII letter case are one recipient; the Kelvin sign in place of k makes another', () => {
  const talk = SessionDriver.greeted()
  const utf8 = (text: string) => talk.send(Buffer.from(text).toString('latin1'))
  talk.send('MAIL FROM:<a@elsewhere.example> SMTPUTF8\r\n')
  for (const recipient of ['kim@ours.example', 'KIM@Ours.example', '\u212aim@ours.example'])
    utf8(`RCPT TO:<${recipient}>\r\n`)
  talk.send('DATA\r\n')
  assert.deepEqual(
    talk.messages[0]?.transaction.recipients.map(({ address }) => address),
    ['KIM@Ours.example', '\u212aim@ours.example'],
  )
})

test('a session counts its messages, and the octets of the latest message', async () => {
  const talk = SessionDriver.greeted()
  for (const content of ['first\r\n', 'second one\r\n']) {
    talk.send('MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n')
    talk.send(content)
    assert.equal(talk.session.messageOctets, content.length)
    talk.send('.\r\n')
    await settled()
  }
  assert.equal(talk.session.messages, 2)
})

test('a message that is refused before its end gets this refusal, and the session ends', () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  talk.cut = { reason: 'TooMuch', reply: reply(552, '5.3.4', 'too large') }
  assert.equal(talk.send('more\r\n'), '552 5.3.4 too large\r\n')
  assert.equal(talk.isEnded, true)
  assert.equal(talk.messages[0]?.end, 'Abandoned')
})

test('a client that speaks before the greeting gets 421 and no greeting', () => {
  const talk = new SessionDriver()
  assert.equal(talk.send('EHLO client.example\r\n'), '421 4.5.1 Client spoke before the greeting\r\n')
  assert.equal(talk.isEnded, true)
  talk.session.sendGreeting()
  assert.equal(talk.read, '421 4.5.1 Client spoke before the greeting\r\n', 'no greeting follows')
})

test('a client that is refused at the greeting gets the refusal in its place, and the refusal is recorded', () => {
  const talk = new SessionDriver()
  talk.session.sendGreeting(tooManySessions)
  assert.ok(talk.read.startsWith('421 4.'))
  assert.deepEqual(talk.refusals, [tooManySessions])
})

test('octets after STARTTLS and before the end of the handshake are dropped', () => {
  const talk = SessionDriver.greeted()
  assert.equal(
    talk.send('STARTTLS\r\nRSET\r\nMAIL FROM:<evil@elsewhere.example>\r\n'),
    '220 2.0.0 Ready to start TLS\r\n',
  )
  assert.equal(talk.send('RCPT TO:<b@ours.example>\r\n'), '')
  assert.equal(talk.handshakes, 1)
  talk.session.finishHandshake()
  assert.equal(talk.send('\r\n'), '500 5.5.2 Command not recognized\r\n')
})

test('a partial line before the handshake does not continue after it', () => {
  const talk = SessionDriver.greeted()
  talk.send('STARTTLS\r\nMAIL FROM:<evil@elsewhere.example>')
  talk.session.finishHandshake()
  assert.equal(talk.send('NOOP\r\n'), '250 2.0.0 OK\r\n')
})

for (const [name, commands] of Object.entries({
  EHLO: '',
  sender: 'MAIL FROM:<a@elsewhere.example>\r\n',
  recipient: 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n',
}))
  test(`the handshake discards the ${name} that the client sent before`, () => {
    const talk = SessionDriver.greeted()
    talk.send(commands)
    talk.send('STARTTLS\r\n')
    talk.session.finishHandshake()
    assert.match(talk.send('MAIL FROM:<c@elsewhere.example>\r\n'), /^503 5\.5\.1 Send HELO or EHLO first/)
    assert.match(talk.send('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
    assert.match(talk.send('DATA\r\n'), /^503 5\.5\.1 Need MAIL/)
    talk.send('EHLO client.example\r\n')
    assert.match(talk.send('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
  })

test('a message sent together with DATA gets 421, ends the session and is not read as commands', () => {
  for (const commands of [pipelinedTransaction, 'DATA\r\n']) {
    const talk = SessionDriver.greeted()
    const output = talk.send(`${commands}Subject: x\r\n\r\n.\r\n`)
    assert.match(output, /421 4\.5\.1 Data sent before the 354 reply\r\n$/)
    assert.equal(talk.isEnded, true)
    assert.equal(talk.messages.length, 0)
  }
})

test('more than maxErrors errors get 421 and end the session; an accepted message resets the count', async () => {
  const talk = SessionDriver.greeted({ maxErrors: 3 })
  talk.send('WHAT\r\nWHAT\r\n')
  talk.send(pipelinedTransaction)
  talk.send('.\r\n')
  await settled()
  assert.equal(talk.isEnded, false)
  assert.equal(
    talk.send('WHAT\r\nWHAT\r\nWHAT\r\nNOOP\r\n'),
    `${'500 5.5.2 Command not recognized\r\n'.repeat(3)}421 4.7.0 Too many errors, closing connection\r\n`,
  )
  assert.equal(talk.isEnded, true)
})

test('an accepted message resets the count of commands without a message', async () => {
  const talk = SessionDriver.greeted({ maxIdleCommands: 3 })
  // EHLO was the first idle command.
  talk.send('NOOP\r\nRSET\r\n')
  talk.send(pipelinedTransaction)
  talk.send('.\r\n')
  await settled()
  talk.send('RSET\r\nNOOP\r\nNOOP\r\n')
  assert.equal(talk.isEnded, false)
  assert.equal(talk.send('NOOP\r\n'), '421 4.7.0 Too many commands without a message, closing connection\r\n')
})

test('refused messages do not reset the count of errors', async () => {
  const talk = SessionDriver.greeted({ maxErrors: 3 })
  talk.stored = () => reply(550, '5.6.0', 'No')
  for (let message = 0; message < 3; message++) {
    assert.equal(talk.isEnded, false)
    talk.send(pipelinedTransaction)
    talk.send('.\r\n')
    await settled()
  }
  assert.ok(talk.read.endsWith('421 4.7.0 Too many errors, closing connection\r\n'), talk.read)
})

test('octets of a message count as a step of the session; a partial command line does not', () => {
  const talk = SessionDriver.greeted()
  const before = talk.session.steps
  talk.send('NO')
  assert.equal(talk.session.steps, before)
  talk.send('OP\r\n')
  assert.equal(talk.session.steps, before + 1)
  talk.send(pipelinedTransaction)
  const stepsBefore = talk.session.steps
  talk.send('S')
  assert.equal(talk.session.steps, stepsBefore + 1)
})

test('more than maxIdleCommands commands without a message get 421 and end the session', () => {
  const talk = SessionDriver.greeted({ maxIdleCommands: 5 })
  assert.equal(talk.send('NOOP\r\nRSET\r\nVRFY b\r\nHELP\r\n').split('\r\n').length, 5)
  assert.equal(
    talk.send('EHLO again.example\r\nNOOP\r\n'),
    '421 4.7.0 Too many commands without a message, closing connection\r\n',
  )
})

test('a command line that is too long gets one reply, and the next line is read as a command', () => {
  const talk = SessionDriver.greeted()
  for (let count = 0; count < 10; count++) assert.equal(talk.send('x'.repeat(1000)), '')
  assert.equal(talk.send('x\r\nNOOP\r\n'), '500 5.5.6 Line too long\r\n250 2.0.0 OK\r\n')
})

test('a command line without an end gets 421 and ends the session', () => {
  const talk = SessionDriver.greeted()
  let output = ''
  for (let count = 0; count < 100 && output === ''; count++) output = talk.send('x'.repeat(1000))
  assert.equal(output, '421 4.5.6 Line too long, closing connection\r\n')
})

test('a drain ends an idle session with 421 immediately, and a session within a message after the reply to it', async () => {
  const idle = SessionDriver.greeted()
  idle.session.drain()
  assert.ok(idle.read.endsWith('421 4.3.2 Service shutting down, try again later\r\n'))

  const busy = SessionDriver.greeted()
  busy.send(pipelinedTransaction)
  busy.session.drain()
  assert.equal(busy.isEnded, false)
  const before = busy.read.length
  busy.send('.\r\n')
  await settled()
  assert.equal(
    busy.read.slice(before),
    '250 2.0.0 Ok\r\n421 4.3.2 Service shutting down, try again later\r\n',
  )
  assert.equal(busy.isEnded, true)
})

test('a session gets 421 when a drain began before its greeting, or during its handshake', () => {
  const talk = new SessionDriver()
  talk.session.drain()
  talk.session.sendGreeting()
  assert.equal(talk.read, '421 4.3.2 Service shutting down, try again later\r\n')

  const secure = SessionDriver.greeted()
  secure.send('STARTTLS\r\n')
  secure.session.drain()
  assert.equal(secure.isEnded, false)
  secure.session.finishHandshake()
  assert.ok(secure.read.endsWith('421 4.3.2 Service shutting down, try again later\r\n'))
})

test('a closed connection abandons its message, and a decision made after it causes no reply', async () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  talk.send('half')
  talk.session.close()
  assert.equal(talk.messages[0]?.end, 'Abandoned')

  const waiting = SessionDriver.greeted()
  waiting.stored = () => new Promise(() => {})
  waiting.send(pipelinedTransaction)
  waiting.send('.\r\n')
  waiting.session.close()
  assert.equal(waiting.messages[0]?.end, 'Abandoned', 'the client is gone')

  const late = SessionDriver.greeted()
  let decide: (reply: Reply) => void = () => {}
  late.answers.mail = () => new Promise((resolve) => (decide = resolve))
  late.send('MAIL FROM:<a@elsewhere.example>\r\nNOOP\r\n')
  late.session.close()
  const before = late.read
  decide(reply(250, '2.0.0', 'Ok'))
  await settled()
  assert.equal(late.read, before)
})

const internalErrorReply = '421 4.3.0 Local error, closing connection\r\n'

test('an exception in the decision about a command gets 421 and ends the session, thrown or rejected', async () => {
  for (const recipient of [
    () => {
      throw new Error('internal')
    },
    () => Promise.reject(new Error('internal')),
  ]) {
    const talk = SessionDriver.greeted()
    talk.answers.recipient = recipient
    talk.send('MAIL FROM:<a@elsewhere.example>\r\n')
    talk.send('RCPT TO:<b@ours.example>\r\nNOOP\r\n')
    await settled()
    assert.ok(talk.read.endsWith(internalErrorReply), talk.read)
    assert.equal(talk.send('NOOP\r\n'), '')
    assert.deepEqual([talk.isEnded, talk.failures], [true, [new Error('internal')]])
  }
})

test('an exception while reading a message gets 421, abandons the message and ends the session', () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  talk.send('Subject: x\r\n')
  Object.defineProperty(talk, 'room', {
    get() {
      throw new Error('internal')
    },
  })
  assert.equal(talk.send('lost\r\n'), internalErrorReply)
  assert.equal(talk.send('.\r\n'), '')
  assert.deepEqual([talk.messages[0]?.end, talk.failures.length], ['Abandoned', 1])
})

test('a client that half-closes its connection after a message gets all replies before the session ends', async () => {
  const talk = SessionDriver.greeted()
  const stored = Promise.withResolvers<Reply>()
  talk.stored = () => stored.promise
  talk.send(pipelinedTransaction)
  talk.send('Subject: x\r\n.\r\nNOOP\r\n')
  talk.session.endInput()
  assert.equal(talk.isEnded, false)
  stored.resolve(reply(250, '2.0.0', 'Stored'))
  await settled()
  assert.ok(talk.read.endsWith('250 2.0.0 Stored\r\n250 2.0.0 OK\r\n'), talk.read)
  assert.equal(talk.isEnded, true)
})

test('a client that half-closes its connection within a message abandons the message', () => {
  const talk = SessionDriver.greeted()
  talk.send(pipelinedTransaction)
  talk.send('Subject: x\r\n')
  talk.session.endInput()
  assert.deepEqual([talk.messages[0]?.end, talk.isEnded], ['Abandoned', true])
})

test('a timeout ends the session with one 421', () => {
  const talk = SessionDriver.greeted()
  talk.session.timeOut()
  talk.session.timeOut()
  assert.ok(talk.read.endsWith('421 4.4.2 Timeout, closing connection\r\n'))
  assert.deepEqual(
    talk.refusals.map(({ reason }) => reason),
    ['TimedOut'],
  )
})
