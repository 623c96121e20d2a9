/**
 * The connection of a random session: what the client has written and the server has read, and the other way round. Each
 * event is random: octets arrive in parts, the connection ends, a time limit is reached.
 */
import assert from 'node:assert/strict'
import { ClientSession, type Wait } from '../../../shared/net/smtp/client-session.ts'
import type { Random } from '../../support/random.ts'
import { flood, randomReply } from './alterations.ts'
import { ModelServer } from './model-server.ts'
import type { SessionPlan } from './session-plan.ts'
import { WireRecord } from './wire-record.ts'

export class RandomConnection {
  readonly #random: Random
  readonly #plan: SessionPlan
  readonly server: ModelServer
  readonly record: WireRecord
  readonly session: ClientSession
  /** Octets from the client that the server has not read. */
  #sent = ''
  #needsDrain = false
  #needsHandshake = false
  #wait: Wait | null = null
  /** Whether the client closes the connection when everything is written. */
  #isClosing = false
  isFlooded = false
  isTimedOut = false

  constructor(random: Random, plan: SessionPlan) {
    this.#random = random
    this.#plan = plan
    this.server = new ModelServer(random, plan.alterations)
    this.record = new WireRecord(plan)
    this.session = new ClientSession({
      write: (octets) => this.#write(octets),
      startTls: () => {
        this.#needsHandshake = true
      },
      end: () => {
        this.#isClosing = true
      },
      destroy: () => this.record.end('own'),
      startWait: (wait) => {
        assert.ok(wait === null || this.record.endCause === null, `the wait ${wait} after the end`)
        this.#wait = wait
      },
    })
  }

  /** As `SmtpConnection.quit`. */
  quit(): void {
    if (this.session.isIdle) {
      this.session.begin({ reply() {}, step: () => this.#endAfterQuit(), fault() {} })
      this.session.writeOpening('QUIT')
    } else this.#close()
  }

  /** Ends the connection. Octets that were written before may reach the server later. */
  end(): void {
    while (this.record.endCause === null) this.step()
    this.#endConnection('ECONNECTION')
    if (this.#random.happens(0.5)) this.#serverReads(this.#sent.length)
  }

  #endAfterQuit(): void {
    this.#isClosing = true
  }

  #close(): void {
    this.record.end('ECONNABORTED')
    this.session.destroy({ kind: 'Ended', cause: 'ECONNABORTED' })
  }

  #write(octets: string | Buffer): boolean {
    const text =
      typeof octets === 'string' ? Buffer.from(octets).toString('latin1') : octets.toString('latin1')
    assert.ok(!this.#isClosing, 'octets after QUIT')
    assert.ok(
      !(this.#needsDrain && this.record.isInContent),
      'content before the server has taken the last piece',
    )
    this.record.written(text)
    this.#sent += text
    this.#needsDrain ||= this.#random.happens(0.3)
    return !this.#needsDrain
  }

  /** Up to `limit` events, unless the connection ends. */
  steps(limit: number): void {
    for (let count = this.#random.between(0, limit + 1); count > 0 && this.record.endCause === null; count--)
      this.#act()
  }

  /** One event. When nothing can happen, the time limit is reached. */
  step(): void {
    if (this.#act()) return
    if (this.record.isAwaitingReply && this.record.endCause === null)
      assert.ok(this.#wait !== null, 'no wait for a reply')
    this.#timeOut()
  }

  /** @returns false when nothing can happen */
  #act(): boolean {
    const { alterations, endings } = this.#plan
    if (this.#random.happens(endings)) this.#endAtRandom()
    else if (alterations > 0 && this.#random.happens(alterations / 10))
      this.server.output += randomReply(this.#random)
    else if (alterations > 0 && this.#random.happens(0.0005)) this.#flood()
    else {
      const events = this.#possibleEvents
      if (events.length === 0) return false
      this.#random.of(events)()
    }
    this.#checkState()
    return true
  }

  get #possibleEvents(): (() => void)[] {
    const server = this.server
    const { output } = server
    if (this.#isClosing && !this.#needsDrain) return [() => this.#endConnection('ECONNECTION')]
    return [
      ...(this.#sent !== '' && !server.isClosed
        ? [() => this.#serverReads(this.#part(this.#sent.length))]
        : []),
      ...(output !== '' && !this.#needsHandshake ? [() => this.#deliver(this.#part(output.length))] : []),
      ...(this.#needsDrain ? [() => this.#drain()] : []),
      ...(this.#needsHandshake ? [() => this.#shakeHands()] : []),
      ...(server.isClosed && output === '' ? [() => this.#endConnection('ECONNECTION')] : []),
    ]
  }

  /** Mostly the whole; else one octet or more. */
  #part(length: number): number {
    return this.#random.happens(0.7) ? length : this.#random.of([1, this.#random.between(1, length + 1)])
  }

  #serverReads(length: number): void {
    const octets = this.#sent.slice(0, length)
    this.#sent = this.#sent.slice(length)
    this.server.read(octets)
  }

  #deliver(length: number): void {
    const octets = this.server.output.slice(0, length)
    this.server.output = this.server.output.slice(length)
    this.record.received(octets)
    this.session.receive(Buffer.from(octets, 'latin1'))
    if (this.record.isInHandshake)
      assert.equal(this.record.endCause, null, 'octets after the reply to STARTTLS have ended the session')
  }

  #drain(): void {
    this.#needsDrain = false
    this.session.drained()
  }

  #shakeHands(): void {
    this.#serverReads(this.#sent.length)
    this.#needsHandshake = this.#needsDrain = false
    // Octets in the clear that TLS does not take must change nothing.
    this.session.receive(Buffer.from(this.server.output, 'latin1'))
    if (!this.server.awaitsHandshake || this.#random.happens(0.1)) {
      this.#endConnection('ERR_SSL_WRONG_VERSION_NUMBER')
      return
    }
    this.server.secure()
    this.record.secure()
    this.session.finishHandshake()
    assert.ok(this.record.isAwaitingReply, 'no EHLO over TLS')
  }

  #flood(): void {
    this.isFlooded = true
    this.session.receive(Buffer.from(flood(this.#random), 'latin1'))
    if (!this.record.isInHandshake) assert.ok(this.session.unusableReason, 'usable after a flood')
    this.#endConnection('ECONNECTION')
  }

  #endAtRandom(): void {
    const ending = this.#random.of(['server', 'connection', 'timeout', 'abort', 'close'] as const)
    if (ending === 'server') this.server.close()
    else if (ending === 'connection')
      this.#endConnection(this.#random.of(['ECONNRESET', 'ECONNECTION', 'EPIPE']))
    else if (ending === 'timeout') this.#timeOut()
    else if (ending === 'abort') this.#abort()
    else this.#close()
  }

  #endConnection(cause: string): void {
    this.record.end(cause)
    this.session.connectionEnded(cause)
  }

  #timeOut(): void {
    this.record.end('ETIMEDOUT')
    this.session.timeOut()
  }

  #abort(): void {
    this.isTimedOut = true
    this.record.end('ETIMEDOUT')
    this.session.destroy({ kind: 'Ended', cause: 'ETIMEDOUT' })
  }

  #checkState(): void {
    const { isIdle, unusableReason } = this.session
    const { endCause, hasUnread, isAwaitingReply, isContentWritten } = this.record
    if (endCause !== null) {
      assert.ok(unusableReason, 'usable after the end')
      assert.equal(this.#wait, null, 'a wait after the end')
    }
    if (isIdle) {
      assert.ok(!hasUnread && !isAwaitingReply, 'idle with a reply that is not read')
      assert.equal(this.#wait, null, 'a wait of an idle session')
    }
    if (this.#wait === 'FinalReply')
      assert.ok(isContentWritten, 'no time limit before the end of the content')
  }
}
