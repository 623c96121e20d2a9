import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../../functions/smtp-ingress/metrics.ts'

test('flush writes one line in embedded metric format for each dimension value, and resets the counts', () => {
  const metrics = new Metrics()
  metrics.count('Refused', ['reason', 'RelayDenied'])
  metrics.count('Refused', ['reason', 'RelayDenied'])
  metrics.count('Refused', ['reason', 'BareNewlines'])
  metrics.count('StorageFailures')
  const directive = (dimensions: string[], ...names: string[]) => ({
    Timestamp: 5,
    CloudWatchMetrics: [
      {
        Namespace: 'mailflow',
        Dimensions: [['stack', ...dimensions]],
        Metrics: names.map((Name) => ({ Name, Unit: 'Count' })),
      },
    ],
  })
  assert.deepEqual(
    metrics.flush({ Connections: 7 }, 5).map((line) => JSON.parse(line)),
    [
      {
        _aws: directive([], 'Connections', 'StorageFailures'),
        stack: 'Mailflow',
        Connections: 7,
        StorageFailures: 1,
      },
      { _aws: directive(['reason'], 'Refused'), stack: 'Mailflow', reason: 'RelayDenied', Refused: 2 },
      { _aws: directive(['reason'], 'Refused'), stack: 'Mailflow', reason: 'BareNewlines', Refused: 1 },
    ],
  )
  assert.equal(metrics.flush({}, 6).length, 0)
})
