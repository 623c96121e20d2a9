import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type BypassVerdict,
  bypassFindings,
  bypassVerdict,
  type ProbeOutcome,
} from '../../../../cli/check/bypass/assess-bypass.ts'
import { reply } from '../../../../shared/mail/reply.ts'

const refused = (enhanced: string, at = 'RCPT TO', text = 'no'): ProbeOutcome => ({
  kind: 'Refused',
  at,
  reply: reply(enhanced.startsWith('4') ? 450 : 550, enhanced, text),
})
const accepted: ProbeOutcome = { kind: 'MessageAccepted' }
const recipientAccepted: ProbeOutcome = { kind: 'RecipientAccepted' }
const failed: ProbeOutcome = { kind: 'Failed', cause: 'Connection timed out' }

const rows: [own: ProbeOutcome, other: ProbeOutcome, verdict: BypassVerdict][] = [
  [refused('5.7.51'), refused('5.7.51'), 'Locked'],
  [refused('5.7.51', 'end of data'), refused('5.7.51', 'end of data'), 'Locked'],
  [refused('5.7.68'), refused('5.7.51'), 'Locked'],
  [accepted, accepted, 'OpenToAll'],
  [refused('5.7.68'), accepted, 'OpenToAll'],
  [refused('5.7.51'), accepted, 'OpenToAll'],
  [failed, accepted, 'OpenToAll'],
  [accepted, refused('5.7.51'), 'OpenToOwnSenders'],
  [accepted, refused('5.7.509', 'end of data'), 'OpenToOwnSenders'],
  [accepted, failed, 'OpenToOwnSenders'],
  [recipientAccepted, recipientAccepted, 'Undetermined'],
  [refused('5.7.68'), recipientAccepted, 'Undetermined'],
  [refused('5.7.51'), recipientAccepted, 'Undetermined'],
  [refused('5.7.68'), refused('5.7.68'), 'Undetermined'],
  [refused('5.4.1'), refused('5.4.1'), 'Undetermined'],
  [refused('5.7.64'), refused('5.7.64'), 'Undetermined'],
  [refused('5.7.606', 'MAIL FROM'), refused('5.7.606', 'MAIL FROM'), 'Undetermined'],
  [refused('5.7.1', 'connection', 'Client host blocked using Spamhaus'), refused('5.7.51'), 'Undetermined'],
  [refused('4.7.500'), refused('4.7.500'), 'Undetermined'],
  [refused('5.7.51'), refused('5.7.509', 'end of data'), 'Undetermined'],
  [refused('5.7.999'), refused('5.7.999'), 'Undetermined'],
  [failed, failed, 'Undetermined'],
]

const nameOf = (outcome: ProbeOutcome): string =>
  outcome.kind === 'Refused' ? `${outcome.reply.enhanced} at ${outcome.at}` : outcome.kind

describe('the verdict about a bypass of the gateway', () => {
  for (const [own, other, verdict] of rows)
    test(`is ${verdict} for an own sender with ${nameOf(own)} and another with ${nameOf(other)}`, () => {
      const probes = [
        { sender: 'user@ours.example', isOwn: true, outcome: own },
        { sender: 'a@b.example', isOwn: false, outcome: other },
      ]
      assert.equal(bypassVerdict(probes), verdict)
      const findings = bypassFindings(probes)
      const isOpen = verdict === 'OpenToAll' || verdict === 'OpenToOwnSenders'
      assert.equal(findings.at(-1)?.result, verdict === 'Locked' ? 'OK' : isOpen ? 'FAIL' : 'WARN')
      assert.equal(
        findings.some(({ result }) => result === 'FAIL'),
        isOpen,
      )
    })

  test('is Undetermined for one sender only', () => {
    const probe = { sender: 'a@b.example', isOwn: false, outcome: refused('5.7.51') }
    assert.equal(bypassVerdict([probe]), 'Undetermined')
  })
})
