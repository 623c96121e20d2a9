/** BDAT (RFC 3030) in a session without sockets. Transcripts named bdat-* play it against the real server. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tooLarge } from '../../../../functions/smtp-ingress/replies.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import { SessionDriver, settled } from '../../../support/ingress/session-driver.ts'

const envelope = 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\n'
const envelopeReplies = '250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n'
const smuggled = 'MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n'
const sizeUnknown = '421 4.5.4 Syntax: BDAT size [LAST], closing connection\r\n'

function inTransaction(options: Parameters<typeof SessionDriver.greeted>[0] = {}): SessionDriver {
  const talk = SessionDriver.greeted(options)
  talk.send(envelope)
  return talk
}

describe('a line that some program may read as BDAT and that has no valid size ends the session', () => {
  const lines = [
    'BDAT\r\n',
    'BDAT \r\n',
    'BDAT x\r\n',
    'BDAT LAST\r\n',
    'BDAT -1\r\n',
    'BDAT +1\r\n',
    'BDAT 1.0\r\n',
    'BDAT 0x10\r\n',
    'BDAT 1e3\r\n',
    'BDAT 10LAST\r\n',
    'BDAT 10 FIRST\r\n',
    'BDAT 10 LAST LAST\r\n',
    'BDAT 10 20\r\n',
    'BDAT:10\r\n',
    'bdat\t10\r\n',
    'BDAT 10\tLAST\r\n',
    'BDAT 10\0\r\n',
    ' BDAT 10\r\n',
    '\tBDAT 10\r\n',
    'BDAT 10\n',
    'BDAT 10 LAST\n',
    'BDAT 10\r\r\n',
    'BDAT \xb2\r\n',
    `BDAT 10${' '.repeat(5000)}\r\n`,
    `BDAT ${'0'.repeat(5000)}10 LAST\n`,
  ]
  for (const line of lines)
    test(JSON.stringify(line).replaceAll(/(.)\1{20,}/g, '$1…'), () => {
      for (const isOctetwise of [false, true]) {
        const talk = inTransaction()
        const octets = line + smuggled
        assert.equal(
          isOctetwise ? [...octets].map((octet) => talk.send(octet)).join('') : talk.send(octets),
          sizeUnknown,
        )
        assert.deepEqual([talk.isEnded, talk.messages.length], [true, 0])
      }
    })

  for (const line of ['BDATA 10', 'BDAT10', 'XBDAT 10'])
    test(`but not ${line}, another word`, () =>
      assert.equal(
        inTransaction().send(`${line}\r\nNOOP\r\n`),
        '500 5.5.2 Command not recognized\r\n250 2.0.0 OK\r\n',
      ))
})

test('a pipelined transaction with chunks has one result, wherever its octets are split', async () => {
  const content = 'Subject: x\r\n\r\n.\r\nQUIT\r\n..\r\nend'
  const octets = `${envelope}BDAT 15\r\n${content.slice(0, 15)}BDAT ${content.length - 15} LAST\r\n${content.slice(15)}NOOP\r\n`
  for (let at = 0; at <= octets.length; at++) {
    const talk = SessionDriver.greeted()
    const before = talk.read.length
    talk.send(octets.slice(0, at))
    await settled()
    talk.send(octets.slice(at))
    await settled()
    assert.equal(
      talk.read.slice(before),
      `${envelopeReplies}250 2.0.0 Ok: 15 octets received\r\n250 2.0.0 Ok\r\n250 2.0.0 OK\r\n`,
    )
    assert.equal(talk.messages[0]?.content.toString(), `${content}\r\n`)
    assert.deepEqual(talk.messages[0]?.announced, [15, content.length - 15])
  }
})

test('the replies to an envelope and a chunk that arrive together are sent in one write', () => {
  const talk = SessionDriver.greeted()
  const before = talk.writes
  talk.send(`${envelope}BDAT 4\r\ntextBDAT 2\r\n\r\n`)
  assert.equal(talk.writes, before + 1)
})

test('a chunk gets its 250 when its octets have room, and the next command waits for it', async () => {
  const talk = inTransaction()
  let makeRoom = () => {}
  talk.room = new Promise((resolve) => (makeRoom = resolve))
  assert.equal(talk.send('BDAT 4\r\ntextNOOP\r\n'), '')
  assert.deepEqual([talk.isHeld, talk.session.phase], [true, 'Deciding'])
  talk.room = undefined
  makeRoom()
  await settled()
  assert.ok(talk.read.endsWith('250 2.0.0 Ok: 4 octets received\r\n250 2.0.0 OK\r\n'), talk.read)
  assert.deepEqual([talk.isHeld, talk.session.phase], [false, 'Data'])
})

test('a message that is certain to be refused is refused at the end of the chunk, and its later chunks with 503', async () => {
  const talk = inTransaction()
  talk.stored = () => reply(552, '5.3.4', 'Too large')
  talk.send('BDAT 3\r\n')
  talk.isRefused = true
  talk.send('abcBDAT 4\r\nQUITBDAT 6 LAST\r\nRSET\r\n')
  await settled()
  const failed = '503 5.5.1 An earlier BDAT failed, send RSET\r\n'
  assert.ok(talk.read.endsWith(`552 5.3.4 Too large\r\n${failed}${failed}`), talk.read)
  assert.deepEqual([talk.messages.length, talk.messages[0]?.end], [1, 'Ended'])
  talk.isRefused = false
  assert.equal(talk.send(`${envelope}BDAT 1\r\nx`), `${envelopeReplies}250 2.0.0 Ok: 1 octets received\r\n`)
})

test('octets far beyond the maximum end the session before they are sent', () => {
  const eightMebibytes = 8 * 1024 * 1024
  const tooMany = '552 5.3.4 Message exceeds 1000000 octets\r\n'
  for (const talk of [SessionDriver.greeted(), inTransaction()])
    assert.equal(talk.send(`BDAT ${1_000_001 + eightMebibytes}\r\n${smuggled}`), tooMany)
  assert.equal(SessionDriver.greeted().send(`BDAT ${'9'.repeat(400)}\r\n`), tooMany)
  const limit = SessionDriver.greeted()
  assert.equal(limit.send(`BDAT ${1_000_000 + eightMebibytes}\r\n${smuggled}`), '', 'the octets follow')
  const message = inTransaction()
  message.send('BDAT 1\r\nx')
  message.cut = tooLarge(5)
  assert.equal(message.send(`BDAT 6\r\n${smuggled}`), '552 5.3.4 Message exceeds 5 octets\r\n')
  assert.deepEqual([message.isEnded, message.messages[0]?.end], [true, 'Abandoned'])
})

describe('more than 1000 chunks that are smaller than 32 octets on average', () => {
  /** @returns the chunk that ends the session, or null when 2000 do not */
  const lastChunk = (content: string): number | null => {
    const talk = inTransaction()
    for (let chunk = 1; chunk <= 2000; chunk++) {
      const output = talk.send(`BDAT ${content.length}\r\n${content}`)
      if (!talk.isEnded) continue
      assert.equal(output, '421 4.7.0 Too many small chunks, closing connection\r\n')
      assert.equal(talk.messages[0]?.end, 'Abandoned')
      return chunk
    }
    return null
  }
  const rows: [octets: number, chunk: number | null][] = [
    [0, 1001],
    [1, 1033],
    [32, null],
  ]
  for (const [octets, chunk] of rows)
    test(`end the session ${chunk === null ? 'not' : `at chunk ${chunk}`} with chunks of ${octets} octets`, () =>
      assert.equal(lastChunk('x'.repeat(octets)), chunk))
})

test('the timeouts of a message apply between its chunks, and only octets of chunks count', () => {
  const talk = inTransaction()
  assert.equal(talk.session.phase, 'Command')
  talk.send('BDAT 4\r\nte')
  assert.deepEqual([talk.session.phase, talk.session.messages, talk.session.messageOctets], ['Data', 1, 2])
  talk.send('xt')
  assert.deepEqual([talk.session.phase, talk.session.messageOctets], ['Data', 4])
  talk.send('NOOP\r\nBDAT 2\r\n\r\n')
  assert.deepEqual([talk.session.phase, talk.session.messages, talk.session.messageOctets], ['Data', 1, 6])
  talk.send('RSET\r\n')
  assert.equal(talk.session.phase, 'Command')
  talk.send('BDAT 9\r\nrefused')
  assert.deepEqual([talk.session.phase, talk.session.messages, talk.session.messageOctets], ['Data', 2, 7])
  talk.send('!!')
  assert.equal(talk.session.phase, 'Command')
})

const endings: [description: string, end: (talk: SessionDriver) => unknown, output: RegExp][] = [
  ['a disconnection', (talk) => talk.session.close(), /^$/],
  ['a half-closed connection', (talk) => talk.session.endInput(), /^$/],
  ['a timeout', (talk) => talk.session.timeOut(), /^421 4\.4\.2 /],
  ['the end as idle session', (talk) => talk.session.endAsIdle(), /^421 4\.3\.2 /],
  ['RSET', (talk) => talk.send('RSET\r\n'), /^250 2\.0\.0 /],
  ['EHLO', (talk) => talk.send('EHLO again.example\r\n'), /^250-/],
  ['STARTTLS', (talk) => talk.send('STARTTLS\r\n'), /^220 2\.0\.0 /],
  ['QUIT', (talk) => talk.send('QUIT\r\n'), /^221 2\.0\.0 /],
]
for (const [description, end, output] of endings)
  test(`${description} between two chunks drops the incomplete message`, () => {
    const talk = inTransaction()
    talk.send('BDAT 4\r\ntext')
    const before = talk.read.length
    end(talk)
    assert.match(talk.read.slice(before), output)
    assert.equal(talk.messages[0]?.end, 'Abandoned')
  })

test('a disconnection within a chunk drops the incomplete message', () => {
  const talk = inTransaction()
  talk.send('BDAT 4\r\nte')
  talk.session.close()
  assert.equal(talk.messages[0]?.end, 'Abandoned')
})

test('a drain between chunks ends the session after the reply to the last chunk, or when the message is given up', async () => {
  const shuttingDown = '421 4.3.2 Service shutting down, try again later\r\n'
  const rows: [commands: string, output: string][] = [
    ['NOOP\r\nBDAT 2 LAST\r\n\r\n', `250 2.0.0 OK\r\n250 2.0.0 Ok\r\n${shuttingDown}`],
    ['RSET\r\n', `250 2.0.0 Flushed\r\n${shuttingDown}`],
    ['BDAT 1\r\n\n', `550 5.6.11 BareNewlines\r\n${shuttingDown}`],
  ]
  for (const [commands, output] of rows) {
    const talk = inTransaction()
    talk.send('BDAT 4\r\ntext')
    const before = talk.read.length
    talk.session.drain()
    assert.equal(talk.isEnded, false)
    talk.send(commands)
    await settled()
    assert.deepEqual([talk.read.slice(before), talk.isEnded], [output, true])
  }
})

test('an accepted message by BDAT resets the counts of errors and idle commands', async () => {
  const talk = SessionDriver.greeted({ maxErrors: 3, maxIdleCommands: 3 })
  for (let message = 0; message < 5; message++) {
    talk.send(`WHAT\r\nNOOP\r\n${envelope}BDAT 2 LAST\r\n\r\n`)
    await settled()
  }
  assert.deepEqual([talk.isEnded, talk.session.acceptedMessages], [false, 5])
})

test('refused chunks count as errors', () => {
  const talk = SessionDriver.greeted({ maxErrors: 3 })
  assert.match(
    talk.send('BDAT 0\r\n'.repeat(4)),
    /^(503 5\.5\.1 Need MAIL command\r\n){3}421 4\.7\.0 Too many errors/,
  )
})
