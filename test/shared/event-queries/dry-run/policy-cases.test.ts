/**
 * The cases of the policy: a dry run from the events of the mail has the result of the functions that decide real mail,
 * or names a fact that the events do not hold.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { newRecipient } from '../../../../shared/contract/message.ts'
import { dryRun } from '../../../../shared/event-queries/dry-run/dry-run.ts'
import type { DryRunResult } from '../../../../shared/event-queries/dry-run/dry-run-result.ts'
import { admitRecipient } from '../../../../shared/policy/admit-recipient.ts'
import { inboundByRecipient } from '../../../../shared/policy/evaluate.ts'
import { authenticationNeed } from '../../../../shared/policy/needs-authentication.ts'
import type { Snapshot } from '../../../../shared/policy/snapshot.ts'
import { chapters } from '../../policy/cases/chapters.ts'
import type { Case } from '../../policy/cases/notation.ts'
import {
  addressOf,
  compile,
  connectorsOf,
  decideCase,
  messageInSession,
  messageOf,
  settingsOf,
} from '../../policy/cases/run-case.ts'
import { factsOfMessage, factsOfRefusal } from './past-events.ts'

/** First decisions: a dry run makes no later ones. */
const isFirst = ({ lastAttempt, earlier, minutes = 0, recipient, retry }: Case): boolean =>
  !lastAttempt && !earlier && minutes === 0 && !recipient && !retry

interface Expected {
  outcome: string
  reason: string
}

/** @returns null if the case lacks results that real mail has: of an authentication, or of the check of signatures */
function expectedOf(row: Case, snapshot: Snapshot): Expected | null {
  const { postmaster } = settingsOf(row)
  const address = addressOf(row)
  for (const message of row.createdByMailflow
    ? []
    : [{ ...messageInSession(row), exchangeOnline: undefined }, messageInSession(row)]) {
    const { exchangeOnline, ...rest } = message
    const session = { ...rest, ...(exchangeOnline && { exchangeOnline }) }
    const evaluation = inboundByRecipient(snapshot, session)(address)
    const rcpt = admitRecipient(snapshot, evaluation, address, postmaster)
    if (evaluation.tenant?.finding.kind === 'NeedsSignature') return null
    if (exchangeOnline === undefined && rcpt.action === 'Refuse' && evaluation.tenant !== null) continue
    if (rcpt.action === 'Refuse') return { outcome: 'Refused', reason: rcpt.reason }
  }
  const job = { recipients: [newRecipient(address)], notBefore: null }
  const need = authenticationNeed(snapshot, messageInSession(row), job, postmaster)
  if ((need.kind === 'Authenticate') !== (row.authentication !== undefined)) return null
  const { action, reason } = decideCase(row, snapshot)
  const outcome = { Deliver: 'Sent', Defer: 'Held', Bounce: 'Bounced' }[action]
  return { outcome: reason === 'TlsReport' ? 'Delivered' : outcome, reason }
}

const counts = { equal: 0, undetermined: 0 }

function assertResult(row: Case, result: DryRunResult, expected: Expected | null): void {
  if (result.outcome === 'Undetermined') {
    counts.undetermined += 1
    assert.ok(expected === null || hasOwnAuthorityWithoutChain(row), `${row.name}: ${result.missing}`)
    return
  }
  if (expected === null) return
  counts.equal += 1
  assert.deepEqual({ outcome: result.outcome, reason: result.reason }, expected)
}

/** Certificates that a case describes by their facts have no chain. */
const hasOwnAuthorityWithoutChain = ({ tls, connectors = [] }: Case): boolean =>
  tls?.clientCertificate?.chain.length === 0 &&
  connectors.some(({ certificateAuthorities }) => certificateAuthorities.length > 0)

for (const { title, cases } of chapters)
  describe(`a dry run: ${title}`, () => {
    for (const row of cases.filter(isFirst))
      test(row.name, () => {
        const snapshot = compile(row, connectorsOf(row))
        const expected = expectedOf(row, snapshot)
        const settings = settingsOf(row)
        assertResult(
          row,
          dryRun(factsOfMessage(messageOf(row), addressOf(row)), snapshot, settings),
          expected,
        )
        if (row.createdByMailflow || row.authentication) return
        const refusal = factsOfRefusal(messageOf(row), addressOf(row), {
          stage: 'Rcpt',
          reason: 'RelayDenied',
        })
        assertResult(row, dryRun(refusal, snapshot, settings), expected)
      })
  })

test('nearly all cases are determined', () => {
  assert.ok(counts.equal > 250, JSON.stringify(counts))
  assert.ok(counts.undetermined < 10, JSON.stringify(counts))
})
