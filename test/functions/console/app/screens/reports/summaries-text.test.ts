/** Which summaries of reports are sent by mail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { summariesText } from '../../../../../../functions/console/app/screens/reports/summaries-text.ts'

test('the text says which summaries are sent', () => {
  assert.equal(summariesText([]), 'No summary is sent by mail.')
  assert.equal(summariesText(['Daily']), 'A daily summary is sent by mail.')
  assert.equal(summariesText(['Weekly']), 'A weekly summary is sent by mail on Mondays.')
  assert.equal(
    summariesText(['Daily', 'Weekly']),
    'A daily summary is sent by mail, and a weekly one on Mondays.',
  )
})
