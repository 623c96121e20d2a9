import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import type { SQSRecord } from 'aws-lambda'
import * as z from 'zod'
import { Metrics as IngressMetrics } from '../../functions/smtp-ingress/metrics.ts'
import { readAlarms } from '../../infra/local/cloudwatch/read-alarms.ts'
import { Resolver, type Template } from '../../infra/local/template.ts'
import { Metric, metricNamespace } from '../../shared/contract/metrics.ts'
import { type JobTools, sqsHandler } from '../../shared/lambda/sqs-handler.ts'
import {
  assemble,
  deployments,
  type Json,
  onlyResource,
  type Resource,
  resources,
  resourcesOfType,
  text,
} from '../support/synthesis.ts'

const runbook = readFileSync('docs/runbook.md', 'utf8')
const sections = new Map(
  runbook
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section] as const),
)

/** The beginning of the type and id of resources without which an alarm does not exist. */
const requiredResources = new Map([
  ['A NAT gateway has no free port', 'AWS::EC2::NatGateway '],
  ['Errors in send-summary', 'AWS::Lambda::Function SummaryFunction'],
])

for (const [name, mailflow] of Object.entries(deployments))
  test(`the headings of the runbook are exactly the alarms of a deployment ${name}`, () => {
    const titles = resourcesOfType('AWS::CloudWatch::Alarm', mailflow).map(({ Properties }) =>
      Properties.AlarmName.replace('Mailflow: ', ''),
    )
    const expected = [...sections.keys()].filter((title) => {
      const required = requiredResources.get(title) ?? ''
      return resources(mailflow).some(({ Type, id }) => `${Type} ${id}`.startsWith(required))
    })
    assert.deepEqual(titles.sort(), expected.sort())
  })

for (const [name, mailflow] of Object.entries(deployments))
  test(`the local runner can evaluate the alarms of a deployment ${name}`, () => {
    const template = assemble(mailflow).getStackByName('Mailflow').template as Template
    const alarms = readAlarms(template, new Resolver(template))
    assert.equal(alarms.length, resourcesOfType('AWS::CloudWatch::Alarm', mailflow).length)
  })

test('the alarm "A NAT gateway has no free port" watches every NAT gateway', () => {
  const mailflow = { defaultRoute: 'Mx' }
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm', mailflow).find(({ id }) =>
    id.includes('NatPortErrors'),
  )
  const watched = (alarm?.Properties.Metrics ?? [])
    .filter(({ MetricStat }: Json) => MetricStat)
    .map(({ MetricStat }: Json) => text(MetricStat.Metric.Dimensions[0].Value))
  const gateways = resourcesOfType('AWS::EC2::NatGateway', mailflow).map(({ id }) => `<${id}>`)
  assert.equal(gateways.length, 2)
  assert.deepEqual(watched.sort(), gateways.sort())
})

test('the alarm "Amazon SES may pause the account" rings at 5 % bounces or 0.1 % complaints of the account', () => {
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm').find(({ id }) => id.includes('SesReputation'))
  const [{ Expression }, ...metrics] = alarm?.Properties.Metrics ?? []
  assert.equal(Expression, 'MAX([FILL(bounces, 0) / 0.05, FILL(complaints, 0) / 0.001])')
  assert.deepEqual(
    metrics.map(({ Id, MetricStat: { Metric } }: Json) => [Id, Metric.Namespace, Metric.MetricName]),
    [
      ['bounces', 'AWS/SES', 'Reputation.BounceRate'],
      ['complaints', 'AWS/SES', 'Reputation.ComplaintRate'],
    ],
  )
  assert.equal(alarm?.Properties.Threshold, 1)
})

test('each alarm states its effect on mail and names its runbook section', () => {
  for (const { Properties } of resourcesOfType('AWS::CloudWatch::Alarm')) {
    const title = Properties.AlarmName.replace('Mailflow: ', '')
    const [impact, pointer] = Properties.AlarmDescription.split(' What to do: ')
    assert.match(impact, /^[A-Z].{20,}\.$/, title)
    assert.equal(pointer, `docs/runbook.md, "${title}".`)
  }
})

test('each section of the runbook has the parts Meaning, See and Do', () => {
  for (const [title, section] of sections)
    for (const part of ['**Meaning.** ', '**See.** ', '**Do.** '])
      assert.ok(section.includes(`\n${part}`), title)
})

const mailflowAlarms = resourcesOfType('AWS::CloudWatch::Alarm').filter(
  ({ Properties }) => Properties.Namespace === metricNamespace,
)

for (const { Properties } of mailflowAlarms) {
  const { MetricName, Dimensions = [] } = Properties
  const unit = Dimensions.find(({ Name }: Json) => Name === 'service')?.Value ?? 'smtp-ingress'
  test(`${unit} publishes the metric ${MetricName}, which an alarm watches`, () => {
    const key = Object.entries(Metric).find(([, name]) => name === MetricName)?.[0]
    assert.ok(sources(unit).some((source) => source.includes(`Metric.${key}`)))
  })
}

test('functions publish metrics with the namespace and dimension that alarms read', async (context) => {
  const consoleLog = context.mock.method(console, 'log', () => {})
  // The metrics library writes to the given console only in its development mode.
  Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' })
  const countOne = async (_: unknown, { metrics }: JobTools) => {
    metrics.addMetric(Metric.forcedTlsFailures, MetricUnit.Count, 1)
  }
  const source = { delay: async () => [], sendToDeadLetters: async () => {} }
  const handler = sqsHandler({ job: z.unknown(), unit: 'evaluate-policy', source, process: countOne })
  await handler({ Records: [{ messageId: '1', body: '{}' } as SQSRecord] })
  const [metric] = consoleLog.mock.calls.flatMap(({ arguments: [line] }) => embeddedMetrics(line))
  const alarm = mailflowAlarms.find(({ Properties }) => Properties.MetricName === Metric.forcedTlsFailures)
  assert.deepEqual(metric, {
    namespace: alarm?.Properties.Namespace,
    dimensions: alarm?.Properties.Dimensions.map(({ Name, Value }: Json) => [Name, Value]),
  })
})

test('the ingress publishes metrics with the namespace and dimension that alarms read', () => {
  const metrics = new IngressMetrics()
  metrics.count(Metric.storageFailures)
  const [metric] = metrics.flush({}, 0).flatMap(embeddedMetrics)
  const alarm = mailflowAlarms.find(({ Properties }) => Properties.MetricName === Metric.storageFailures)
  assert.deepEqual(metric, { namespace: alarm?.Properties.Namespace, dimensions: [['stack', 'Mailflow']] })
  assert.deepEqual(alarm?.Properties.Dimensions, [{ Name: 'stack', Value: 'Mailflow' }])
})

const notifyOfMissingData = [
  'Mailflow: Mail does not pass in time',
  'Mailflow: No healthy ingress task',
  'Mailflow: Hours are not sealed',
]

test('missing data raises no alarm, and only the loss of the data of canaries, of healthy tasks and of seals notifies administrators', () => {
  for (const { id, Properties } of resourcesOfType('AWS::CloudWatch::Alarm')) {
    const { AlarmName, TreatMissingData, InsufficientDataActions = [] } = Properties
    const notifies = notifyOfMissingData.includes(AlarmName)
    assert.deepEqual(
      [TreatMissingData, InsufficientDataActions.length],
      notifies ? ['missing', 1] : ['notBreaching', 0],
      id,
    )
  }
})

test('the alarm "Mail does not pass in time" rings when the fastest canary of each of five minutes takes a minute', () => {
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm').find(
    ({ Properties }) => Properties.AlarmName === 'Mailflow: Mail does not pass in time',
  )
  const names = ['MetricName', 'Statistic', 'Period', 'EvaluationPeriods', 'Threshold', 'ComparisonOperator']
  assert.deepEqual(
    names.map((name) => alarm?.Properties[name]),
    ['CanarySeconds', 'Minimum', 60, 5, 60, 'GreaterThanOrEqualToThreshold'],
  )
})

test('the alarm "Events are missing" rings when a seal of the last hour misses one event', () => {
  const alarm = mailflowAlarms.find(
    ({ Properties }) => Properties.AlarmName === 'Mailflow: Events are missing',
  )
  const names = ['MetricName', 'Statistic', 'Period', 'EvaluationPeriods', 'Threshold', 'ComparisonOperator']
  assert.deepEqual(
    names.map((name) => alarm?.Properties[name]),
    ['EventsMissing', 'Sum', 3600, 1, 1, 'GreaterThanOrEqualToThreshold'],
  )
  assert.equal(alarm?.Properties.Dimensions[0].Value, 'seal-hour')
  assert.equal(alarm?.Properties.AlarmActions.length, 1)
})

test('the alarm "No healthy ingress task" is created after the first tasks are healthy', () => {
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm').find(
    ({ Properties }) => Properties.AlarmName === 'Mailflow: No healthy ingress task',
  )
  assert.ok(alarm?.DependsOn?.includes(onlyResource('AWS::ECS::Service').id))
})

const healthyHosts: [what: string, ingress: Record<string, unknown>, ipAddressTypes: string[]][] = [
  ['the IPv4 targets', {}, ['ipv4']],
  ['with ipv6 the targets of both address families', { ipv6: true }, ['ipv4', 'ipv6']],
  ['with the PROXY protocol the only targets', { ipv6: true, proxyProtocol: true }, ['ipv4']],
]

for (const [what, ingress, ipAddressTypes] of healthyHosts)
  test(`the alarm "No healthy ingress task" watches ${what}`, () => {
    const { Properties } = resourcesOfType('AWS::CloudWatch::Alarm', { ingress }).find(({ id }) =>
      id.startsWith('MonitoringAlarmsNoHealthyTasks'),
    ) as Resource
    const metrics = Properties.Metrics?.flatMap(({ MetricStat }: Json) =>
      MetricStat ? [{ ...MetricStat.Metric, Statistic: MetricStat.Stat, Period: MetricStat.Period }] : [],
    ) ?? [Properties]
    const groups = resourcesOfType('AWS::ElasticLoadBalancingV2::TargetGroup', { ingress })
    const watched = metrics.map((metric: Json) => {
      const dimension = (name: string) => metric.Dimensions.find(({ Name }: Json) => Name === name)?.Value
      assert.deepEqual(
        [metric.MetricName, metric.Statistic, metric.Period],
        ['HealthyHostCount', 'Maximum', 60],
      )
      assert.match(JSON.stringify(dimension('LoadBalancer')), /IngressFrontDoorBalancer/)
      const group = groups.find(({ id }) => text(dimension('TargetGroup')) === `<${id}.TargetGroupFullName>`)
      return group?.Properties.IpAddressType ?? 'ipv4'
    })
    assert.deepEqual(watched, ipAddressTypes)
    const expression = Properties.Metrics?.find(({ Expression }: Json) => Expression)?.Expression
    assert.equal(expression, ipAddressTypes.length > 1 ? 'MIN([ipv4, ipv6])' : undefined)
  })

test('an alarm on several metrics counts a missing one as 0', () => {
  const expressions = resourcesOfType('AWS::CloudWatch::Alarm').flatMap(({ Properties }) =>
    (Properties.Metrics ?? []).filter(({ Expression }: Json) => Expression),
  )
  assert.notEqual(expressions.length, 0)
  for (const { Expression } of expressions)
    assert.doesNotMatch(Expression.replace(/FILL\(\w+, 0\)/g, ''), /[a-z]/, Expression)
})

test('the alarm "Tables are throttled" watches reads and writes of every table, and writes of every index', () => {
  const alarm = resourcesOfType('AWS::CloudWatch::Alarm').find(
    ({ Properties }) => Properties.AlarmName === 'Mailflow: Tables are throttled',
  )
  const watched: string[] = (alarm?.Properties.Metrics ?? [])
    .filter(({ MetricStat }: Json) => MetricStat)
    .map(({ MetricStat: { Metric } }: Json) =>
      [Metric.MetricName, ...Metric.Dimensions.map(({ Value }: Json) => text(Value)).sort()].join(' '),
    )
  const expected = resourcesOfType('AWS::DynamoDB::Table').flatMap(({ id, Properties }) => [
    `ReadThrottleEvents <${id}>`,
    `WriteThrottleEvents <${id}>`,
    ...(Properties.GlobalSecondaryIndexes ?? []).map(
      ({ IndexName }: Json) => `WriteThrottleEvents <${id}> ${IndexName}`,
    ),
  ])
  assert.deepEqual(watched.sort(), expected.sort())
})

/** Returns namespace and dimensions of a line in CloudWatch's embedded metric format; nothing for other lines. */
function embeddedMetrics(line: string): { namespace: string; dimensions: [string, string][] }[] {
  const { _aws: embedded, ...values } = JSON.parse(line)
  if (!embedded) return []
  const [{ Namespace, Dimensions }] = embedded.CloudWatchMetrics
  return [{ namespace: Namespace, dimensions: Dimensions[0].map((name: string) => [name, values[name]]) }]
}

function sources(unit: string): string[] {
  return globSync(`functions/${unit}/**/*.ts`).map((path) => readFileSync(path, 'utf8'))
}
