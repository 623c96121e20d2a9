/** Plays a transcript (test/shared/net/smtp/dialogs.test.ts) against the SMTP client, without sockets. */
import assert from 'node:assert/strict'
import { basicEnvelope, type Envelope, type Recipient } from '../../shared/contract/message.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { checkExtensions, type Extensions, traitsOf } from '../../shared/net/esmtp.ts'
import { ClientSession, type ClientTransport } from '../../shared/net/smtp/client-session.ts'
import { MailTransaction } from '../../shared/net/smtp/mail-transaction.ts'
import { Negotiation, type NegotiationResult, type StartTlsMode } from '../../shared/net/smtp/negotiation.ts'
import { assessSession, type TlsClearance } from '../../shared/net/smtp/tls-clearance.ts'
import type { Transaction } from '../../shared/net/smtp/transaction-replies.ts'
import { replyForFault } from '../../shared/net/smtp-faults.ts'
import { type HopRequirement, opportunistic } from '../../shared/tls/requirement.ts'
import { recipient } from './fixtures.ts'

export const establishedTls = {
  kind: 'Established',
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: 'X25519',
  trusted: false,
  trustedBy: [],
  trustError: 'SELF_SIGNED',
  names: { subjectAltNames: [], commonName: null },
  fingerprint256: null,
  chain: [],
  certificates: [],
} as const

export class ClientPlayer {
  readonly #inPieces: boolean
  readonly #written: Buffer[] = []
  readonly #transport: ClientTransport
  readonly #session: ClientSession
  #handshakeRequested = false
  #isClosed = false
  #opening: NegotiationResult | null = null
  #extensions: Extensions = new Map()
  #clearance: TlsClearance | null = null
  #result: Transaction | null = null
  #transactions = 0
  #usesChunking = true
  #envelope: Partial<Envelope> = {}
  #recipientFields: Partial<Recipient> = {}

  constructor(inPieces: boolean) {
    this.#inPieces = inPieces
    this.#transport = {
      write: (octets) => {
        this.#written.push(Buffer.from(octets))
        return true
      },
      startTls: () => {
        this.#handshakeRequested = true
      },
      end: () => {
        this.#isClosed = true
      },
      destroy: () => {
        this.#isClosed = true
      },
      startWait() {},
    }
    this.#session = new ClientSession(this.#transport)
  }

  async play(steps: readonly string[]): Promise<void> {
    const settings = new Map(steps.filter(isSetting).map((step) => step.split(' ') as [string, string]))
    this.#usesChunking = !settings.has('without')
    const options = {
      ehloName: 'mail.ours.example',
      startTls: (settings.get('starttls') ?? 'WhenOffered') as StartTlsMode,
      onMilestone() {},
    }
    new Negotiation(this.#session, options, (result) => {
      this.#opening = result
    })
    const enforced = {
      ...opportunistic,
      level: settings.get('requires') ?? 'Opportunistic',
      source: 'Connector',
    } as HopRequirement
    let pending = ''
    for (const step of steps.filter((each) => !isSetting(each))) {
      if (/^S[:>] /.test(step)) {
        pending += `${octetsOf(step.slice(3))}\r\n`
        continue
      }
      this.#receive(pending, steps.includes(`S> ${pending.trimEnd().split('\r\n').at(-1)}`))
      pending = ''
      await this.#perform(step, enforced)
    }
    this.#receive(pending, false)
    assert.equal(Buffer.concat(this.#written).toString('latin1'), '', 'no further octets')
  }

  #receive(text: string, isWhole: boolean): void {
    const octets = Buffer.from(text, 'latin1')
    if (!this.#inPieces || isWhole) this.#session.receive(octets)
    else for (const octet of octets) this.#session.receive(Buffer.from([octet]))
  }

  async #perform(step: string, enforced: HopRequirement): Promise<void> {
    const [, times, line] = /^C(?:\*(\d+))?: ?(.*)$/.exec(step) ?? []
    const [word, rest = ''] = step.split(/ (.*)/)
    if (line !== undefined) this.#expectLines(octetsOf(line), Number(times ?? 1))
    else if (step === 'TLS') this.#finishHandshake()
    else if (step === 'ready') await this.#assess(enforced)
    else if (step.startsWith('failed: ') || step.startsWith('no TLS: ')) assert.equal(this.#failure, step)
    else if (word === 'envelope') this.#envelope = JSON.parse(rest)
    else if (word === 'recipient') this.#recipientFields = JSON.parse(rest)
    else if (word === 'refused') this.#send(rest, true)
    else if (word === 'send') this.#send(rest)
    else if (word === 'received') this.#expectOctets(Number(rest))
    else if (word === 'state:') assert.equal(this.#state, rest)
    else if (step === 'reset') this.#write('RSET')
    else if (step === 'quit') this.#quit()
    else if (step === 'times out') this.#session.timeOut()
    else if (step === 'ends') this.#session.connectionEnded('ECONNECTION')
    else if (step === 'closed') assert.ok(this.#isClosed, 'the client has closed the connection')
    else this.#expectReply(step)
  }

  #expectLines(line: string, count: number): void {
    const expected = `${line}\r\n`.repeat(count)
    const written = Buffer.concat(this.#written).toString('latin1')
    assert.equal(written.slice(0, expected.length), expected)
    this.#written.splice(0, Number.POSITIVE_INFINITY, Buffer.from(written.slice(expected.length), 'latin1'))
  }

  #expectOctets(count: number): void {
    const written = Buffer.concat(this.#written)
    assert.ok(written.length >= count, `${written.length} octets`)
    assert.ok(!written.subarray(0, count).includes('BDAT'), 'content only')
    this.#written.splice(0, Number.POSITIVE_INFINITY, written.subarray(count))
  }

  #finishHandshake(): void {
    assert.ok(this.#handshakeRequested, 'the client has asked for a handshake')
    this.#handshakeRequested = false
    this.#session.finishHandshake()
  }

  async #assess(enforced: HopRequirement): Promise<void> {
    assert.equal(this.#opening?.kind, 'Ready')
    if (this.#opening?.kind === 'Ready') this.#extensions = this.#opening.extensions
    const tls = this.#session.isSecure ? establishedTls : ({ kind: 'NotOffered', serverReply: null } as const)
    const assessment = await assessSession(this.#session, tls, {
      enforced,
      signal: AbortSignal.timeout(10_000),
    })
    assert.equal(assessment.kind, 'Met')
    if (assessment.kind === 'Met') this.#clearance = assessment.clearance
  }

  get #failure(): string {
    const opening = this.#opening
    if (opening?.kind === 'Failed') return `failed: ${formatReply(replyForFault(opening.fault))}`
    if (opening?.kind !== 'TlsFailed') return 'no failure'
    return `no TLS: ${opening.tls.kind === 'NotOffered' ? opening.tls.serverReply : opening.tls.cause}`
  }

  #send(text: string, isRefusedBefore = false): void {
    const [, from = '', to = '', body = ''] = /^(\S+|\d+ octets) > ([^:]*)(?:: (.*))?$/.exec(text) ?? []
    const octets = / octets$/.test(from) ? Number.parseInt(from, 10) : 0
    const content = Buffer.from(octets > 0 ? `${'x'.repeat(octets - 2)}\r\n` : octetsOf(body), 'latin1')
    const recipients = to.split(', ').map((address) => recipient({ address, ...this.#recipientFields }))
    const envelope = { ...basicEnvelope(octets > 0 || from === '<>' ? '' : from), ...this.#envelope }
    const mail = traitsOf(envelope, recipients, content)
    const refusal = checkExtensions(mail, this.#extensions)
    assert.equal(refusal === null, !isRefusedBefore)
    this.#result = null
    if (refusal) {
      const replies = new Map(recipients.map(({ address }) => [address, refusal]))
      this.#result = { replies, isNotBegun: false, unanswered: [], chunkingFault: null }
      return
    }
    new MailTransaction(
      this.#session,
      this.#clearance as TlsClearance,
      { mail, recipients, content },
      {
        extensions: this.#extensions,
        usesChunking: this.#usesChunking && this.#extensions.has('CHUNKING'),
        mayShareFlight: this.#transactions !== 1,
        isTimedOut: () => false,
        onContentSent() {},
      },
      (result) => {
        this.#result = result
      },
    )
    this.#transactions++
  }

  #write(command: string): void {
    this.#session.begin({ reply() {}, step: () => this.#session.finish(), fault() {} })
    this.#session.write(this.#clearance as TlsClearance, `${command}\r\n`, 1)
  }

  #quit(): void {
    this.#session.begin({ reply() {}, step: () => this.#transport.end(), fault() {} })
    this.#session.writeOpening('QUIT')
  }

  get #state(): string {
    const { isNotBegun = false, unanswered = [], chunkingFault = null } = this.#result ?? {}
    const words = [
      ...(isNotBegun ? ['isNotBegun'] : []),
      ...(unanswered.length > 0 ? ['unanswered'] : []),
      ...(chunkingFault ? [`BDAT-${chunkingFault}`] : []),
      ...(this.#session.isIdle ? ['idle'] : []),
    ]
    return words.join(' ')
  }

  #expectReply(step: string): void {
    const [, address = '', text] = /^(\S+@\S+): (.*)$/.exec(step) ?? []
    assert.ok(text !== undefined, `unknown step: ${step}`)
    const reply = this.#result?.replies.get(address)
    assert.equal(reply && formatReply(reply), text)
  }
}

const isSetting = (step: string): boolean => /^(starttls|requires|without) /.test(step)

function octetsOf(text: string): string {
  const escapes: Record<string, string> = { r: '\r', n: '\n', '0': '\0', '\\': '\\' }
  return text.replace(/\\(?:([rn0\\])|x([0-9a-f]{2}))/g, (_, letter: string, hexadecimal: string) =>
    letter ? (escapes[letter] ?? '') : String.fromCharCode(Number.parseInt(hexadecimal, 16)),
  )
}
