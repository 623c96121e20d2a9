import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tooManySessions } from '../../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../../shared/contract/message.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { settled, Talk } from '../../../support/ingress/talk.ts'

const group = 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n'
const go = '250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n'

test('pipelined commands get their replies in one write', () => {
  const talk = Talk.begun()
  const before = talk.writes
  assert.equal(talk.says(group), go)
  assert.equal(talk.writes, before + 1)
})

test('commands octet by octet get the same replies', () => {
  const talk = Talk.begun()
  assert.equal([...group].map((octet) => talk.says(octet)).join(''), go)
})

test('a message is passed on without the dots that SMTP adds, and gets its reply when stored', async () => {
  const talk = Talk.begun()
  let stored: (answer: Reply) => void = () => {}
  talk.stored = () => new Promise((resolve) => (stored = resolve))
  talk.says(group)
  assert.equal(talk.says('Subject: x\r\n\r\n..dot\r\n.\r\n'), '')
  assert.equal(talk.session.phase, 'Deciding')
  await settled()
  stored(reply(250, '0.0', 'queued'))
  await settled()
  assert.equal(talk.messages[0]?.content.toString(), 'Subject: x\r\n\r\n.dot\r\n')
  assert.ok(talk.read.endsWith('250 2.0.0 queued\r\n'))
  assert.equal(talk.session.phase, 'Command')
})

test('commands after the end of data get their replies after the message\u2019s', async () => {
  const talk = Talk.begun()
  let stored: (answer: Reply) => void = () => {}
  talk.stored = () => new Promise((resolve) => (stored = resolve))
  talk.says(group)
  assert.equal(talk.says('text\r\n.\r\nMAIL FROM:<c@elsewhere.example>\r\nRCPT TO:'), '')
  assert.equal(talk.says('<d@ours.example>\r\nQUIT\r\n'), '')
  await settled()
  const before = talk.read.length
  stored(reply(250, '0.0', 'queued'))
  await settled()
  assert.equal(
    talk.read.slice(before),
    '250 2.0.0 queued\r\n250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n',
  )
})

test('a client that floods during a decision gets backpressure until it ends', async () => {
  const talk = Talk.begun()
  let decide: (answer: Reply) => void = () => {}
  talk.answers.mail = () => new Promise((resolve) => (decide = resolve))
  talk.says('MAIL FROM:<a@elsewhere.example>\r\n')
  for (let sent = 0; sent < 512; sent++) talk.says('N')
  assert.equal(talk.isHeld, true, 'each chunk has overhead')
  decide(reply(250, '0.0', 'Ok'))
  await settled()
  assert.equal(talk.isHeld, false)
})

test('room that becomes free after the session has ended does not revive it', async () => {
  const talk = Talk.begun()
  talk.says(group)
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  talk.says('first\r\n')
  talk.session.close()
  makeRoom()
  await settled()
  assert.equal(talk.session.phase, 'Ended')
  assert.equal(talk.messages[0]?.end, 'Abandoned')
  assert.equal(talk.says('second\r\n.\r\n'), '')
})

test('a line without an end ends the session after 64 KiB', () => {
  const talk = Talk.begun()
  for (let piece = 0; piece < 16; piece++) assert.equal(talk.says('x'.repeat(4096)), '')
  assert.equal(talk.says('x'), '421 4.5.6 Line too long, closing connection\r\n')
})

test('a client gets backpressure while there is no room, and no octets are lost', async () => {
  const talk = Talk.begun()
  talk.says(group)
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  talk.says('first\r\n')
  talk.room = undefined
  assert.equal(talk.isHeld, true)
  assert.equal(talk.session.phase, 'Deciding', 'no timeout runs for the client')
  talk.says('second\r\n.\r\n')
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\n')
  makeRoom()
  await settled()
  assert.equal(talk.isHeld, false)
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\nsecond\r\n')
  assert.equal(talk.messages[0]?.end, 'Ended')
})

test('all spellings of a mailbox are one recipient, and different mailboxes stay different', () => {
  const talk = Talk.begun()
  const utf8 = (text: string) => talk.says(Buffer.from(text).toString('latin1'))
  talk.says('MAIL FROM:<a@elsewhere.example> SMTPUTF8\r\n')
  for (const recipient of ['kim@ours.example', 'KIM@Ours.example', '\u212aim@ours.example'])
    utf8(`RCPT TO:<${recipient}>\r\n`)
  talk.says('DATA\r\n')
  assert.deepEqual(
    talk.messages[0]?.transaction.recipients.map(({ address }) => address),
    ['KIM@Ours.example', '\u212aim@ours.example'],
  )
})

test('the session counts messages, and octets of the latest one', async () => {
  const talk = Talk.begun()
  for (const content of ['first\r\n', 'second one\r\n']) {
    talk.says('MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n')
    talk.says(content)
    assert.equal(talk.session.messageOctets, content.length)
    talk.says('.\r\n')
    await settled()
  }
  assert.equal(talk.session.messages, 2)
})

test('a message that is cut off ends the session', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.cut = { reason: 'TooMuch', reply: reply(552, '3.4', 'too large') }
  assert.equal(talk.says('more\r\n'), '552 5.3.4 too large\r\n')
  assert.equal(talk.isEnded, true)
  assert.equal(talk.messages[0]?.end, 'Abandoned')
})

test('a client that speaks before the greeting gets 421', () => {
  const talk = new Talk()
  assert.equal(talk.says('EHLO client.example\r\n'), '421 4.5.1 Client spoke before the greeting\r\n')
  assert.equal(talk.isEnded, true)
  talk.session.sendGreeting()
  assert.equal(talk.read, '421 4.5.1 Client spoke before the greeting\r\n', 'no greeting follows')
})

test('a refused client gets the reason instead of the greeting, and is counted', () => {
  const talk = new Talk()
  talk.session.sendGreeting(tooManySessions)
  assert.ok(talk.read.startsWith('421 4.'))
  assert.deepEqual(talk.refusals, [tooManySessions])
})

test('octets after STARTTLS and before the end of the handshake are dropped', () => {
  const talk = Talk.begun()
  assert.equal(
    talk.says('STARTTLS\r\nRSET\r\nMAIL FROM:<evil@elsewhere.example>\r\n'),
    '220 2.0.0 Ready to start TLS\r\n',
  )
  assert.equal(talk.says('RCPT TO:<b@ours.example>\r\n'), '')
  assert.equal(talk.handshakes, 1)
  talk.session.finishHandshake()
  assert.equal(talk.says('\r\n'), '500 5.5.2 Command not recognized\r\n')
})

test('a partial line before STARTTLS does not continue after the handshake', () => {
  const talk = Talk.begun()
  talk.says('STARTTLS\r\nMAIL FROM:<evil@elsewhere.example>')
  talk.session.finishHandshake()
  assert.equal(talk.says('NOOP\r\n'), '250 2.0.0 OK\r\n')
})

for (const [what, said] of Object.entries({
  greeting: '',
  sender: 'MAIL FROM:<a@elsewhere.example>\r\n',
  recipient: 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n',
}))
  test(`a ${what} before the handshake is discarded by it`, () => {
    const talk = Talk.begun()
    talk.says(said)
    talk.says('STARTTLS\r\n')
    talk.session.finishHandshake()
    assert.match(talk.says('MAIL FROM:<c@elsewhere.example>\r\n'), /^503 5\.5\.1 Send HELO or EHLO first/)
    assert.match(talk.says('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
    assert.match(talk.says('DATA\r\n'), /^503 5\.5\.1 Need MAIL/)
    talk.says('EHLO client.example\r\n')
    assert.match(talk.says('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
  })

test('a message sent together with DATA ends the session and is not read as commands', () => {
  for (const commands of [group, 'DATA\r\n']) {
    const talk = Talk.begun()
    const answer = talk.says(`${commands}Subject: x\r\n\r\n.\r\n`)
    assert.match(answer, /421 4\.5\.1 Data sent before the 354 reply\r\n$/)
    assert.equal(talk.isEnded, true)
    assert.equal(talk.messages.length, 0)
  }
})

test('too many errors end the session; an accepted message resets the count', async () => {
  const talk = Talk.begun({ maxErrors: 3 })
  talk.says('WHAT\r\nWHAT\r\n')
  talk.says(group)
  talk.says('.\r\n')
  await settled()
  assert.equal(talk.isEnded, false)
  assert.equal(
    talk.says('WHAT\r\nWHAT\r\nWHAT\r\nNOOP\r\n'),
    `${'500 5.5.2 Command not recognized\r\n'.repeat(3)}421 4.7.0 Too many errors, closing connection\r\n`,
  )
  assert.equal(talk.isEnded, true)
})

test('an accepted message resets the count of idle commands', async () => {
  const talk = Talk.begun({ maxIdleCommands: 3 })
  // EHLO is the first.
  talk.says('NOOP\r\nRSET\r\n')
  talk.says(group)
  talk.says('.\r\n')
  await settled()
  talk.says('RSET\r\nNOOP\r\nNOOP\r\n')
  assert.equal(talk.isEnded, false)
  assert.equal(talk.says('NOOP\r\n'), '421 4.7.0 Too many commands without a message, closing connection\r\n')
})

test('refused messages do not reset the count of errors', async () => {
  const talk = Talk.begun({ maxErrors: 3 })
  talk.stored = () => reply(550, '6.0', 'No')
  for (let message = 0; message < 3; message++) {
    assert.equal(talk.isEnded, false)
    talk.says(group)
    talk.says('.\r\n')
    await settled()
  }
  assert.ok(talk.read.endsWith('421 4.7.0 Too many errors, closing connection\r\n'), talk.read)
})

test('octets of a message are a step, a partial command line is not', () => {
  const talk = Talk.begun()
  const before = talk.session.steps
  talk.says('NO')
  assert.equal(talk.session.steps, before)
  talk.says('OP\r\n')
  assert.equal(talk.session.steps, before + 1)
  talk.says(group)
  const begun = talk.session.steps
  talk.says('S')
  assert.equal(talk.session.steps, begun + 1)
})

test('too many idle commands end the session', () => {
  const talk = Talk.begun({ maxIdleCommands: 5 })
  assert.equal(talk.says('NOOP\r\nRSET\r\nVRFY b\r\nHELP\r\n').split('\r\n').length, 5)
  assert.equal(
    talk.says('EHLO again.example\r\nNOOP\r\n'),
    '421 4.7.0 Too many commands without a message, closing connection\r\n',
  )
})

test('a too long line is refused once, and the next line is a command', () => {
  const talk = Talk.begun()
  for (let sent = 0; sent < 10; sent++) assert.equal(talk.says('x'.repeat(1000)), '')
  assert.equal(talk.says('x\r\nNOOP\r\n'), '500 5.5.6 Line too long\r\n250 2.0.0 OK\r\n')
})

test('a line without an end ends the session', () => {
  const talk = Talk.begun()
  let answer = ''
  for (let sent = 0; sent < 100 && answer === ''; sent++) answer = talk.says('x'.repeat(1000))
  assert.equal(answer, '421 4.5.6 Line too long, closing connection\r\n')
})

test('a draining session ends between messages, not within one', async () => {
  const idle = Talk.begun()
  idle.session.drain()
  assert.ok(idle.read.endsWith('421 4.3.2 Service shutting down, try again later\r\n'))

  const busy = Talk.begun()
  busy.says(group)
  busy.session.drain()
  assert.equal(busy.isEnded, false)
  const before = busy.read.length
  busy.says('.\r\n')
  await settled()
  assert.equal(
    busy.read.slice(before),
    '250 2.0.0 Ok\r\n421 4.3.2 Service shutting down, try again later\r\n',
  )
  assert.equal(busy.isEnded, true)
})

test('a session that begins during a drain gets 421, in the clear or after its handshake', () => {
  const talk = new Talk()
  talk.session.drain()
  talk.session.sendGreeting()
  assert.equal(talk.read, '421 4.3.2 Service shutting down, try again later\r\n')

  const secure = Talk.begun()
  secure.says('STARTTLS\r\n')
  secure.session.drain()
  assert.equal(secure.isEnded, false)
  secure.session.finishHandshake()
  assert.ok(secure.read.endsWith('421 4.3.2 Service shutting down, try again later\r\n'))
})

test('a closed connection abandons its message, and a late decision has no effect', async () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.says('half')
  talk.session.close()
  assert.equal(talk.messages[0]?.end, 'Abandoned')

  const waiting = Talk.begun()
  waiting.stored = () => new Promise(() => {})
  waiting.says(group)
  waiting.says('.\r\n')
  waiting.session.close()
  assert.equal(waiting.messages[0]?.end, 'Abandoned', 'the client is gone')

  const late = Talk.begun()
  let decide: (answer: Reply) => void = () => {}
  late.answers.mail = () => new Promise((resolve) => (decide = resolve))
  late.says('MAIL FROM:<a@elsewhere.example>\r\nNOOP\r\n')
  late.session.close()
  const before = late.read
  decide(reply(250, '0.0', 'Ok'))
  await settled()
  assert.equal(late.read, before)
})

const broken = '421 4.3.0 Local error, closing connection\r\n'

test('an exception in a command ends the session, thrown or rejected', async () => {
  for (const recipient of [
    () => {
      throw new Error('internal')
    },
    () => Promise.reject(new Error('internal')),
  ]) {
    const talk = Talk.begun()
    talk.answers.recipient = recipient
    talk.says('MAIL FROM:<a@elsewhere.example>\r\n')
    talk.says('RCPT TO:<b@ours.example>\r\nNOOP\r\n')
    await settled()
    assert.ok(talk.read.endsWith(broken), talk.read)
    assert.equal(talk.says('NOOP\r\n'), '')
    assert.deepEqual([talk.isEnded, talk.failures], [true, [new Error('internal')]])
  }
})

test('an exception in a message abandons the message and ends the session', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.says('Subject: x\r\n')
  Object.defineProperty(talk, 'room', {
    get() {
      throw new Error('internal')
    },
  })
  assert.equal(talk.says('lost\r\n'), broken)
  assert.equal(talk.says('.\r\n'), '')
  assert.deepEqual([talk.messages[0]?.end, talk.failures.length], ['Abandoned', 1])
})

test('a client that half-closes gets all its replies, then the session ends', async () => {
  const talk = Talk.begun()
  const stored = Promise.withResolvers<Reply>()
  talk.stored = () => stored.promise
  talk.says(group)
  talk.says('Subject: x\r\n.\r\nNOOP\r\n')
  talk.session.endInput()
  assert.equal(talk.isEnded, false)
  stored.resolve(reply(250, '0.0', 'Stored'))
  await settled()
  assert.ok(talk.read.endsWith('250 2.0.0 Stored\r\n250 2.0.0 OK\r\n'), talk.read)
  assert.equal(talk.isEnded, true)
})

test('a client that half-closes within a message abandons it', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.says('Subject: x\r\n')
  talk.session.endInput()
  assert.deepEqual([talk.messages[0]?.end, talk.isEnded], ['Abandoned', true])
})

test('a timeout ends the session with one reply', () => {
  const talk = Talk.begun()
  talk.session.timeOut()
  talk.session.timeOut()
  assert.ok(talk.read.endsWith('421 4.4.2 Timeout, closing connection\r\n'))
  assert.deepEqual(
    talk.refusals.map(({ reason }) => reason),
    ['TimedOut'],
  )
})
