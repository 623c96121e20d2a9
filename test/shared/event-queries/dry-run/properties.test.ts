/** Properties of dry runs that hold for any connectors and any message. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AuthenticationResult } from '../../../../shared/contract/authentication.ts'
import { type ClientCertificate, type Message, newRecipient } from '../../../../shared/contract/message.ts'
import type { Revocation } from '../../../../shared/contract/revocation.ts'
import { compareDryRuns, dryRun } from '../../../../shared/event-queries/dry-run/dry-run.ts'
import type { DryRunResult } from '../../../../shared/event-queries/dry-run/dry-run-result.ts'
import { admitRecipient } from '../../../../shared/policy/admit-recipient.ts'
import { connectorsCheckingRevocation } from '../../../../shared/policy/client-revocation.ts'
import { evaluate, inboundByRecipient, sessionOf } from '../../../../shared/policy/evaluate.ts'
import { recipientScope } from '../../../../shared/policy/inbound.ts'
import { authenticationNeed } from '../../../../shared/policy/needs-authentication.ts'
import { compileSnapshot, type Snapshot } from '../../../../shared/policy/snapshot.ts'
import { authenticated, message } from '../../../support/fixtures.ts'
import {
  anyConnectors,
  anyIp,
  anyRecipientDomain,
  anySender,
  anyTls,
  type Connectors,
  domains,
} from '../../../support/policy/arbitrary.ts'
import { receivedAt } from '../../policy/cases/notation.ts'
import { factsOfMessage, factsOfRefusal } from './past-events.ts'

const runs = { numRuns: 2000 }
const settings = { defaultRoute: 'Mx' } as const

const compile = ({ acceptedDomains, ...connectors }: Connectors): Snapshot =>
  compileSnapshot({
    ...connectors,
    version: 1,
    acceptedDomains: acceptedDomains.map((domain) => ({ domain })),
  })

const anyMessage: fc.Arbitrary<Message> = fc
  .record({
    from: anySender,
    ip: anyIp,
    tls: anyTls,
    dmarc: fc.constantFrom(...AuthenticationResult.options),
    fromDomain: fc.option(fc.constantFrom(...domains)),
  })
  .map(({ from, ip, tls, dmarc, fromDomain }) =>
    message({
      receivedAt: receivedAt.toISOString(),
      mailFrom: from.mailFrom,
      tls,
      source: { ip, port: 0, helo: '' },
      authentication: authenticated(dmarc, fromDomain),
    }),
  )

interface Expected {
  outcome: string
  reason: string
  connector: string | null
}

/** Decides as the ingress and evaluate-policy do, with the session's facts as they are. */
function decide(snapshot: Snapshot, given: Message, address: string): Expected {
  const { authentication, ...inSession } = given
  const rcpt = admitRecipient(snapshot, inboundByRecipient(snapshot, inSession)(address), address)
  if (rcpt.action === 'Refuse') return { outcome: 'Refused', reason: rcpt.reason, connector: rcpt.connector }
  const job = { recipients: [newRecipient(address)], notBefore: null }
  const isAuthenticated = authenticationNeed(snapshot, inSession, job).kind === 'Authenticate'
  const decided = { ...inSession, ...(isAuthenticated && { authentication }) } as Message
  const [verdict = assert.fail('no verdict')] = evaluate({
    ...{ snapshot, settings, message: decided },
    recipients: [newRecipient(address)],
    now: receivedAt,
  })
  const { inbound, outbound } = verdict.connectors
  const { reason, action } = verdict
  if (action === 'Deliver') return { outcome: 'Sent', reason, connector: outbound }
  const connector = reason.startsWith('Inbound') ? inbound : null
  return { outcome: action === 'Defer' ? 'Held' : 'Bounced', reason, connector }
}

const withStatus = (given: Message, status: Revocation['status']): Message => {
  const certificate = given.tls.clientCertificate as ClientCertificate
  return {
    ...given,
    tls: { ...given.tls, clientCertificate: { ...certificate, revocation: { status, detail: '' } } },
  }
}

/** The ingress checks it in the session, before the message is authenticated. */
function checksRevocation(snapshot: Snapshot, given: Message, address: string): boolean {
  const { authentication: _, ...inSession } = given
  const session = sessionOf(inSession, given.source?.ip ?? '')
  return connectorsCheckingRevocation(snapshot, session, recipientScope(snapshot, address)).length > 0
}

/** The messages that are possible where the ingress did not check the revocation, and would now. */
const possible = (snapshot: Snapshot, given: Message, address: string): Message[] =>
  checksRevocation(snapshot, given, address)
    ? (['Good', 'Unknown', 'Revoked'] as const).map((status) => withStatus(given, status))
    : [given]

/** The certificates of these tests that are described by their facts have no chain. */
const hasKnownChain = ({ tls }: Message): boolean =>
  tls.clientCertificate === null || tls.clientCertificate.chain.length > 0

const textOf = ({ outcome, reason, connector }: Expected): string => [outcome, reason, connector].join(' ')
const resultText = (result: DryRunResult): string | null =>
  result.outcome === 'Undetermined' ? null : textOf(result)

/** Whether a connector with its own authorities may read the chain. */
const readsChain = (snapshot: Snapshot): boolean =>
  [...snapshot.all.inbound.values()].some(({ connector }) => connector.certificateAuthorities.length > 0)

test('a dry run of accepted mail has the result of the functions that decide mail, if the facts are there', () => {
  const counts = { determined: 0, undetermined: 0, unlessRevoked: 0 }
  fc.assert(
    fc.property(anyConnectors, anyMessage, anyRecipientDomain, (connectors, given, domain) => {
      const snapshot = compile(connectors)
      const address = `b@${domain}`
      const result = dryRun(factsOfMessage(given, address), snapshot, settings)
      const all = possible(snapshot, given, address)
      const expected = all.map((each) => textOf(decide(snapshot, each, address)))
      const isKnown = hasKnownChain(given) || !readsChain(snapshot)
      if (result.outcome === 'Undetermined') {
        counts.undetermined += 1
        // Good and unknown revocation differ only with HardFail.
        if (isKnown) assert.ok(new Set(expected.slice(0, 2)).size > 1, result.missing)
        return
      }
      const isUnlessRevoked = result.unlessRevoked === true
      counts[isUnlessRevoked ? 'unlessRevoked' : 'determined'] += 1
      const determined = isUnlessRevoked ? expected.slice(0, 2) : expected
      assert.deepEqual([...new Set(determined)], [textOf(result)])
    }),
    runs,
  )
  assert.ok(counts.determined > 0.8 * runs.numRuns, JSON.stringify(counts))
  assert.ok(counts.undetermined > 0, JSON.stringify(counts))
})

test('a dry run without the chain has the result of real mail, or names the chain', () => {
  let undetermined = 0
  const anyPresented = anyMessage.filter(({ tls }) => (tls.clientCertificate?.chain.length ?? 0) > 0)
  fc.assert(
    fc.property(anyConnectors, anyPresented, anyRecipientDomain, (connectors, presented, domain) => {
      const snapshot = compile(connectors)
      const given = withStatus(presented, 'Good')
      const address = `b@${domain}`
      const { clientChain: _, ...facts } = factsOfMessage(given, address)
      const result = dryRun(facts, snapshot, settings)
      if (result.outcome === 'Undetermined') {
        undetermined += 1
        assert.match(result.missing, /^The events do not hold the chain of the client certificate/)
      } else assert.equal(textOf(result), textOf(decide(snapshot, given, address)))
    }),
    runs,
  )
  assert.ok(undetermined > 0.01 * runs.numRuns, `${undetermined}`)
})

test('a dry run of a refused session has the same result as one of accepted mail, as far as the session shows it', () => {
  let determined = 0
  fc.assert(
    fc.property(anyConnectors, anyMessage, anyRecipientDomain, (connectors, given, domain) => {
      const snapshot = compile(connectors)
      const address = `b@${domain}`
      const { authentication: _, ...session } = given
      const ofRefusal = dryRun(
        factsOfRefusal(session, address, { reason: 'RelayDenied' }),
        snapshot,
        settings,
      )
      const ofMail = dryRun(factsOfMessage(given, address), snapshot, settings)
      if (ofRefusal.outcome === 'Undetermined') return
      determined += 1
      assert.deepEqual(ofRefusal, ofMail)
    }),
    runs,
  )
  assert.ok(determined > 0.8 * runs.numRuns, `${determined}`)
})

test('a comparison of equal connectors finds no difference, whatever is missing', () =>
  void fc.assert(
    fc.property(anyConnectors, anyMessage, anyRecipientDomain, (connectors, given, domain) => {
      const facts = factsOfMessage(given, `b@${domain}`, { recipients: 2 })
      const compared = compareDryRuns(facts, compile(connectors), compile(connectors), settings)
      assert.equal(compared.kind, 'Same')
    }),
    runs,
  ))

test('a comparison of two snapshots finds a difference exactly where real mail has one, or names a missing fact', () => {
  const counts = { Same: 0, Different: 0, Undetermined: 0 }
  fc.assert(
    fc.property(anyConnectors, anyConnectors, anyMessage, anyRecipientDomain, (one, other, given, domain) => {
      const [before, after] = [compile(one), compile({ ...other, acceptedDomains: one.acceptedDomains })]
      const address = `b@${domain}`
      const compared = compareDryRuns(factsOfMessage(given, address), before, after, settings)
      counts[compared.kind] += 1
      if (compared.kind === 'Undetermined') return
      const pairs = unrevoked.map((status) =>
        [before, after].map((snapshot) =>
          textOf(decide(snapshot, checked(snapshot, given, address, status), address)),
        ),
      )
      for (const [first, second] of pairs) {
        // Two levels of one outcome differ too.
        if (compared.kind === 'Same') assert.equal(first, second)
        else {
          assert.ok([first, null].includes(resultText(compared.before)))
          assert.ok([second, null].includes(resultText(compared.after)))
        }
      }
    }),
    runs,
  )
  assert.ok(counts.Same > 0 && counts.Different > 0, JSON.stringify(counts))
})

/** A comparison may hold only unless the certificate was revoked. */
const unrevoked = ['Good', 'Unknown'] as const

/** The message with the revocation that the ingress would find, if it checks it under these connectors. */
const checked = (
  snapshot: Snapshot,
  given: Message,
  address: string,
  status: Revocation['status'],
): Message => (checksRevocation(snapshot, given, address) ? withStatus(given, status) : given)
