import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type AlarmDefinition,
  evaluateAlarm,
  neededMinutes,
  stateOf,
} from '../../../../infra/local/cloudwatch/evaluate-alarm.ts'
import type { AlarmState } from '../../../../shared/contract/health.ts'

describe('missing data', () => {
  /** AWS's notation: 0 is within the threshold, X breaches, - is missing, and the latest period is the last. */
  const periodsOf = (text: string) =>
    text
      .split(' ')
      .map((sign) => (sign === '-' ? null : sign === 'X'))
      .reverse()
  /** The tables and the examples of alarms-and-missing-data.html, for alarms whose periods must all breach. */
  const cases: [text: string, evaluationPeriods: number, missing: AlarmState, notBreaching: AlarmState][] = [
    ['0 - X - X', 3, 'OK', 'OK'],
    ['0 - - - -', 3, 'OK', 'OK'],
    ['- - - - -', 3, 'INSUFFICIENT_DATA', 'OK'],
    ['0 X X - X', 3, 'ALARM', 'ALARM'],
    ['- - X - -', 3, 'ALARM', 'OK'],
    ['- - - - X', 3, 'OK', 'OK'],
    ['- - - X -', 3, 'OK', 'OK'],
    ['- - - X 0', 3, 'OK', 'OK'],
    ['X X X X 0', 3, 'OK', 'OK'],
    ['0 0 X X X', 3, 'ALARM', 'ALARM'],
    ['- - X', 1, 'ALARM', 'ALARM'],
    ['X X 0', 1, 'OK', 'OK'],
    ['- X -', 1, 'ALARM', 'ALARM'],
    ['- - -', 1, 'INSUFFICIENT_DATA', 'OK'],
  ]
  for (const [text, evaluationPeriods, missing, notBreaching] of cases)
    test(`${text}: ${missing}, or ${notBreaching} if it is within the threshold`, () => {
      for (const [treatMissingData, state] of [
        ['missing', missing],
        ['notBreaching', notBreaching],
      ] as const)
        assert.equal(stateOf(periodsOf(text), { evaluationPeriods, treatMissingData }), state)
    })
})

const queryOf = (name: string, periodMinutes: number) => ({
  metric: { namespace: 'mailflow', name, dimensions: {} },
  statistic: 'Sum' as const,
  periodMinutes,
})

const alarm: AlarmDefinition = {
  name: 'Mailflow: Errors',
  description: '',
  queries: new Map([['errors', queryOf('Errors', 5)]]),
  expression: (read) => read('errors'),
  threshold: 2,
  comparison: 'GreaterThanOrEqualToThreshold',
  evaluationPeriods: 2,
  treatMissingData: 'notBreaching',
}

test('the latest period ends with the current minute, and two periods are read in addition', () => {
  const read: [number, number][] = []
  evaluateAlarm(alarm, 100, (_, from, to) => {
    read.push([from, to])
    return null
  })
  assert.deepEqual(read, [
    [96, 100],
    [91, 95],
    [86, 90],
    [81, 85],
  ])
  assert.equal(neededMinutes(alarm), 20)
})

const comparisons: [AlarmDefinition['comparison'], values: number[], AlarmState[]][] = [
  ['GreaterThanOrEqualToThreshold', [1.9, 2, 2.1], ['OK', 'ALARM', 'ALARM']],
  ['LessThanThreshold', [1.9, 2, 2.1], ['ALARM', 'OK', 'OK']],
  ['LessThanOrEqualToThreshold', [1.9, 2, 2.1], ['ALARM', 'ALARM', 'OK']],
]
for (const [comparison, values, states] of comparisons)
  test(`${comparison} 2 with ${values.join(', ')}: ${states.join(', ')}`, () => {
    assert.deepEqual(
      values.map((value) => evaluateAlarm({ ...alarm, comparison }, 100, () => value)),
      states,
    )
  })
