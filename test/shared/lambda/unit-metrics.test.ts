import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { unitMetrics } from '../../../shared/lambda/unit-metrics.ts'

test('the counts of an invocation with the same dimension are published in one line, and then forgotten', (t) => {
  const lines: Record<string, unknown>[] = []
  t.mock.method(console, 'log', (line: string) => lines.push(JSON.parse(line)))
  Object.assign(process.env, { POWERTOOLS_DEV: 'true', POWERTOOLS_METRICS_DISABLED: 'false' })
  const metrics = unitMetrics('evaluate-policy')
  metrics.addMetric('RepliesLost', MetricUnit.Count, 1)
  for (const action of ['Deliver', 'Defer', 'Deliver']) metrics.countBy('Verdicts', 'action', action)
  assert.ok(metrics.hasStoredMetrics())
  metrics.publishStoredMetrics()
  assert.ok(!metrics.hasStoredMetrics())
  assert.deepEqual(
    lines.map(({ service, action = null, Verdicts = null, RepliesLost = null }) => ({
      service,
      action,
      Verdicts,
      RepliesLost,
    })),
    [
      { service: 'evaluate-policy', action: null, Verdicts: null, RepliesLost: 1 },
      { service: 'evaluate-policy', action: 'Deliver', Verdicts: 2, RepliesLost: null },
      { service: 'evaluate-policy', action: 'Defer', Verdicts: 1, RepliesLost: null },
    ],
  )
})
