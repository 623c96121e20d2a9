/**
 * Runs the cases of the chapters in cases/: the considered connectors, the deciding one, the reply, and the verdict for
 * each recipient. explain(), evaluate() and the check at RCPT TO run for each case, with the connectors in both orders.
 * All results must agree.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Route, TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admitRecipient } from '../../../shared/policy/admit-recipient.ts'
import { inboundByRecipient, type Verdict } from '../../../shared/policy/evaluate.ts'
import type { Considered } from '../../../shared/policy/explain/considered.ts'
import { createExplainer, explain } from '../../../shared/policy/explain/explain.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { connectorsIn } from '../../support/fixtures.ts'
import { chapters } from './cases/chapters.ts'
import { accepted, type Case, type Outcomes, receivedAt } from './cases/notation.ts'
import {
  addressOf,
  compile,
  connectorsOf,
  decideCase,
  messageInSession,
  messageOf,
  settingsOf,
} from './cases/run-case.ts'

for (const { title, cases } of chapters)
  describe(title, () => {
    for (const row of cases) test(row.name, () => check(row))
  })

test('the chapters hold at least 150 cases with unique names', () => {
  const names = chapters.flatMap(({ title, cases }) => cases.map(({ name }) => `${title}: ${name}`))
  assert.ok(names.length >= 150, `${names.length} cases`)
  assert.equal(new Set(names).size, names.length)
})

function check(row: Case): void {
  const connectors = connectorsOf(row)
  for (const order of [connectors, connectors.toReversed()]) {
    const snapshot = compile(row, order)
    const verdict = decideCase(row, snapshot)
    const considered = createExplainer(snapshot, messageOf(row))(verdict)
    checkVerdict(row, snapshot, verdict)
    checkConsidered(row, verdict, considered)
    checkSession(row, snapshot, verdict)
    if (isFirst(row)) checkExplanation(row, snapshot, verdict, considered)
  }
}

function checkVerdict(row: Case, snapshot: Snapshot, verdict: Verdict): void {
  assert.equal(verdictText(verdict), row.expected.verdict)
  if (verdict.action !== 'Deliver') assert.match(formatReply(verdict.reply), /^([45])\d\d \1\.\d+\.\d+ /)
  const { inbound, outbound } = verdict.connectors
  assert.equal(nameOf(snapshot, inbound), expectedInbound(row), 'the inbound connector of the verdict')
  assert.equal(nameOf(snapshot, outbound), expectedOutbound(row), 'the outbound connector of the verdict')
}

function checkConsidered(row: Case, { explanation }: Verdict, considered: Considered[]): void {
  assert.deepEqual(outcomes(considered, 'Inbound'), Object.entries(row.inbound ?? {}))
  assert.deepEqual(outcomes(considered, 'Outbound'), Object.entries(row.outbound ?? defaultOutbound(row)))
  const explanations = [explanation, ...considered.map(({ why }) => why)].join('\n')
  assert.ok(explanations.includes(row.why ?? ''), explanations)
}

/**
 * A message refused in session is never delivered later. An accepted message does not bounce at the first decision,
 * except for the result of DMARC, which is known only then.
 */
function checkSession(row: Case, snapshot: Snapshot, verdict: Verdict): void {
  if (row.expected.inSession === null) return
  const decision = admitRecipient(
    snapshot,
    inboundByRecipient(snapshot, messageInSession(row))(addressOf(row)),
    addressOf(row),
    settingsOf(row).postmaster,
  )
  const answer = decision.action === 'Refuse' ? formatReply(decision.reply) : accepted
  assert.equal(answer, row.expected.inSession)
  if (decision.action === 'Refuse') assert.notEqual(verdict.action, 'Deliver')
  else if (verdict.reason !== 'InboundDmarcRequired') assert.notEqual(verdict.action, 'Bounce')
  if (decision.action === 'Refuse' && verdict.action === 'Bounce')
    assert.equal(decision.reason, verdict.reason)
}

function checkExplanation(row: Case, snapshot: Snapshot, verdict: Verdict, considered: unknown[]): void {
  const { envelope, source, tls } = messageOf(row)
  const { exchangeOnline, authentication } = messageOf(row)
  const question = {
    mailFrom: envelope.mailFrom,
    rcptTo: [addressOf(row)],
    ip: source?.ip ?? '',
    tls,
    ...(exchangeOnline && { exchangeOnline }),
    ...(authentication && { authentication }),
  }
  const explained = explain(snapshot, settingsOf(row), question, receivedAt)
  const [answer] = explained.recipients
  assert.ok(answer)
  assert.deepEqual(answer.verdict, verdict)
  assert.equal(formatReply(answer.inSession), row.expected.inSession)
  assert.deepEqual([...explained.considered, ...answer.considered], considered)
  const routeAndTls = verdict.action === 'Deliver' ? [verdict.route, verdict.tls] : [null, null]
  assert.deepEqual([answer.route, answer.tls], routeAndTls)
}

/** explain() predicts only the first decision about a message from a client. */
const isFirst = ({ createdByMailflow: madeHere, minutes, lastAttempt: after, recipient }: Case): boolean =>
  !madeHere && minutes === undefined && after === undefined && recipient === undefined

function nameOf(connectors: Snapshot, id: string | null): string | null {
  return id === null ? null : (connectorsIn(connectors).get(id)?.name ?? 'an unknown connector')
}

function expectedInbound({ decidedBy, inbound = {} }: Case): string | null {
  if (decidedBy !== undefined) return decidedBy
  return firstOf(inbound, ['Decides', 'Waived', 'Reports', 'Grants'])
}

const expectedOutbound = (row: Case): string | null =>
  row.outboundConnector ?? firstOf(row.outbound ?? defaultOutbound(row), ['Decides', 'Reports'])

function firstOf(connectors: Outcomes, outcomes: Outcomes[string][]): string | null {
  const names = outcomes.flatMap((outcome) =>
    Object.keys(connectors).filter((name) => connectors[name] === outcome),
  )
  return names[0] ?? null
}

function outcomes(considered: Considered[], direction: string) {
  return considered.filter((it) => it.direction === direction).map(({ name, outcome }) => [name, outcome])
}

const defaultOutbound = (row: Case): Outcomes =>
  row.mailboxes !== false && addressOf(row).endsWith('@ours.example') ? { Mailboxes: 'Decides' } : {}

/** `Deliver ConnectorMatched by MX of northwind.example with EncryptionOnly`, `Bounce RelayDenied: 550 5.7.64 …` */
function verdictText(verdict: Verdict): string {
  const { action, reason, reportOnly } = verdict
  const reportOnlyText = reportOnly ? ` (would refuse: ${reportOnly})` : ''
  switch (verdict.action) {
    case 'Deliver': {
      const attemptText = verdict.attempt === 1 ? '' : `, attempt ${verdict.attempt}`
      return `${action} ${reason} ${routeText(verdict.route)} with ${tlsText(verdict.tls)}${attemptText}${reportOnlyText}`
    }
    case 'Defer': {
      const notificationText = verdict.notifyDelay ? ', the sender is notified' : ''
      return `${action} ${reason} until +${clock(verdict.until)}${notificationText}: ${formatReply(verdict.reply)}${reportOnlyText}`
    }
    case 'Bounce':
      return `${action} ${reason}: ${formatReply(verdict.reply)}${reportOnlyText}`
  }
}

function routeText(route: Route): string {
  if (route.kind === 'Mx') return `by MX of ${route.domain}`
  if (route.kind === 'Ses') return 'by SES'
  if (route.kind === 'Canary') return 'recorded as a canary'
  if (route.kind === 'TlsReports') return 'stored as a report on TLS'
  return `by ${route.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')}`
}

function tlsText({
  level,
  mode,
  tlsDomain,
  certificateAuthorities,
  minimumTlsVersion,
  smtpDaneMode,
  mtaStsMode,
}: TlsRequirement): string {
  const policies = [smtpDaneMode === 'Mandatory' && 'and DANE', mtaStsMode === 'Mandatory' && 'and MTA-STS']
  if (level === 'Opportunistic') return ['opportunistic TLS', ...policies].filter(Boolean).join(' ')
  return [
    level,
    tlsDomain && `of ${tlsDomain}`,
    certificateAuthorities.length > 0 && 'by their own CA',
    minimumTlsVersion === 'TLSv1.3' && 'over TLSv1.3',
    ...policies,
    mode === 'ReportOnly' && 'only reported',
  ]
    .filter(Boolean)
    .join(' ')
}

/** Minutes and seconds after receipt. */
function clock(until: Date): string {
  const seconds = Math.floor((until.getTime() - receivedAt.getTime()) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
