import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Logger } from '@aws-lambda-powertools/logger'
import { reportDeferral, reportNotice, reportVerdict } from '../../../functions/evaluate-policy/report.ts'
import type { Message, PolicySource } from '../../../shared/contract/message.ts'
import { UnitMetrics } from '../../../shared/lambda/unit-metrics.ts'
import { relayDeniedReply } from '../../../shared/policy/admit-recipient.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import type { Reason } from '../../../shared/policy/reasons.ts'
import { attempt, certificateNotice, message, receivedAt, recipient } from '../../support/fixtures.ts'

interface Circumstances {
  mail?: Message
  policySource?: PolicySource | null
  isPolicyMandatory?: boolean
  decidedBy?: string | null
  logger?: Logger
}

function metricsOf(
  action: Verdict['action'],
  reason: Reason,
  reportOnly: Reason | null = null,
  {
    mail = message(),
    policySource = null,
    isPolicyMandatory = false,
    decidedBy = null,
    logger = new Logger({ logLevel: 'SILENT' }),
  }: Circumstances = {},
): string[] {
  const names: string[] = []
  const metrics = new UnitMetrics({ namespace: 'test', serviceName: 'test' })
  metrics.addMetric = (name) => {
    names.push(name)
    return metrics
  }
  metrics.countBy = (name, dimension, value) => void names.push(`${dimension}=${value}`, name)
  const verdict = {
    action,
    reason,
    reportOnly,
    recipient: recipient(policySource === null ? {} : { lastAttempt: attempt({ policySource }) }),
    explanation: '',
    connectors: { inbound: null, outbound: null },
    decidedBy,
    lowered: [],
    newRequirement: null,
    ...(isPolicyMandatory && { isPolicyMandatory }),
    reply: relayDeniedReply,
    until: receivedAt,
  } as unknown as Verdict
  reportVerdict(mail, verdict, { logger, metrics })
  return names
}

describe('the metrics of a verdict', () => {
  const rows: [string, string[], string[]][] = [
    ['that is delivered', metricsOf('Deliver', 'ConnectorMatched'), ['action=Deliver', 'Verdicts']],
    ['that bounces', metricsOf('Bounce', 'RelayDenied'), ['action=Bounce', 'Verdicts']],
    [
      'that is a DSN of mailflow and bounces',
      metricsOf('Bounce', 'Expired', null, { mail: message({ source: null, mailFrom: '' }) }),
      ['action=Bounce', 'Verdicts', 'OwnMailUndelivered'],
    ],
    [
      'that is a DSN from another server and bounces',
      metricsOf('Bounce', 'Expired', null, { mail: message({ mailFrom: '' }) }),
      ['action=Bounce', 'Verdicts'],
    ],
    ...(
      [
        'InboundTlsRequired',
        'InboundTlsVersion',
        'InboundCertificateRestriction',
        'InboundAddressRestriction',
        'OutboundTlsNotMet',
      ] as const
    ).map((reason): [string, string[], string[]] => [
      `that is held for ${reason}`,
      metricsOf('Defer', reason),
      ['action=Defer', 'Verdicts', 'ForcedTlsFailures'],
    ]),
    ...(['Dane', 'MtaSts', 'RequireTls', 'Opportunistic'] as const).map(
      (policySource): [string, string[], string[]] => [
        `that is held by the published policy ${policySource}`,
        metricsOf('Defer', 'OutboundTlsNotMet', null, { policySource }),
        ['action=Defer', 'Verdicts', 'PublishedTlsFailures'],
      ],
    ),
    [
      'that is held by the TLS requirement of a connector',
      metricsOf('Defer', 'OutboundTlsNotMet', null, { policySource: 'Connector' }),
      ['action=Defer', 'Verdicts', 'ForcedTlsFailures'],
    ],
    ...(['Dane', 'MtaSts', 'RequireTls'] as const).map((policySource): [string, string[], string[]] => [
      `that is held by ${policySource} under a connector with a Mandatory mode`,
      metricsOf('Defer', 'OutboundTlsNotMet', null, { policySource, isPolicyMandatory: true }),
      ['action=Defer', 'Verdicts', 'ForcedTlsFailures'],
    ]),
    [
      'that is held without a route',
      metricsOf('Defer', 'NoRouteForAcceptedDomain'),
      ['action=Defer', 'Verdicts', 'UnroutedRecipients'],
    ],
    [
      'that is delivered, although a ReportOnly connector would have refused it',
      metricsOf('Deliver', 'ConnectorMatched', 'InboundTlsRequired'),
      ['action=Deliver', 'Verdicts', 'ReportOnlyViolations'],
    ],
  ]
  for (const [name, metrics, expected] of rows)
    test(`are [${expected.join(', ')}] for a message ${name}`, () => assert.deepEqual(metrics, expected))
})

describe('the log line of a verdict names the connector whose forced TLS failed', () => {
  const rows: [Verdict['action'], Reason, PolicySource | null, decidedBy: string | null, named: boolean][] = [
    ['Defer', 'InboundTlsRequired', null, 'northwind', true],
    ['Bounce', 'OutboundTlsNotMet', 'Connector', 'northwind', true],
    ['Defer', 'OutboundTlsNotMet', 'Dane', 'northwind', false],
    ['Defer', 'InboundTlsRequired', null, null, false],
    ['Defer', 'NoRouteForAcceptedDomain', null, 'northwind', false],
    ['Deliver', 'ConnectorMatched', null, 'northwind', false],
  ]
  for (const [action, reason, policySource, decidedBy, named] of rows)
    test(`${named ? 'for' : 'but not for'} ${action} with ${reason}, policy ${policySource}, connector ${decidedBy}`, () => {
      const lines: object[] = []
      const logger = { info: (_: string, line: object) => lines.push(line) } as unknown as Logger
      metricsOf(action, reason, null, { policySource, decidedBy, logger })
      assert.deepEqual(
        lines.map((line) => 'forcedTlsFailure' in line && line.forcedTlsFailure),
        [named && decidedBy],
      )
    })
})

describe('the metric DeferredAge', () => {
  const hour = new Date(receivedAt.getTime() + 3_600_000)
  const rows: [actions: Verdict['action'][], now: Date, published: number[]][] = [
    [['Deliver', 'Defer', 'Defer'], hour, [3600]],
    [['Defer'], receivedAt, [0]],
    [['Defer'], new Date(receivedAt.getTime() - 1000), [0]],
    [['Deliver', 'Bounce'], hour, []],
    [[], hour, []],
  ]
  for (const [actions, now, expected] of rows)
    test(`is [${expected}] for the verdicts [${actions}] ${(now.getTime() - receivedAt.getTime()) / 1000} s after receipt`, () => {
      const ages: unknown[] = []
      const metrics = { addMetric: (...[, , age]: unknown[]) => ages.push(age) } as unknown as UnitMetrics
      const verdicts = actions.map((action) => ({ action }))
      reportDeferral(message(), verdicts, now, metrics)
      assert.deepEqual(ages, expected)
    })
})

describe('a notice of an unknown certificate', () => {
  const failed = { cause: new Error('the topic is down') }
  const rows: [string, Parameters<typeof reportNotice>[1], string[]][] = [
    [
      'is not counted in NoticesFailed when it is published',
      { kind: 'Published', id: 'n1', accepted: null },
      [],
    ],
    ['is not counted in NoticesFailed when it was published before', { kind: 'Known' }, []],
    [
      'is counted in NoticesFailed when it failed and is retried',
      { kind: 'Later', ...failed },
      ['NoticesFailed'],
    ],
    ['is counted in NoticesFailed when it is given up', { kind: 'GivenUp', ...failed }, ['NoticesFailed']],
  ]
  for (const [name, result, expected] of rows)
    test(name, () => {
      const names: string[] = []
      const metrics = new UnitMetrics({ namespace: 'test', serviceName: 'test' })
      metrics.addMetric = (metric) => {
        names.push(metric)
        return metrics
      }
      reportNotice(certificateNotice(), result, { logger: new Logger({ logLevel: 'SILENT' }), metrics })
      assert.deepEqual(names, expected)
    })
})

test('the metric NoticesPublished names the connector, the last accepted certificate and the presented certificate', () => {
  const records: Record<string, unknown>[] = []
  const metrics = new UnitMetrics({ namespace: 'test', serviceName: 'test' })
  const single = new UnitMetrics({ namespace: 'test', serviceName: 'test' })
  metrics.singleMetric = () => single
  single.addMetric = (metric) => {
    records.push({ metric, ...single.serializeMetrics() })
    return single
  }
  const notice = certificateNotice()
  const accepted = 'cd'.repeat(32)
  const logger = new Logger({ logLevel: 'SILENT' })
  reportNotice(notice, { kind: 'Published', id: 'n1', accepted }, { logger, metrics })
  const [{ metric, connector, accepted: old, presented }] = records as [Record<string, unknown>]
  assert.deepEqual(
    { metric, connector, old, presented },
    {
      metric: 'NoticesPublished',
      connector: notice.connector.name,
      old: accepted,
      presented: notice.presented.fingerprint256,
    },
  )
})
