import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tooManySessions } from '../../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../../shared/contract/message.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { settled, Talk } from '../../../support/ingress/talk.ts'

const group = 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n'
const go = '250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n'

test('commands that come together are answered in one write', () => {
  const talk = Talk.begun()
  const before = talk.writes
  assert.equal(talk.says(group), go)
  assert.equal(talk.writes, before + 1)
})

test('commands that come an octet at a time are answered as if they came at once', () => {
  const talk = Talk.begun()
  assert.equal([...group].map((octet) => talk.says(octet)).join(''), go)
})

test('a message is handed over without its dots, and answered when it is stored', async () => {
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

test('what follows the end of data waits for its answer, and is answered behind it', async () => {
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

test('a client that floods while something is decided is held back, and released when it is', async () => {
  const talk = Talk.begun()
  let decide: (answer: Reply) => void = () => {}
  talk.answers.mail = () => new Promise((resolve) => (decide = resolve))
  talk.says('MAIL FROM:<a@elsewhere.example>\r\n')
  for (let sent = 0; sent < 512; sent++) talk.says('N')
  assert.equal(talk.isHeld, true, 'each octet weighs more than itself')
  decide(reply(250, '0.0', 'Ok'))
  await settled()
  assert.equal(talk.isHeld, false)
})

test('a place that is found when the session has ended brings it back to nothing', async () => {
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

test('a line without an end is given up after 64 KiB, all its pieces counted', () => {
  const talk = Talk.begun()
  for (let piece = 0; piece < 16; piece++) assert.equal(talk.says('x'.repeat(4096)), '')
  assert.equal(talk.says('x'), '421 4.5.6 Line too long, closing connection\r\n')
})

test('a client is held back while its octets find no place, and what came meanwhile is not lost', async () => {
  const talk = Talk.begun()
  talk.says(group)
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  talk.says('first\r\n')
  talk.room = undefined
  assert.equal(talk.isHeld, true)
  assert.equal(talk.session.phase, 'Deciding', 'the client is not at fault for its silence')
  talk.says('second\r\n.\r\n')
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\n')
  makeRoom()
  await settled()
  assert.equal(talk.isHeld, false)
  assert.equal(talk.messages[0]?.content.toString(), 'first\r\nsecond\r\n')
  assert.equal(talk.messages[0]?.end, 'Ended')
})

test('a mailbox has one recipient, however it is spelled, and no mailbox that of another', () => {
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

test('messages are told apart, and the octets of the last one counted', async () => {
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

test('a message of which far too much comes is cut off', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.cut = { reason: 'TooMuch', reply: reply(552, '3.4', 'too much') }
  assert.equal(talk.says('more\r\n'), '552 5.3.4 too much\r\n')
  assert.equal(talk.isEnded, true)
  assert.equal(talk.messages[0]?.end, 'Abandoned')
})

test('whoever talks before the greeting is sent away', () => {
  const talk = new Talk()
  assert.equal(talk.says('EHLO client.example\r\n'), '421 4.5.1 You talk too soon\r\n')
  assert.equal(talk.isEnded, true)
  talk.session.greet()
  assert.equal(talk.read, '421 4.5.1 You talk too soon\r\n', 'and is not greeted afterwards')
})

test('who is not welcome reads why, and it is counted', () => {
  const talk = new Talk()
  talk.session.greet(tooManySessions)
  assert.ok(talk.read.startsWith('421 4.'))
  assert.deepEqual(talk.refusals, [tooManySessions])
})

test('what comes with STARTTLS, and before the handshake is done, is dropped', () => {
  const talk = Talk.begun()
  assert.equal(
    talk.says('STARTTLS\r\nRSET\r\nMAIL FROM:<evil@elsewhere.example>\r\n'),
    '220 2.0.0 Ready to start TLS\r\n',
  )
  assert.equal(talk.says('RCPT TO:<b@ours.example>\r\n'), '')
  assert.equal(talk.handshakes, 1)
  talk.session.secured()
  assert.equal(talk.says('\r\n'), '500 5.5.2 Command not recognized\r\n')
})

test('part of a line before STARTTLS does not begin one after it', () => {
  const talk = Talk.begun()
  talk.says('STARTTLS\r\nMAIL FROM:<evil@elsewhere.example>')
  talk.session.secured()
  assert.equal(talk.says('NOOP\r\n'), '250 2.0.0 OK\r\n')
})

for (const [what, said] of Object.entries({
  greeting: '',
  sender: 'MAIL FROM:<a@elsewhere.example>\r\n',
  recipient: 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n',
}))
  test(`a ${what} from before the handshake counts for nothing after it`, () => {
    const talk = Talk.begun()
    talk.says(said)
    talk.says('STARTTLS\r\n')
    talk.session.secured()
    assert.match(talk.says('MAIL FROM:<c@elsewhere.example>\r\n'), /^503 5\.5\.1 Send HELO or EHLO first/)
    assert.match(talk.says('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
    assert.match(talk.says('DATA\r\n'), /^503 5\.5\.1 Need MAIL/)
    talk.says('EHLO client.example\r\n')
    assert.match(talk.says('RCPT TO:<b@ours.example>\r\n'), /^503 5\.5\.1 Need MAIL/)
  })

test('a message behind its own DATA is not read as commands, whatever DATA comes to', () => {
  for (const commands of [group, 'DATA\r\n']) {
    const talk = Talk.begun()
    const answer = talk.says(`${commands}Subject: x\r\n\r\n.\r\n`)
    assert.match(answer, /421 4\.5\.1 Data came before the 354 that asks for it\r\n$/)
    assert.equal(talk.isEnded, true)
    assert.equal(talk.messages.length, 0)
  }
})

test('the error too many ends the session, and a message that is accepted clears the count', async () => {
  const talk = Talk.begun({ maximumErrors: 3 })
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

test('a message that is accepted clears the count of commands that bring none', async () => {
  const talk = Talk.begun({ maximumIdleCommands: 3 })
  // EHLO is the first.
  talk.says('NOOP\r\nRSET\r\n')
  talk.says(group)
  talk.says('.\r\n')
  await settled()
  talk.says('RSET\r\nNOOP\r\nNOOP\r\n')
  assert.equal(talk.isEnded, false)
  assert.equal(talk.says('NOOP\r\n'), '421 4.7.0 Too many commands without a message, closing connection\r\n')
})

test('messages that are refused do not clear the count of errors', async () => {
  const talk = Talk.begun({ maximumErrors: 3 })
  talk.stored = () => reply(550, '6.0', 'No')
  for (let message = 0; message < 3; message++) {
    assert.equal(talk.isEnded, false)
    talk.says(group)
    talk.says('.\r\n')
    await settled()
  }
  assert.ok(talk.read.endsWith('421 4.7.0 Too many errors, closing connection\r\n'), talk.read)
})

test('octets of a message are a step, half a line of a command is none', () => {
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

test('commands that bring no message nearer come to an end', () => {
  const talk = Talk.begun({ maximumIdleCommands: 5 })
  assert.equal(talk.says('NOOP\r\nRSET\r\nVRFY b\r\nHELP\r\n').split('\r\n').length, 5)
  assert.equal(
    talk.says('EHLO again.example\r\nNOOP\r\n'),
    '421 4.7.0 Too many commands without a message, closing connection\r\n',
  )
})

test('an overlong line is refused once, and what follows it is a command', () => {
  const talk = Talk.begun()
  for (let sent = 0; sent < 10; sent++) assert.equal(talk.says('x'.repeat(1000)), '')
  assert.equal(talk.says('x\r\nNOOP\r\n'), '500 5.5.6 Line too long\r\n250 2.0.0 OK\r\n')
})

test('a line without end is not waited for', () => {
  const talk = Talk.begun()
  let answer = ''
  for (let sent = 0; sent < 100 && answer === ''; sent++) answer = talk.says('x'.repeat(1000))
  assert.equal(answer, '421 4.5.6 Line too long, closing connection\r\n')
})

test('a draining session ends between messages, and not in the middle of one', async () => {
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

test('one that begins while the server drains is not greeted, in the clear or after its handshake', () => {
  const talk = new Talk()
  talk.session.drain()
  talk.session.greet()
  assert.equal(talk.read, '421 4.3.2 Service shutting down, try again later\r\n')

  const secure = Talk.begun()
  secure.says('STARTTLS\r\n')
  secure.session.drain()
  assert.equal(secure.isEnded, false)
  secure.session.secured()
  assert.ok(secure.read.endsWith('421 4.3.2 Service shutting down, try again later\r\n'))
})

test('a connection that goes away abandons its message, and an answer that comes later harms nobody', async () => {
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
  assert.equal(waiting.messages[0]?.end, 'Abandoned', 'nobody waits for its reply')

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

test('a fault of ours in a command ends the session, whether it shows at once or later', async () => {
  for (const recipient of [
    () => {
      throw new Error('of ours')
    },
    () => Promise.reject(new Error('of ours')),
  ]) {
    const talk = Talk.begun()
    talk.answers.recipient = recipient
    talk.says('MAIL FROM:<a@elsewhere.example>\r\n')
    talk.says('RCPT TO:<b@ours.example>\r\nNOOP\r\n')
    await settled()
    assert.ok(talk.read.endsWith(broken), talk.read)
    assert.equal(talk.says('NOOP\r\n'), '')
    assert.deepEqual([talk.isEnded, talk.failures], [true, [new Error('of ours')]])
  }
})

test('a fault of ours in a message leaves no message with a hole in it', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.says('Subject: x\r\n')
  Object.defineProperty(talk, 'room', {
    get() {
      throw new Error('of ours')
    },
  })
  assert.equal(talk.says('lost\r\n'), broken)
  assert.equal(talk.says('.\r\n'), '')
  assert.deepEqual([talk.messages[0]?.end, talk.failures.length], ['Abandoned', 1])
})

test('a client that sends no more hears what became of all it sent, and then the session ends', async () => {
  const talk = Talk.begun()
  const stored = Promise.withResolvers<Reply>()
  talk.stored = () => stored.promise
  talk.says(group)
  talk.says('Subject: x\r\n.\r\nNOOP\r\n')
  talk.session.finish()
  assert.equal(talk.isEnded, false)
  stored.resolve(reply(250, '0.0', 'Stored'))
  await settled()
  assert.ok(talk.read.endsWith('250 2.0.0 Stored\r\n250 2.0.0 OK\r\n'), talk.read)
  assert.equal(talk.isEnded, true)
})

test('a client that sends no more in the middle of its message has sent none', () => {
  const talk = Talk.begun()
  talk.says(group)
  talk.says('Subject: x\r\n')
  talk.session.finish()
  assert.deepEqual([talk.messages[0]?.end, talk.isEnded], ['Abandoned', true])
})

test('silence ends the session with a reply, once', () => {
  const talk = Talk.begun()
  talk.session.timeOut()
  talk.session.timeOut()
  assert.ok(talk.read.endsWith('421 4.4.2 Timeout, closing connection\r\n'))
  assert.deepEqual(
    talk.refusals.map(({ reason }) => reason),
    ['TimedOut'],
  )
})
