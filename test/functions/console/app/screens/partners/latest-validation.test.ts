import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutboundValidation } from '../../../../../../functions/console/app/api/types.ts'
import { latestValidation } from '../../../../../../functions/console/app/screens/partners/latest-validation.ts'

const validation = (connectorVersion: number, minute: number): OutboundValidation => ({
  connectorVersion,
  at: `2026-12-01T10:0${minute}:00.000Z`,
  succeeded: true,
  durationMs: 1,
  steps: [],
})

for (const [title, requested, stored, shown] of [
  ['there is none', null, null, null],
  ['the one that was requested here', validation(1, 1), null, 1],
  ['the stored one if none was requested here', null, validation(1, 2), 2],
  ['the later one of the same version', validation(1, 1), validation(1, 3), 3],
  ['the one that was requested here if it is later', validation(1, 4), validation(1, 3), 4],
  ['none of an earlier version', validation(0, 4), null, null],
  ['not that of an earlier version', validation(0, 4), validation(1, 3), 3],
] as const)
  test(`the validation that is shown: ${title}`, () => {
    const latest = latestValidation(requested, { version: 1, validation: stored })
    assert.equal(latest?.at ?? null, shown === null ? null : `2026-12-01T10:0${shown}:00.000Z`)
  })
