/** The limit of notices for each day. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DailyNoticeLimit } from '../../../shared/messages/daily-notice-limit.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { certificateNotice } from '../../support/fixtures.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const fingerprint = (index: number): string => index.toString(16).padStart(64, '0')

test('a day of a connector allows ten certificates, and gives them the same answer each time', async () => {
  const days = new DailyNoticeLimit(database.documents, database.messagesTable)
  const admits = (index: number, day = '2026-01-15', connector = 'c6') =>
    days.allows(certificateNotice({ connector, fingerprint256: fingerprint(index) }), day, 2_000_000_000)
  const first: boolean[] = []
  for (let index = 0; index < 12; index++) first.push(await admits(index))
  assert.deepEqual(first, [...Array(10).fill(true), false, false])
  assert.deepEqual([await admits(3), await admits(11)], [true, false])
  assert.deepEqual([await admits(11, '2026-01-16'), await admits(11, '2026-01-15', 'c7')], [true, true])
})

test('untrusted certificates do not use up the limit of certificates from a trusted CA', async () => {
  const days = new DailyNoticeLimit(database.documents, database.messagesTable)
  const admits = (index: number, vouchedFor: boolean) =>
    days.allows(
      certificateNotice({ connector: 'c8', fingerprint256: fingerprint(index), vouchedFor }),
      '2026-01-15',
      2_000_000_000,
    )
  for (let index = 0; index < 11; index++) await admits(index, false)
  assert.deepEqual([await admits(11, false), await admits(12, true)], [false, true])
})
