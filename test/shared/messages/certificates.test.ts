/** The certificate that each connector accepted last, and how many strangers' certificates a day has. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { AcceptedCertificates } from '../../../shared/messages/accepted-certificates.ts'
import { acceptedCertificateKey } from '../../../shared/messages/keys.ts'
import { NoticeDays } from '../../../shared/messages/notice-days.ts'
import { summaryOf } from '../../../shared/tls/certificate-summary.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { certificateNotice, clientCertificate, minutesLater, receivedAt } from '../../support/fixtures.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const memory = () => new AcceptedCertificates(database.documents, database.messagesTable)
const fingerprint = (index: number): string => index.toString(16).padStart(64, '0')
const certificate = (digits: string) => summaryOf(clientCertificate({ fingerprint256: digits.repeat(32) }))

test('a connector without mail by certificate has none', async () => {
  assert.equal(await memory().last('nobody'), null)
})

test('the last certificate is remembered with when it was seen, whoever asks', async () => {
  await memory().remember('c1', certificate('ab'), receivedAt, receivedAt)
  await memory().remember('c1', certificate('cd'), minutesLater(5), minutesLater(5))
  assert.deepEqual(await memory().last('c1'), {
    ...certificate('cd'),
    lastSeen: minutesLater(5).toISOString(),
  })
})

test('mail that was decided late does not bring an older certificate back', async () => {
  await memory().remember('c2', certificate('cd'), minutesLater(5), minutesLater(5))
  assert.equal(await memory().remember('c2', certificate('ab'), receivedAt, minutesLater(60)), false)
  assert.equal((await memory().last('c2'))?.fingerprint256, 'cd'.repeat(32))
})

test('a process writes one certificate of one connector once an hour', async () => {
  const one = memory()
  const written: boolean[] = []
  for (const minutes of [0, 1, 59, 60, 61])
    written.push(await one.remember('c3', certificate('ab'), minutesLater(minutes), minutesLater(minutes)))
  assert.deepEqual(written, [true, false, false, true, false])
  assert.equal((await one.last('c3'))?.lastSeen, minutesLater(60).toISOString())
})

test('what could not be written is written the next time', async () => {
  const away = { send: () => Promise.reject(new Error('the table is away')) }
  const documents = Object.create(database.documents)
  documents.send = away.send
  const one = new AcceptedCertificates(documents, database.messagesTable)
  await assert.rejects(one.remember('c4', certificate('ab'), receivedAt, receivedAt), /the table is away/)
  delete documents.send
  assert.equal(await one.remember('c4', certificate('ab'), receivedAt, receivedAt), true)
})

test('it is kept for longer than a year', async () => {
  await memory().remember('c5', certificate('ab'), receivedAt, receivedAt)
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: database.messagesTable, Key: acceptedCertificateKey('c5') }),
  )
  assert.ok(Item?.expiresAt > receivedAt.getTime() / 1000 + 366 * 86_400)
})

test('a day of a connector has ten certificates, and the same ones however often they are asked for', async () => {
  const days = new NoticeDays(database.documents, database.messagesTable)
  const admits = (index: number, day = '2026-01-15', connector = 'c6') =>
    days.admits(certificateNotice({ connector, fingerprint256: fingerprint(index) }), day, 2_000_000_000)
  const first: boolean[] = []
  for (let index = 0; index < 12; index++) first.push(await admits(index))
  assert.deepEqual(first, [...Array(10).fill(true), false, false])
  assert.deepEqual([await admits(3), await admits(11)], [true, false])
  assert.deepEqual([await admits(11, '2026-01-16'), await admits(11, '2026-01-15', 'c7')], [true, true])
})

test('what strangers present takes nothing from what an authority vouches for', async () => {
  const days = new NoticeDays(database.documents, database.messagesTable)
  const admits = (index: number, vouchedFor: boolean) =>
    days.admits(
      certificateNotice({ connector: 'c8', fingerprint256: fingerprint(index), vouchedFor }),
      '2026-01-15',
      2_000_000_000,
    )
  for (let index = 0; index < 11; index++) await admits(index, false)
  assert.deepEqual([await admits(11, false), await admits(12, true)], [false, true])
})
