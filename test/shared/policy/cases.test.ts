/**
 * The table of cases, a chapter a file in cases/: which connectors are considered for a message, which decides, what
 * the server answers and what becomes of each recipient. Each case is asked of explain(), of the functions that
 * decide and of the early answer at RCPT TO, with the connectors in both orders; all have to say the same.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector, OutboundConnector } from '../../../shared/connectors/schema.ts'
import type { Route, TlsRequirement } from '../../../shared/contract/jobs.ts'
import { type Message, plaintext, type Recipient } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admit } from '../../../shared/policy/admit.ts'
import { evaluate, judgeMessage, type Verdict } from '../../../shared/policy/evaluate.ts'
import { explain, explainer } from '../../../shared/policy/explain.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { message, recipient, snapshot } from '../../support/fixtures.ts'
import { addresses } from './cases/addresses.ts'
import { certificates } from './cases/certificates.ts'
import { deferAndHold } from './cases/defer-and-hold.ts'
import { accepted, type Case, mailboxes, type Outcomes, receivedAt } from './cases/notation.ts'
import { onPremises } from './cases/on-premises.ts'
import { outboundSelection } from './cases/outbound-selection.ts'
import { recipientsAndRoutes } from './cases/recipients-and-routes.ts'
import { reportOnly } from './cases/report-only.ts'
import { retriesAndExpiry } from './cases/retries-and-expiry.ts'
import { senderDomains } from './cases/sender-domains.ts'
import { tls } from './cases/tls.ts'
import { unreadable } from './cases/unreadable.ts'
import { whichConnector } from './cases/which-connector.ts'

const chapters = [
  senderDomains,
  whichConnector,
  tls,
  certificates,
  addresses,
  onPremises,
  reportOnly,
  deferAndHold,
  recipientsAndRoutes,
  outboundSelection,
  retriesAndExpiry,
  unreadable,
]

for (const { title, cases } of chapters)
  describe(title, () => {
    for (const row of cases) test(row.name, () => check(row))
  })

test('the chapters hold at least 150 cases, no two of one name', () => {
  const names = chapters.flatMap(({ title, cases }) => cases.map(({ name }) => `${title}: ${name}`))
  assert.ok(names.length >= 150, `${names.length} cases`)
  assert.equal(new Set(names).size, names.length)
})

function check(row: Case): void {
  const connectors = [...(row.mailboxes === false ? [] : [mailboxes()]), ...(row.connectors ?? [])]
  for (const order of [connectors, connectors.toReversed()]) {
    const given = compile(row, order)
    const verdict = decide(row, given)
    assert.equal(inWords(verdict), row.expected.verdict)
    if (verdict.action !== 'Deliver') assert.match(formatReply(verdict.reply), /^([45])\d\d \1\.\d+\.\d+ /)
    const { inbound, outbound } = verdict.connectors
    assert.equal(nameOf(given, inbound), expectedInbound(row), 'the inbound connector of the verdict')
    assert.equal(nameOf(given, outbound), expectedOutbound(row), 'the outbound connector of the verdict')
    const considered = explainer(given, messageOf(row))(addressOf(row))
    assert.deepEqual(outcomes(considered, 'Inbound'), Object.entries(row.inbound ?? {}))
    assert.deepEqual(outcomes(considered, 'Outbound'), Object.entries(row.outbound ?? ordinary(row)))
    const whys = [verdict.explanation, ...considered.map(({ why }) => why)]
    if (row.why !== undefined)
      assert.ok(
        whys.some((why) => why.includes(row.why as string)),
        whys.join('\n'),
      )
    checkSession(row, given, verdict)
    if (isFirst(row)) checkExplanation(row, given, verdict, considered)
  }
}

/** What is refused in session would not be delivered later; what is taken does not bounce when first decided. */
function checkSession(row: Case, given: Snapshot, verdict: Verdict): void {
  if (row.expected.inSession === null) return
  const admission = admit(given, judgeMessage(given, messageOf(row)), addressOf(row))
  const answer = admission.action === 'Refuse' ? formatReply(admission.reply) : accepted
  assert.equal(answer, row.expected.inSession)
  if (admission.action === 'Refuse') assert.notEqual(verdict.action, 'Deliver')
  else assert.notEqual(verdict.action, 'Bounce')
  if (admission.action === 'Refuse' && verdict.action === 'Bounce')
    assert.equal(admission.reason, verdict.reason)
}

function checkExplanation(row: Case, given: Snapshot, verdict: Verdict, considered: unknown[]): void {
  const { envelope, source, tls } = messageOf(row)
  const question = { mailFrom: envelope.mailFrom, rcptTo: [addressOf(row)], ip: source?.ip ?? '', tls }
  const settings = { defaultRoute: row.defaultRoute ?? 'Mx' }
  const explained = explain(given, settings, question, receivedAt)
  const [answer] = explained.recipients
  assert.ok(answer)
  assert.deepEqual(answer.verdict, verdict)
  assert.equal(formatReply(answer.inSession), row.expected.inSession)
  assert.deepEqual([...explained.considered, ...answer.considered], considered)
  const leaves = verdict.action === 'Deliver' ? [verdict.route, verdict.tls] : [null, null]
  assert.deepEqual([answer.route, answer.tls], leaves)
}

/** Decided for the first time, of a message that a peer sent: the only kind that can be asked about beforehand. */
const isFirst = ({ madeHere, minutes, after, recipient }: Case): boolean =>
  !madeHere && minutes === undefined && after === undefined && recipient === undefined

const isInbound = (it: InboundConnector | OutboundConnector): it is InboundConnector => 'senderDomains' in it

function compile(
  { acceptedDomains }: Case,
  connectors: readonly (InboundConnector | OutboundConnector)[],
): Snapshot {
  return snapshot({
    inbound: connectors.filter(isInbound),
    outbound: connectors.filter((it): it is OutboundConnector => !isInbound(it)),
    ...(acceptedDomains && { acceptedDomains }),
  })
}

const addressOf = ({ to = 'b@ours.example' }: Case): string => to

function messageOf({
  from = 'a@elsewhere.example',
  ip = '192.0.2.1',
  tls = plaintext,
  madeHere,
}: Case): Message {
  const source = madeHere ? null : { ip, port: 40_000, helo: 'client.example' }
  return message({ receivedAt: receivedAt.toISOString(), mailFrom: from, source, tls })
}

function recipientOf(row: Case): Recipient {
  return recipient({
    address: addressOf(row),
    ...(row.after && { lastAttempt: row.after }),
    ...row.recipient,
  })
}

function decide(row: Case, given: Snapshot): Verdict {
  const { defaultRoute = 'Mx', minutes = 0, retry = false } = row
  const now = new Date(receivedAt.getTime() + minutes * 60_000)
  const [verdict] = evaluate(given, { defaultRoute }, messageOf(row), [recipientOf(row)], now, retry)
  return verdict ?? assert.fail('no verdict')
}

function nameOf({ connectorsById }: Snapshot, id: string | null): string | null {
  return id === null ? null : (connectorsById.get(id)?.name ?? 'nobody we know')
}

function expectedInbound({ decidedBy, inbound = {} }: Case): string | null {
  if (decidedBy !== undefined) return decidedBy
  return firstOf(inbound, ['Decides', 'Reports', 'Grants'])
}

const expectedOutbound = (row: Case): string | null =>
  firstOf(row.outbound ?? ordinary(row), ['Decides', 'Reports'])

function firstOf(connectors: Outcomes, outcomes: Outcomes[string][]): string | null {
  const names = outcomes.flatMap((outcome) =>
    Object.keys(connectors).filter((name) => connectors[name] === outcome),
  )
  return names[0] ?? null
}

function outcomes(considered: { direction: string; name: string; outcome: string }[], direction: string) {
  return considered.filter((it) => it.direction === direction).map(({ name, outcome }) => [name, outcome])
}

const ordinary = (row: Case): Outcomes =>
  row.mailboxes !== false && addressOf(row).endsWith('@ours.example') ? { Mailboxes: 'Decides' } : {}

/** `Deliver ConnectorMatched by MX of northwind.example with EncryptionOnly`, `Bounce RelayDenied: 550 5.7.64 …` */
function inWords(verdict: Verdict): string {
  const { action, reason, reportOnly } = verdict
  const trial = reportOnly ? ` (would refuse: ${reportOnly})` : ''
  switch (verdict.action) {
    case 'Deliver': {
      const again = verdict.attempt === 1 ? '' : `, attempt ${verdict.attempt}`
      return `${action} ${reason} ${wayOf(verdict.route)} with ${tlsOf(verdict.tls)}${again}${trial}`
    }
    case 'Defer': {
      const told = verdict.notifyDelay ? ', the sender is told' : ''
      return `${action} ${reason} until +${clock(verdict.until)}${told}: ${formatReply(verdict.reply)}${trial}`
    }
    case 'Bounce':
      return `${action} ${reason}: ${formatReply(verdict.reply)}${trial}`
  }
}

function wayOf(route: Route): string {
  if (route.kind === 'Mx') return `by MX of ${route.domain}`
  if (route.kind === 'Ses') return 'by SES'
  return `by ${route.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')}`
}

function tlsOf({
  level,
  mode,
  tlsDomain,
  certificateAuthorities,
  minimumTlsVersion,
}: TlsRequirement): string {
  if (level === 'Opportunistic') return 'opportunistic TLS'
  return [
    level,
    tlsDomain && `of ${tlsDomain}`,
    certificateAuthorities.length > 0 && 'by their own CA',
    minimumTlsVersion === 'TLSv1.3' && 'over TLSv1.3',
    mode === 'ReportOnly' && 'only reported',
  ]
    .filter(Boolean)
    .join(' ')
}

/** Minutes and seconds since receipt. */
function clock(until: Date): string {
  const seconds = Math.floor((until.getTime() - receivedAt.getTime()) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
