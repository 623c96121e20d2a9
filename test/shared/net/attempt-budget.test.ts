/** The time limit of an attempt, against servers that answer every command in time, but slowly. */
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AttemptBudget, type AttemptLimits, attemptLimits } from '../../../shared/net/attempt-budget.ts'
import { BatchSessions } from '../../../shared/net/batch-sessions.ts'
import { deliverOverSmtp } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { type Listening, listen } from '../../support/listen.ts'
import { smtpOptions } from '../../support/smtp-options.ts'

describe('the limits of an attempt', () => {
  for (const [attempt, octets, messageMs] of [
    [1, 0, 60_000],
    [2, 0, 120_000],
    [4, 0, 240_000],
    [5, 0, 240_000],
    [1, 10_240, 61_000],
    [1, 1_024_000, 160_000],
  ] as const)
    it(`of number ${attempt} with ${octets} octets are ${messageMs / 1000} s for the message and 120 s for its reply`, () =>
      assert.deepEqual(attemptLimits(attempt, octets), { messageMs, finalReplyMs: 120_000 }))
})

/**
 * Milliseconds before each reply, by the command that it answers. `resetLine`: milliseconds between the lines of a reply
 * to RSET that never ends; such a server refuses its first recipient, so that RSET is needed.
 */
type Pauses = Partial<Record<'greeting' | 'command' | 'message' | 'resetLine', number>>

/** A server that answers everything, slowly. */
function slowServer(pauses: Pauses, commands: string[]): Server {
  const answer = async (socket: Socket, text: string, pauseMs = 0) => {
    await delay(pauseMs)
    if (socket.writable) socket.write(`${text}\r\n`)
  }
  let isFirstRecipient = true
  return createServer((socket) => {
    let inMessage = false
    socket.on('error', () => {})
    void answer(socket, '220 slow ESMTP', pauses.greeting)
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
        if (inMessage) {
          if (line !== '.') continue
          inMessage = false
          void answer(socket, '250 2.0.0 accepted', pauses.message)
        } else {
          commands.push(line)
          inMessage = line === 'DATA'
          if (line === 'RSET' && pauses.resetLine) {
            const drip = setInterval(() => socket.write('250-still\r\n'), pauses.resetLine)
            socket.on('close', () => clearInterval(drip))
          } else if (line.startsWith('RCPT') && pauses.resetLine && isFirstRecipient) {
            isFirstRecipient = false
            void answer(socket, '550 5.1.1 unknown')
          } else void answer(socket, inMessage ? '354 go on' : '250 ok', pauses.command)
        }
      }
    })
  })
}

describe('an attempt with a limit', () => {
  const listening: Listening[] = []
  after(() => Promise.all(listening.map((server) => server.stop())))

  async function attempt(limits: AttemptLimits, servers: Pauses[], sessions = new BatchSessions()) {
    const commands: string[] = []
    const started = await Promise.all(servers.map((pauses) => listen(slowServer(pauses, commands))))
    listening.push(...started)
    const hosts = started.map(({ port }) => ({ host: '127.0.0.1', port }))
    const send = async (limitsOfSend = limits) => {
      const budget = new AttemptBudget(limitsOfSend)
      const startedAt = performance.now()
      const outcomes = await deliverOverSmtp(
        { kind: 'SmartHosts', hosts },
        {
          message: message(),
          recipients: [recipient({ address: 'b@partner.example' })],
          content: Buffer.from('Subject: hello\r\n\r\nhello\r\n'),
          tls: opportunistic,
        },
        smtpOptions({ budget, open: (hop, options, mustBeNew) => sessions.open(hop, options, mustBeNew) }),
      )
      budget.end()
      const outcome = outcomes.get('b@partner.example')
      assert.ok(outcome)
      return { outcome, ms: performance.now() - startedAt }
    }
    return { send, commands, sessions }
  }

  it('ends at a server that answers each command in time, before the sum of the commands', async () => {
    const { send, commands } = await attempt({ messageMs: 250, finalReplyMs: 1000 }, [
      { greeting: 100, command: 100 },
    ])
    const { outcome, ms } = await send()
    assert.deepEqual(
      [outcome.outcome, outcome.reply.enhanced, outcome.unanswered],
      ['TemporaryFailure', '4.4.315', undefined],
    )
    assert.ok(ms >= 240 && ms < 900, `${ms} ms`)
    assert.ok(!commands.includes('DATA'), commands.join())
  })

  it('ends at a server that hangs before its greeting', async () => {
    const { send } = await attempt({ messageMs: 100, finalReplyMs: 1000 }, [{ greeting: 5_000 }])
    const { outcome, ms } = await send()
    assert.deepEqual([outcome.outcome, outcome.reply.enhanced], ['TemporaryFailure', '4.4.315'])
    assert.ok(ms < 1_000, `${ms} ms`)
  })

  it('has one limit for all its hosts together', async () => {
    const { send } = await attempt(
      { messageMs: 300, finalReplyMs: 1000 },
      Array.from({ length: 5 }, () => ({ greeting: 5_000 })),
    )
    const { outcome, ms } = await send()
    assert.equal(outcome.reply.enhanced, '4.4.315')
    assert.ok(ms < 1_200, `${ms} ms`)
  })

  it('waits for the reply to the message beyond the limit of the message', async () => {
    const { send } = await attempt({ messageMs: 300, finalReplyMs: 5_000 }, [{ message: 600 }])
    assert.equal((await send()).outcome.outcome, 'Delivered')
  })

  it('ends without a reply to the message, and says that the message may arrive twice', async () => {
    const { send } = await attempt({ messageMs: 5_000, finalReplyMs: 200 }, [{ message: 5_000 }])
    const { outcome, ms } = await send()
    assert.deepEqual(
      [outcome.outcome, outcome.reply.enhanced, outcome.unanswered],
      ['TemporaryFailure', '4.4.315', true],
    )
    assert.match(outcome.reply.text, /may arrive twice/)
    assert.ok(ms < 2_000, `${ms} ms`)
  })

  it('does not make later attempts skip a host for which its time was too short', async () => {
    const { send, sessions } = await attempt({ messageMs: 100, finalReplyMs: 1000 }, [{ greeting: 400 }])
    assert.equal((await send()).outcome.reply.enhanced, '4.4.315')
    const { outcome } = await send({ messageMs: 5_000, finalReplyMs: 1000 })
    assert.equal(outcome.outcome, 'Delivered')
    await sessions.close()
  })

  it('waits for the reply to RSET only a few seconds, even if its lines keep coming', async () => {
    const { send, sessions, commands } = await attempt({ messageMs: 60_000, finalReplyMs: 1000 }, [
      { resetLine: 200 },
    ])
    assert.equal((await send()).outcome.outcome, 'PermanentFailure')
    const { outcome, ms } = await send()
    assert.deepEqual([outcome.outcome, commands.includes('RSET')], ['Delivered', true])
    assert.ok(ms < 10_000, `${ms} ms`)
    await sessions.close()
  })

  it('does not limit the later attempts that use its session', async () => {
    const { send, sessions } = await attempt({ messageMs: 400, finalReplyMs: 400 }, [{ command: 50 }])
    for (let number = 0; number < 4; number++) {
      assert.equal((await send()).outcome.outcome, 'Delivered')
      await delay(200)
    }
    await sessions.close()
  })
})
