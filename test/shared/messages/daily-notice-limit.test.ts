/** The daily limit of notices of unknown certificates. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DailyNoticeLimit } from '../../../shared/messages/daily-notice-limit.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { certificateFactsWith, certificateNotice } from '../../support/fixtures.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const fingerprint = (index: number): string => index.toString(16).padStart(64, '0')

test('the limit allows notices of ten certificates per connector and day, and gives a repeated call the same result', async () => {
  const days = new DailyNoticeLimit(database.documents, database.messagesTable)
  const allows = (index: number, day = '2026-01-15', connector = 'c6') =>
    days.allows(certificateNotice({ connector, fingerprint256: fingerprint(index) }), day, 2_000_000_000)
  const results: boolean[] = []
  for (let index = 0; index < 12; index++) results.push(await allows(index))
  assert.deepEqual(results, [...Array(10).fill(true), false, false])
  assert.deepEqual([await allows(3), await allows(11)], [true, false])
  assert.deepEqual([await allows(11, '2026-01-16'), await allows(11, '2026-01-15', 'c7')], [true, true])
})

test('each group of certificates has its own limit, so that untrusted certificates do not use up the others', async () => {
  const days = new DailyNoticeLimit(database.documents, database.messagesTable)
  const groups = {
    untrusted: { vouchedFor: false },
    publicAuthority: {
      vouchedFor: false,
      facts: certificateFactsWith({ issuedByConnectorAuthority: true, issuedByPublicRoot: true }),
    },
    ownAuthority: {
      vouchedFor: false,
      facts: certificateFactsWith({ issuedByConnectorAuthority: true, issuedByPublicRoot: false }),
    },
    vouchedFor: { vouchedFor: true },
  }
  const allows = (index: number, group: keyof typeof groups) =>
    days.allows(
      certificateNotice({ connector: 'c8', fingerprint256: fingerprint(index), ...groups[group] }),
      '2026-01-15',
      2_000_000_000,
    )
  for (let index = 0; index < 11; index++) await allows(index, 'untrusted')
  assert.deepEqual(
    [
      await allows(11, 'untrusted'),
      await allows(12, 'publicAuthority'),
      await allows(13, 'ownAuthority'),
      await allows(14, 'vouchedFor'),
    ],
    [false, false, true, true],
  )
})
