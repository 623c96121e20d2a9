/** Checks that docs/connectors.md agrees with the code: its tables with the replies, its diagrams with the cases. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { domainOf } from '../../../shared/mail/address.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { admitRecipient, isAcceptedRecipient } from '../../../shared/policy/admit-recipient.ts'
import { inboundByRecipient, isWaived, sessionOf, type Verdict } from '../../../shared/policy/evaluate.ts'
import { findConnectorViolation, identificationMethod } from '../../../shared/policy/inbound.ts'
import { requiresNextHopTls } from '../../../shared/policy/mandatory-policies.ts'
import { retryDelayMs } from '../../../shared/policy/schedule.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { assessServerTls, type ServerTls } from '../../../shared/tls/assess-server-tls.ts'
import { type HopRequirement, opportunistic } from '../../../shared/tls/requirement.ts'
import { chapters } from './cases/chapters.ts'
import { type Case, receivedAt } from './cases/notation.ts'
import {
  addressOf,
  compile,
  connectorsOf,
  decideCase,
  isInbound,
  messageInSession,
  messageOf,
  recipientOf,
  settingsOf,
} from './cases/run-case.ts'

const root = join(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const page = read('docs/connectors.md')
const cases = chapters.flatMap((chapter) => chapter.cases)

/** The cells of the rows whose first cell is code. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
const rowsOf = (columns: number, first: RegExp) =>
  rows.filter((cells) => cells.length === columns && first.test(cells[0] ?? ''))
const unquoted = (cell = '') => cell.replaceAll('`', '')

describe('the table of replies in docs/connectors.md', () => {
  const table = rowsOf(5, /^`[A-Z]/)

  test('has exactly the reasons for which a message is not delivered', () => {
    const reasons = [...read('shared/policy/reasons.ts').matchAll(/\| '(\w+)'/g)].map(([, reason]) => reason)
    const delivers = ['ConnectorMatched', 'RequirementKept', 'DefaultRoute', 'TlsReport', 'Canary']
    assert.deepEqual(
      table.map(([reason]) => unquoted(reason)).toSorted(),
      reasons.filter((reason) => !delivers.includes(reason ?? '')).toSorted(),
    )
  })

  const repliesFor = collectReplies()
  for (const [reason = '', , inSession = '', bounce = '', waits = ''] of table)
    test(`has in the row ${unquoted(reason)} the replies that the cases get`, () => {
      const answers = repliesFor(unquoted(reason))
      checkCell(inSession, answers.inSession)
      checkCell(bounce, answers.Bounce)
      checkCell(waits, answers.Defer)
    })
})

/** Every reply of the cases, by reason. */
function collectReplies() {
  const replies: { reason: string; kind: 'inSession' | Verdict['action']; reply: string }[] = []
  for (const row of cases) {
    const connectors = compile(row, connectorsOf(row))
    const verdict = decideCase(row, connectors)
    if (verdict.action !== 'Deliver')
      replies.push({ reason: verdict.reason, kind: verdict.action, reply: formatReply(verdict.reply) })
    const decision = admitRecipient(
      connectors,
      inboundByRecipient(connectors, messageInSession(row))(addressOf(row)),
      addressOf(row),
      settingsOf(row).postmaster,
    )
    if (decision.action === 'Refuse')
      replies.push({ reason: decision.reason, kind: 'inSession', reply: formatReply(decision.reply) })
  }
  return (reason: string) => {
    const repliesOf = (kind: string) => [
      ...new Set(replies.filter((it) => it.reason === reason && it.kind === kind).map(({ reply }) => reply)),
    ]
    return { inSession: repliesOf('inSession'), Bounce: repliesOf('Bounce'), Defer: repliesOf('Defer') }
  }
}

/** A cell is a dash, a reply (which may end in an ellipsis), or a sentence about replies of other servers. */
function checkCell(cell: string, replies: string[]): void {
  assert.equal(replies.length === 0, cell === '–', `"${cell}" and ${replies.join(', ') || 'nothing'}`)
  const [, reply] = /^`([^`]+)`$/.exec(cell) ?? []
  if (reply === undefined) return
  const [beginning = '', rest] = reply.split('…')
  for (const answer of replies)
    assert.ok(rest === undefined ? answer === reply : answer.startsWith(beginning), `${answer}, not ${reply}`)
}

describe('the table of TLS codes in docs/connectors.md', () => {
  const established: Extract<ServerTls, { kind: 'Established' }> = {
    kind: 'Established',
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: null,
    fingerprint256: 'ab'.repeat(32),
    chain: [],
    certificates: [],
    trusted: true,
    trustedBy: [],
    trustError: null,
    names: { subjectAltNames: ['mx.northwind.example'], commonName: null },
  }
  const facts: Record<string, ServerTls[]> = {
    '4.7.321': [{ kind: 'NotOffered', serverReply: null }],
    '4.7.5': [
      { kind: 'HandshakeFailed', cause: 'alert' },
      { ...established, protocol: 'TLSv1.1' },
    ],
    '4.7.320': [{ ...established, trusted: false, trustError: 'SELF_SIGNED_CERT_IN_CHAIN' }],
    '4.7.322': [
      { ...established, trusted: false, trustError: 'CERT_HAS_EXPIRED' },
      { ...established, trusted: false, trustError: 'CERT_NOT_YET_VALID' },
    ],
    '4.7.325': [{ ...established, names: { subjectAltNames: ['mx.fabrikam.example'], commonName: null } }],
    '4.7.323': [established],
  }
  const requirement: HopRequirement = {
    ...opportunistic,
    level: 'DomainValidation',
    source: 'Connector',
    names: ['mx.northwind.example'],
  }

  /** The requirement of the one code that no connector can cause. */
  const dane: HopRequirement = {
    ...requirement,
    level: 'Dane',
    source: 'Dane',
    tlsa: [{ usage: 3, selector: 1, matchingType: 1, data: 'cd'.repeat(32) }],
  }

  test('lists exactly the codes of assessServerTls', () => {
    assert.deepEqual(
      rowsOf(2, /^`4\.7\./).map(([code]) => unquoted(code)),
      Object.keys(facts),
    )
    const codes = read('shared/tls/assess-server-tls.ts').matchAll(/fault\(\s*'([\d.]+)'/g)
    const allCodes = new Set([...codes].map(([, code]) => code))
    assert.deepEqual([...allCodes].toSorted(), Object.keys(facts).toSorted())
  })
  for (const [code, failures] of Object.entries(facts))
    test(`has the code ${code}, which assessServerTls returns for the faults of this code`, () => {
      const checkedRequirement = code === '4.7.323' ? dane : requirement
      for (const failure of failures)
        assert.equal(assessServerTls(checkedRequirement, failure, new Date())?.reply.enhanced, code)
    })
})

interface Edge {
  from: string
  answer: 'yes' | 'no'
  to: string
}

interface Flowchart {
  start: string
  texts: Map<string, string>
  edges: Edge[]
}

/** Reads `id{"text"} -- yes --> id["text"]`, line by line. */
function flowchart(source: string): Flowchart {
  const texts = new Map<string, string>()
  const edges = source
    .split('\n')
    .filter((line) => line.includes('-->'))
    .map((line): Edge => {
      const node = String.raw`(\w+)(?:[{[]"([^"]*)"[}\]])?`
      const parts = new RegExp(`^ *${node} -- (yes|no) --> ${node}$`).exec(line)
      assert.ok(parts, `not a line of the diagram: ${line}`)
      const [, from = '', question, answer, to = '', text] = parts
      if (question) texts.set(from, question)
      if (text) texts.set(to, text)
      return { from, answer: answer as Edge['answer'], to }
    })
  return { start: edges[0]?.from ?? '', texts, edges }
}

/** Follows the answers to a leaf, and records the edges on the way. */
function follow(chart: Flowchart, answers: Record<string, () => boolean>, followedEdges: Set<Edge>): string {
  for (let at = chart.start; ; ) {
    const question = answers[at]
    if (!question) return chart.texts.get(at) ?? assert.fail(`${at} has no text`)
    const answer = question() ? 'yes' : 'no'
    const edge = chart.edges.find((it) => it.from === at && it.answer === answer)
    assert.ok(edge, `${at} leads nowhere by ${answer}`)
    followedEdges.add(edge)
    at = edge.to
  }
}

const charts = [...page.matchAll(/```mermaid\nflowchart TD\n([^`]+)```/g)].map(([, source = '']) =>
  flowchart(source),
)
const [requirements, verdicts] = charts
assert.ok(requirements && verdicts)

describe('the diagram of requirements in docs/connectors.md', () => {
  const followedEdges = new Set<Edge>()
  test('leads each inbound connector of every case to the requirement that the session does not meet', () => {
    for (const row of cases) {
      const message = messageOf(row)
      const session = sessionOf(message, message.source?.ip ?? '')
      for (const connector of connectorsOf(row).filter(isInbound)) {
        const withoutCertificate = {
          ...connector,
          tlsSenderCertificateNames: [],
          certificateFingerprints: [],
        }
        const leaf = follow(
          requirements,
          {
            tls: () => connector.requireTls && !session.tls.negotiated,
            version: () => connector.minimumTlsVersion === 'TLSv1.3' && session.tls.protocol !== 'TLSv1.3',
            certificate: () =>
              connector.restrictDomainsToCertificate &&
              identificationMethod(connector, session) !== 'Certificate',
            address: () =>
              connector.restrictDomainsToIpAddresses &&
              identificationMethod(withoutCertificate, session) !== 'Address',
          },
          followedEdges,
        )
        assert.equal(findConnectorViolation(connector, session)?.reason ?? 'met', leaf, row.name)
      }
    }
  })
  test('has no edge that no case follows', () => assert.equal(followedEdges.size, requirements.edges.length))
})

describe('the diagram of verdicts in docs/connectors.md', () => {
  const followedEdges = new Set<Edge>()
  test('leads every case to its verdict', () => {
    for (const row of cases) {
      const connectors = compile(row, connectorsOf(row))
      const verdict = decideCase(row, connectors)
      const leaf = follow(verdicts, questions(row, connectors, verdict), followedEdges)
      const [action, reasons = ''] = leaf.split(': ')
      assert.equal(verdict.action, action, row.name)
      assert.ok(
        reasons.split(', ').includes(verdict.reason),
        `${row.name}: ${verdict.reason}, not ${reasons}`,
      )
    }
  })
  test('has no edge that no case follows', () =>
    assert.deepEqual(
      verdicts.edges.filter((edge) => !followedEdges.has(edge)),
      [],
    ))
})

/** @param verdict only its outbound connector, and whether that is replaced by a kept requirement, are used */
function questions(row: Case, connectors: Snapshot, verdict: Verdict): Record<string, () => boolean> {
  const message = messageOf(row)
  const evaluation = inboundByRecipient(connectors, message)(addressOf(row))
  const violation = evaluation.violations.find((each) => !isWaived(each, row.earlier?.waiver))
  const { attempts, lastAttempt } = recipientOf(row)
  const outboundId = verdict.connectors.outbound
  const outbound = connectorsOf(row).find(({ id }) => id === outboundId)
  assert.ok(outbound === undefined || !isInbound(outbound))
  const minutes = row.minutes ?? 0
  const domain = domainOf(addressOf(row))
  const expired = () => minutes >= (outbound?.expirationHours ?? 24) * 60
  return {
    refused: () => lastAttempt?.outcome === 'PermanentFailure',
    dropped: () => row.earlier?.isDropped === true,
    returned: () => row.earlier?.isReturned === true,
    sender: () => !evaluation.unreadableSender,
    violated: () => evaluation.violation !== null,
    released: () => violation === undefined,
    holds: () => violation?.connector.onViolation === 'Defer' || violation?.isUndetermined === true,
    heldLong: expired,
    recipient: () => domain !== null,
    accepted: () => isAcceptedRecipient(connectors, addressOf(row)),
    own: () =>
      row.createdByMailflow === true ||
      evaluation.attributedTo !== null ||
      addressOf(row).toLowerCase() === row.postmaster,
    report: () => addressOf(row).toLowerCase() === row.tlsReportAddress,
    routed: () => outbound !== undefined || verdict.lowered.length > 0,
    unroutedLong: expired,
    tried: () => lastAttempt !== null,
    atOnce: () =>
      lastAttempt?.outcome === 'TlsNotMet' &&
      outbound?.mode === 'Enforce' &&
      requiresNextHopTls(outbound) &&
      outbound.onTlsFailure === 'Bounce',
    expired,
    due: () => {
      const wait = lastAttempt ? lastAttempt.durationMs + retryDelayMs(attempts, message.id) : 0
      const attemptedAt = Date.parse(lastAttempt?.at ?? receivedAt.toISOString())
      return row.retry === true || receivedAt.getTime() + minutes * 60_000 >= attemptedAt + wait
    },
  }
}
