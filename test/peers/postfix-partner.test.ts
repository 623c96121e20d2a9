/**
 * Postfix as the partner, in the configurations that its administrator may choose, and the project's own delivery to it
 * at each level. Postfix's log shows how the session was encrypted and at which command it ended.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { deliverToHops, type Outcome, type SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import { message, recipient } from '../support/fixtures.ts'
import { missing, Postfix, type PostfixOptions } from '../support/peers/peers.ts'
import { createPki, daysFromNow, type Identity, type Pki, selfSigned } from '../support/pki.ts'
import { smtpOptions } from '../support/smtp-options.ts'

const skip = missing('postfix', 'apt-get install postfix', true)

const host = 'mx.partner.example'
const domain = 'partner.example'
const levels = ['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'] as const
type Level = (typeof levels)[number]

/**
 * The result for a message: how it arrives, or the code of its deferral; and the line that Postfix logs about the
 * session.
 */
interface Expected {
  outcome: 'TLS' | 'clear' | string
  logs: RegExp
}

interface State {
  tls?: (pki: Pki) => Promise<Identity>
  settings?: Record<string, string>
  /** In the order of the levels. */
  expected: [Expected, Expected, Expected, Expected]
}

const anonymous = /Anonymous TLS connection established from \S+: TLSv1\.3 with cipher TLS_\S+/
const issueFor = (names: string[]) => (pki: Pki) => pki.issue({ names })
const tls: Expected = { outcome: 'TLS', logs: anonymous }
/** The session reached TLS and was then ended by the client. */
const endedByClient = (code: string): Expected => ({ outcome: code, logs: anonymous })

const unencrypted: Expected = { outcome: '4.7.321', logs: /disconnect from .* ehlo=1 .*commands=/ }
/** Postfix gives the reason over TLS. */
const noCertificate: Expected = { outcome: '4.7.1', logs: /TLS from \S+: No client certificate presented/ }
const noHandshake: Expected = { outcome: '4.7.5', logs: /SSL_accept error from/ }

const states: Record<string, State> = {
  'a certificate of its own CA': { tls: issueFor([host]), expected: [tls, tls, tls, tls] },
  'no TLS': {
    expected: [
      { outcome: 'clear', logs: /disconnect from .* mail=1 / },
      unencrypted,
      unencrypted,
      unencrypted,
    ],
  },
  'a self-signed certificate': {
    tls: () => selfSigned({ names: [host] }),
    expected: [tls, tls, endedByClient('4.7.320'), endedByClient('4.7.320')],
  },
  'a certificate for another name': {
    tls: issueFor(['mx.elsewhere.example']),
    expected: [tls, tls, tls, endedByClient('4.7.325')],
  },
  'an expired certificate': {
    tls: (pki) => pki.issue({ names: [host], notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
    expected: [tls, tls, endedByClient('4.7.322'), endedByClient('4.7.322')],
  },
  'TLS 1.1 at most': {
    tls: issueFor([host]),
    settings: { smtpd_tls_protocols: '<=TLSv1.1', tls_medium_cipherlist: 'DEFAULT:@SECLEVEL=0' },
    expected: [{ outcome: 'clear', logs: /SSL_accept error from/ }, noHandshake, noHandshake, noHandshake],
  },
  'a requirement of a client certificate': {
    tls: issueFor([host]),
    settings: { smtpd_tls_security_level: 'encrypt', smtpd_tls_req_ccert: 'yes' },
    expected: [noCertificate, noCertificate, noCertificate, noCertificate],
  },
}

let pki: Pki
let running: Map<string, Postfix>
let folder: string | null = null

before(
  async () => {
    if (skip) return
    pki = await createPki()
    folder = mkdtempSync(join(tmpdir(), 'mailflow-authority-'))
    const smtpd_tls_CAfile = join(folder, 'ca.pem')
    writeFileSync(smtpd_tls_CAfile, pki.ca)
    const startedServers = Object.entries(states).map(async ([name, { tls: issue, settings = {} }]) => {
      const identity = await issue?.(pki)
      const options: PostfixOptions = {
        domain,
        settings: { ...settings, smtpd_tls_CAfile },
        ...(identity && { tls: identity }),
      }
      return [name, await Postfix.start(options)] as const
    })
    running = new Map(await Promise.all(startedServers))
  },
  { timeout: 120_000 },
)

after(async () => {
  for (const postfix of running?.values() ?? []) await postfix.stop()
  if (folder) rmSync(folder, { recursive: true })
})

const content = Buffer.from('From: a@ours.example\r\nSubject: hello\r\n\r\nThe secret is 4711.\r\n')

function requirement(level: Level, fields: Partial<TlsRequirement> = {}): TlsRequirement {
  return {
    level,
    mode: 'Enforce',
    tlsDomain: level === 'DomainValidation' ? host : null,
    certificateAuthorities: level === 'Opportunistic' ? [] : [pki.ca],
    minimumTlsVersion: 'TLSv1.2',
    revocationCheck: 'SoftFail',
    smtpDaneMode: 'Opportunistic',
    mtaStsMode: 'Opportunistic',
    clientCertificate: null,
    ...fields,
  }
}

async function send(
  postfix: Postfix,
  tls: TlsRequirement,
  credentials: SmtpDeliveryOptions['readCredentials'] = async () => {
    throw new Error('no secret')
  },
): Promise<Outcome> {
  const hop = {
    host,
    ip: '127.0.0.1',
    port: postfix.port,
    foundBy: 'SmartHost',
    authentic: true,
    dane: { kind: 'None' },
  } as const
  const address = `bob@${domain}`
  const mail = { message: message(), recipients: [recipient({ address })], content, tls }
  const outcomes = await deliverToHops(
    [hop],
    mail,
    smtpOptions({
      readCredentials: credentials,
      signal: AbortSignal.timeout(60_000),
    }),
  )
  const outcome = outcomes.get(address)
  assert.ok(outcome)
  return outcome
}

const resultText = (outcome: Expected['outcome']): string => {
  if (outcome === 'TLS') return 'is delivered over TLS'
  return outcome === 'clear' ? 'is delivered in the clear' : `is deferred with ${outcome}`
}

const partner = (state: string): Postfix => running.get(state) ?? assert.fail(`no Postfix with ${state}`)

describe('mail to Postfix', { skip, timeout: 300_000 }, () => {
  for (const [state, { expected }] of Object.entries(states))
    for (const [index, level] of levels.entries()) {
      const { outcome: expectedOutcome, logs } = expected[index] as Expected
      it(`with ${state}, under the requirement ${level}, ${resultText(expectedOutcome)}`, {
        timeout: 60_000,
      }, async () => {
        const postfix = partner(state)
        const start = postfix.log.length
        const storedCount = postfix.mailbox().length
        const outcome = await send(postfix, requirement(level))
        const isDelivered = expectedOutcome === 'TLS' || expectedOutcome === 'clear'
        assert.equal(outcome.outcome === 'Delivered', isDelivered, formatReply(outcome.reply))
        assert.equal(outcome.tls !== null, logs === anonymous)
        if (!isDelivered) assert.equal(outcome.reply.enhanced, expectedOutcome, formatReply(outcome.reply))
        await postfix.logged(logs, start)
        if (isDelivered) {
          await postfix.logged(/to=<bob@partner\.example>.*status=sent/, start)
          await postfix.logged(/disconnect from .*mail=1/, start)
          assert.equal(postfix.mailbox().length, storedCount + 1)
          assert.match(postfix.mailbox().join('\n'), /4711/)
        } else {
          const disconnect = await postfix.logged(/disconnect from/, start)
          assert.doesNotMatch(disconnect, /mail=1|rcpt=|data=/)
          assert.equal(postfix.mailbox().length, storedCount)
        }
        const acceptedLines = postfix.log.slice(start).filter((line) => /from=<|client=/.test(line))
        assert.equal(acceptedLines.length > 0, isDelivered, acceptedLines.join('\n'))
      })
    }

  it('with a requirement of a client certificate is delivered when Postfix trusts the certificate', async () => {
    const postfix = partner('a requirement of a client certificate')
    const start = postfix.log.length
    const presented = await pki.issue({
      names: ['mail.ours.example'],
      purposes: ['clientAuth', 'serverAuth'],
    })
    const outcome = await send(
      postfix,
      requirement('DomainValidation', { clientCertificate: 'ours' }),
      async (name) => {
        assert.equal(name, 'ours')
        return { certificate: presented.cert, privateKey: presented.key }
      },
    )
    assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
    assert.equal(outcome.tls?.verified, true)
    await postfix.logged(/Trusted TLS connection established from \S+: TLSv1\.3/, start)
    await postfix.logged(/disconnect from .*mail=1/, start)
  })

  it('with a requirement of a client certificate is deferred, without MAIL FROM, when Postfix does not trust the certificate', async () => {
    const postfix = partner('a requirement of a client certificate')
    const start = postfix.log.length
    const presented = await selfSigned({ names: ['mail.ours.example'] })
    const outcome = await send(
      postfix,
      requirement('DomainValidation', { clientCertificate: 'ours' }),
      async () => ({ certificate: presented.cert, privateKey: presented.key }),
    )
    assert.equal(outcome.outcome, 'TemporaryFailure', formatReply(outcome.reply))
    await postfix.logged(/Untrusted TLS connection established from/, start)
    const disconnect = await postfix.logged(/disconnect from/, start)
    assert.doesNotMatch(disconnect, /mail=1/)
  })
})
