/** Sequences of decisions; single decisions are in cases/. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutboundConnector } from '../../../shared/connectors/schema.ts'
import { evaluate, noEarlierFacts } from '../../../shared/policy/evaluate.ts'
import { type KeptRequirement, keptRequirementOf } from '../../../shared/policy/kept-requirement.ts'
import {
  attempt,
  inbound,
  message,
  outbound,
  overTls,
  receivedAt,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'

const connectors = snapshot({
  inbound: [
    inbound({
      name: 'Office',
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      senderIpAddresses: ['192.0.2.1'],
    }),
  ],
  outbound: [outbound({ tlsSettings: 'EncryptionOnly' })],
})
const originating = message({ tls: overTls, mailFrom: 'a@ours.example' })
const noStartTls = attempt({
  outcome: 'TlsNotMet',
  policy: 'EncryptionOnly',
  reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS not offered' },
})

test('a message is tried at 0, 1 and 5 minutes, then every 15 minutes, and bounces after 24 hours', () => {
  const starts: number[] = []
  let now = receivedAt
  let current = recipient({ address: 'b@northwind.example' })
  for (let decisions = 1; ; decisions += 1) {
    assert.ok(decisions < 1000, 'the message has no final decision')
    const [verdict] = evaluate({
      snapshot: connectors,
      settings: { defaultRoute: 'Mx' },
      message: originating,
      recipients: [current],
      now,
    })
    assert.ok(verdict)
    if (verdict.action === 'Bounce') break
    if (verdict.action === 'Defer') {
      assert.ok(
        verdict.until.getTime() - now.getTime() <= 15 * 60_000,
        'a deferral is longer than a queue can delay',
      )
      now = verdict.until
      continue
    }
    starts.push((now.getTime() - receivedAt.getTime()) / 60_000)
    current = {
      ...current,
      attempts: verdict.attempt,
      lastAttempt: { ...noStartTls, number: verdict.attempt, at: now.toISOString(), durationMs: 0 },
    }
  }
  assert.equal((now.getTime() - receivedAt.getTime()) / 3_600_000, 24)
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0))
  const expected = [1, 4, ...gaps.slice(2).map(() => 15)]
  gaps.forEach((gap, index) => {
    const expectedMinutes = expected[index] ?? 0
    assert.ok(
      gap <= expectedMinutes && gap >= 0.9 * expectedMinutes,
      `gap ${index} is ${gap} minutes, not ${expectedMinutes} less a tenth`,
    )
  })
  assert.ok(starts.length >= 96 && starts.length <= 110, `${starts.length} attempts`)
})

const mandatory = { smtpDaneMode: 'Mandatory' } as const
const kept = {
  requirement: keptRequirementOf(outbound(mandatory)) as KeptRequirement,
  since: receivedAt.toISOString(),
}
const mandatoryRows: [
  name: string,
  connector: Partial<OutboundConnector>,
  isKept: boolean,
  expected: boolean,
][] = [
  ['of the connector', mandatory, false, true],
  ['of the kept requirement, which the connector lowers', {}, true, true],
  ['of a connector that only reports', { ...mandatory, mode: 'ReportOnly' }, false, false],
  [
    'that no connector has',
    { tlsSettings: 'DomainValidation', tlsDomain: 'mx.northwind.example' },
    false,
    false,
  ],
]
for (const [name, connector, isKept, expected] of mandatoryRows)
  test(`a deferral ${expected ? 'shows' : 'does not show'} a Mandatory mode ${name}`, () => {
    const { address, ...waiting } = recipient({ address: 'b@northwind.example' })
    const [verdict] = evaluate({
      snapshot: { ...connectors, outbound: snapshot({ outbound: [outbound(connector)] }).outbound },
      settings: { defaultRoute: 'Mx' },
      message: originating,
      recipients: [
        { address, ...waiting, attempts: 1, lastAttempt: { ...noStartTls, policySource: 'Dane' } },
      ],
      earlier: new Map([[address, { ...noEarlierFacts, kept: isKept ? kept : null }]]),
      now: receivedAt,
    })
    assert.deepEqual([verdict?.action, verdict?.isPolicyMandatory === true], ['Defer', expected])
  })
