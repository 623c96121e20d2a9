import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dispatch } from '../../../functions/evaluate-policy/dispatch.ts'
import { evaluate } from '../../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import {
  inbound,
  message,
  minutesLater,
  outbound,
  overTlsWith,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'

const restricted = {
  senderDomains: ['contoso.example'],
  tlsSenderCertificateNames: ['mail.contoso.example'],
  restrictDomainsToCertificate: true,
}
const subject = 'O=Your mailbox is full, CN=visit evil.example'
const mail = message({
  mailFrom: 'victim@contoso.example',
  tls: overTlsWith({ subject, issuer: subject, subjectAltNames: ['evil.example'], trusted: false }),
})

const rows: [name: string, connectors: Snapshot, minutes: number, kind: 'failed' | 'delayed'][] = [
  ['failure DSN', snapshot({ inbound: [inbound({ ...restricted, onViolation: 'Bounce' })] }), 0, 'failed'],
  ['delay DSN', snapshot({ inbound: [inbound({ ...restricted, onViolation: 'Defer' })] }), 245, 'delayed'],
]

for (const [name, connectors, minutes, kind] of rows)
  test(`a DSN to a forged sender contains no text of the attacker's certificate: ${name}`, () => {
    const now = minutesLater(minutes)
    const verdicts = evaluate({
      snapshot: connectors,
      settings: { defaultRoute: 'Mx' },
      message: mail,
      recipients: [recipient()],
      now,
    })
    assert.match(verdicts[0]?.explanation ?? '', /Your mailbox is full/)
    const { bounce } = dispatch(mail, verdicts, now, connectors.version)
    assert.deepEqual(
      bounce.map((job) => [job.kind, job.recipients.map(({ connector }) => connector)]),
      [[kind, [inbound().name]]],
    )
    assert.doesNotMatch(JSON.stringify(bounce.map(({ recipients }) => recipients)), /mailbox is full|evil/)
  })

test('the next evaluation job records for each recipient whether the delay DSN was sent, so that it is sent once', () => {
  const connectors = snapshot({ inbound: [inbound({ ...restricted, onViolation: 'Defer' })] })
  const results = (minutes: number) => {
    const now = minutesLater(minutes)
    const verdicts = evaluate({
      snapshot: connectors,
      settings: { defaultRoute: 'Mx' },
      message: mail,
      recipients: [recipient()],
      now,
    })
    const { evaluation } = dispatch(mail, verdicts, now, connectors.version)
    return evaluation.flatMap(({ job }) => job.recipients.map(({ delayNotified }) => delayNotified))
  }
  assert.deepEqual([results(0), results(245)], [[false], [true]])
})

test('a delivery job names the outbound connector of its domain, and no connector when none applies', () => {
  const bank = outbound({ id: 'c7', name: 'To the bank', recipientDomains: ['bank.example'] })
  const connectors = snapshot({ outbound: [bank] })
  const plain = message({ mailFrom: 'a@elsewhere.example', source: null })
  const recipients = ['b@bank.example', 'c@elsewhere.example'].map((address) => recipient({ address }))
  const verdicts = evaluate({
    snapshot: connectors,
    settings: { defaultRoute: 'Mx' },
    message: plain,
    recipients,
    now: minutesLater(0),
  })
  const { delivery } = dispatch(plain, verdicts, minutesLater(0), connectors.version)
  assert.deepEqual(
    delivery.map(({ destination, connector }) => [destination, connector]),
    [
      ['bank.example', { id: 'c7', name: 'To the bank' }],
      ['elsewhere.example', undefined],
    ],
  )
})

const features: [title: string, fields: Parameters<typeof outbound>[0], requires: string[] | undefined][] = [
  ['of a connector without mandatory policies', {}, undefined],
  ['with mandatory DANE', { smtpDaneMode: 'Mandatory' }, ['mandatory-policies']],
  ['with mandatory MTA-STS', { mtaStsMode: 'Mandatory' }, ['mandatory-policies']],
]
for (const [title, fields, requires] of features)
  test(`a delivery job ${title} requires ${requires ?? 'no feature'}, so that an earlier version leaves it on the queue`, () => {
    const connectors = snapshot({
      outbound: [outbound({ recipientDomains: ['partner.example'], ...fields })],
    })
    const submitted = message({ source: null, mailFrom: 'a@ours.example' })
    const verdicts = evaluate({
      snapshot: connectors,
      settings: { defaultRoute: 'Mx' },
      message: submitted,
      recipients: [recipient({ address: 'b@partner.example' })],
      now: minutesLater(0),
    })
    const { delivery } = dispatch(submitted, verdicts, minutesLater(0), connectors.version)
    assert.deepEqual(
      delivery.map((job) => job.requires),
      [requires],
    )
  })
