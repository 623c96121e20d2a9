/** Plays one random session: the SMTP client without sockets, against a server that follows the protocol or does not. */
import assert from 'node:assert/strict'
import { checkExtensions, type Extensions } from '../../../shared/net/esmtp.ts'
import { MailTransaction, type OutgoingMail } from '../../../shared/net/smtp/mail-transaction.ts'
import { Negotiation, type NegotiationResult } from '../../../shared/net/smtp/negotiation.ts'
import { assessSession, type TlsClearance } from '../../../shared/net/smtp/tls-clearance.ts'
import { forcesTls } from '../../../shared/tls/requirement.ts'
import { establishedTls } from '../../support/client-player.ts'
import type { Random } from '../../support/random.ts'
import { checkAgainstModel } from './check-against-model.ts'
import { RandomConnection } from './random-connection.ts'
import { SeenTransaction } from './seen-transaction.ts'
import { randomPlan, type SessionPlan } from './session-plan.ts'

export class RandomSession {
  readonly #plan: SessionPlan
  readonly #connection: RandomConnection
  readonly transactions: SeenTransaction[] = []
  #isReset = true

  constructor(random: Random) {
    this.#plan = randomPlan(random)
    this.#connection = new RandomConnection(random, this.#plan)
  }

  get isSecure(): boolean {
    return this.#connection.record.isSecure
  }

  async play(): Promise<void> {
    const opening = this.#negotiate()
    if (opening.kind === 'Ready') {
      const clearance = await this.#assess()
      if (clearance) this.#sendMessages(clearance, opening.extensions)
    }
    this.#connection.quit()
    this.#connection.end()
    if (this.#plan.alterations === 0) checkAgainstModel(this.#connection.server, this.transactions)
  }

  #negotiate(): NegotiationResult {
    const results: NegotiationResult[] = []
    const { startTls } = this.#plan
    new Negotiation(
      this.#connection.session,
      { ehloName: 'mail.ours.example', startTls, onMilestone() {} },
      (result) => results.push(result),
    )
    while (results.length === 0) this.#connection.step()
    const [result] = results
    assert.ok(results.length === 1 && result, 'a second result of the negotiation')
    if (result.kind === 'Ready' && startTls === 'Required') assert.ok(this.isSecure, 'ready in the clear')
    return result
  }

  async #assess(): Promise<TlsClearance | null> {
    const { enforced } = this.#plan
    const { signal } = new AbortController()
    const tls = this.isSecure ? establishedTls : ({ kind: 'NotOffered', serverReply: null } as const)
    const checkRevocation = async () => {
      this.#connection.steps(3)
      return { status: 'Good', detail: '' } as never
    }
    if (forcesTls(enforced) && !this.isSecure)
      await assert.rejects(
        assessSession(this.#connection.session, establishedTls, {
          enforced: { ...enforced, revocationCheck: 'None' },
          signal,
        }),
      )
    const assessment = await assessSession(this.#connection.session, tls, {
      enforced,
      checkRevocation,
      signal,
    })
    if (assessment.kind !== 'Met') return null
    this.#connection.record.isCleared = true
    // In this time, the caller looks up whether BDAT is avoided.
    this.#connection.steps(2)
    return assessment.clearance
  }

  #sendMessages(clearance: TlsClearance, extensions: Extensions): void {
    for (const mail of this.#plan.messages) {
      if (checkExtensions(mail.mail, extensions)) continue
      if (this.transactions.length > 0 && !this.#prepareForNext(clearance)) return
      this.#sendMessage(mail, clearance, extensions)
      this.#connection.steps(2)
    }
  }

  /** As `SmtpSession.prepareForNext`. */
  #prepareForNext(clearance: TlsClearance): boolean {
    if (!this.#connection.session.isIdle) return false
    if (!this.#isReset) this.#isReset = this.#reset(clearance)
    return this.#isReset && this.#connection.session.isIdle
  }

  #reset(clearance: TlsClearance): boolean {
    let isReset = false
    let hasEnded = false
    const end = () => {
      assert.ok(!hasEnded, 'a second end of RSET')
      hasEnded = true
    }
    this.#connection.record.expectReset()
    this.#connection.session.begin({
      reply: ({ code }) => {
        isReset = code >= 200 && code < 300
      },
      step: () => {
        this.#connection.session.finish()
        end()
      },
      fault: end,
    })
    this.#connection.session.write(clearance, 'RSET\r\n', 1)
    this.#connection.session.startWait('ShortReply')
    while (!hasEnded) this.#connection.step()
    return isReset
  }

  #sendMessage(mail: OutgoingMail, clearance: TlsClearance, extensions: Extensions): void {
    const usesChunking = this.#plan.usesChunking && extensions.has('CHUNKING')
    const mayShareFlight = this.transactions.length !== 1
    const transaction = new SeenTransaction(mail, usesChunking)
    this.#connection.record.expectTransaction(transaction, mayShareFlight)
    this.transactions.push(transaction)
    let sentCount = 0
    const options = {
      ...{ extensions, usesChunking, mayShareFlight, limits: this.#plan.limits },
      isTimedOut: () => this.#connection.isTimedOut,
      onContentSent() {
        sentCount++
      },
    }
    new MailTransaction(this.#connection.session, clearance, mail, options, (result) => {
      this.#isReset = [...result.replies.values()].some(({ code }) => code < 300)
      if (this.#connection.isFlooded) transaction.result = result
      else transaction.check(result, this.#connection.record.ending)
    })
    while (transaction.result === null) this.#connection.step()
    assert.equal(sentCount, transaction.isContentWritten ? 1 : 0, 'onContentSent')
  }
}
