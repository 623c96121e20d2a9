import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { forcedTlsFailureField, Metric, metricNamespace } from '../../shared/contract/metrics.ts'
import { dashboardWidgets } from '../support/dashboard.ts'
import {
  assemble,
  deployments,
  type Json,
  onlyResource,
  resourcesOfType,
  text,
} from '../support/synthesis.ts'

const widgets = dashboardWidgets()
const titleOf = ({ properties }: Json): string => properties.title ?? properties.markdown

/** The first screen of a browser of 1920 × 1080 pixels has this many rows. */
const rowsOfFirstScreen = 16

test('the first screen says whether mail flows, then shows TLS, deferred mail, failing partners and certificates', () => {
  const firstScreen = widgets.filter(({ y }) => y < rowsOfFirstScreen)
  assert.deepEqual(
    firstScreen.map((widget) => titleOf(widget).replace(/\*\*(.*?)\*\* .*/, '$1')),
    [
      'Is mail flowing?',
      'Alarms',
      'Mail in five minutes',
      'Mail that waits',
      'TLS of messages received',
      'TLS of recipients delivered',
      'Deferred mail',
      'Connectors whose forced TLS fails most',
      'Days until a certificate expires',
    ],
  )
  for (const { y, height } of firstScreen) assert.ok(y + height <= rowsOfFirstScreen)
})

test('the sections follow in this order', () => {
  const headings = widgets.filter(({ type, y }) => type === 'text' && y > 0)
  assert.deepEqual(
    headings.map(titleOf),
    ['Mail in detail', 'Certificates', 'Ingress', 'Queues and functions'].map((name) => `## ${name}`),
  )
})

test('each cell of the 24 columns belongs to exactly one widget', () => {
  const cells = widgets.flatMap(({ x, y, width, height }) =>
    Array.from(
      { length: width * height },
      (_, cell) => `${x + (cell % width)} ${y + Math.floor(cell / width)}`,
    ),
  )
  assert.equal(new Set(cells).size, cells.length)
  assert.equal(cells.length, 24 * Math.max(...widgets.map(({ y, height }) => y + height)))
})

for (const [name, mailflow] of Object.entries(deployments))
  test(`the alarms on the dashboard are all alarms, those in state ALARM first, in a deployment ${name}`, () => {
    const { alarms, sortBy } = dashboardWidgets(mailflow).find(({ type }) => type === 'alarm').properties
    const ids = resourcesOfType('AWS::CloudWatch::Alarm', mailflow).map(({ id }) => id)
    assert.deepEqual([alarms.toSorted(), sortBy], [ids.sort(), 'stateUpdatedTimestamp'])
  })

interface ShownMetric {
  name: string
  /** Absent for a search over a dimension. */
  unit: string | undefined
  stack: string
}

const shownMetrics = widgets.flatMap(({ properties }) => properties.metrics ?? []).flatMap(shownMetric)

function shownMetric(metric: Json[]): ShownMetric[] {
  const [namespace, name, ...rest] = metric
  if (namespace === metricNamespace) {
    const pairs = rest.slice(0, rest.length - (rest.length % 2))
    const dimensions = Object.fromEntries(
      Array.from({ length: pairs.length / 2 }, (_, pair) => [pairs[2 * pair], pairs[2 * pair + 1]]),
    )
    return [{ name, unit: dimensions.service ?? 'smtp-ingress', stack: dimensions.stack }]
  }
  const search = namespace.expression?.match(/ stack="(\w+)" MetricName="(\w+)"/)
  return search ? [{ name: search[2], unit: undefined, stack: search[1] }] : []
}

describe('each metric of mailflow on the dashboard', () => {
  test('has the dimension stack', () => {
    assert.ok(shownMetrics.length > 60)
    assert.deepEqual(new Set(shownMetrics.map(({ stack }) => stack)), new Set(['Mailflow']))
  })

  for (const { name, unit } of shownMetrics)
    test(`is published: ${name} by ${unit ?? 'a unit'}`, () => {
      const key = Object.entries(Metric).find(([, each]) => each === name)?.[0]
      const sources = globSync([`functions/${unit ?? '*'}/**/*.ts`, 'shared/*/**/*.ts']).map((path) =>
        readFileSync(path, 'utf8'),
      )
      assert.ok(sources.some((source) => source.includes(`Metric.${key}`)))
    })
})

test('every widget has a title, and no widget has two metrics with one label', () => {
  for (const widget of widgets) {
    assert.ok(titleOf(widget))
    const options: Json[] = (widget.properties.metrics ?? []).map((metric: Json[]) => metric.at(-1))
    const labels = options.filter(({ visible }) => visible !== false).map(({ label }) => label)
    assert.equal(new Set(labels).size, labels.length, titleOf(widget))
  }
})

test('the name has the stack and the Region, and the output DashboardUrl leads to it', () => {
  const { Outputs }: Json = assemble().getStackByName('Mailflow').template
  const { DashboardName } = onlyResource('AWS::CloudWatch::Dashboard').Properties
  const name = text(DashboardName)
  assert.equal(name, 'Mailflow-<AWS::Region>')
  assert.equal(
    text(Outputs.DashboardUrl.Value),
    `https://<AWS::Region>.console.aws.amazon.com/cloudwatch/home?region=<AWS::Region>#dashboards/dashboard/${name}`,
  )
})

test('the rule behind the failing connectors counts by a field of the log of evaluate-policy', () => {
  const { RuleBody, RuleState } = onlyResource('AWS::CloudWatch::InsightRule').Properties
  const { LogGroupNames, Contribution } = JSON.parse(text(RuleBody))
  const field = `$.${forcedTlsFailureField}`
  assert.deepEqual(Contribution, { Keys: [field], Filters: [{ Match: field, IsPresent: true }] })
  assert.match(LogGroupNames[0], /^<PolicyFunctionLogs/)
  assert.equal(RuleState, 'ENABLED')
})
