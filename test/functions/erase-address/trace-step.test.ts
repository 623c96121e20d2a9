import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { MessagesTable } from '../../../functions/erase-address/messages-table.ts'
import { traceStep } from '../../../functions/erase-address/trace-step.ts'
import type { ContentReference, Message } from '../../../shared/contract/message.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { History } from '../../../shared/messages/history.ts'
import { dsnKey, erasedKey, sharedKey } from '../../../shared/messages/message-keys.ts'
import { packDetail, unpackDetail } from '../../../shared/messages/packed-detail.ts'
import { RejectedSessions } from '../../../shared/messages/rejected-sessions.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, clientCertificate, recipient } from '../../support/fixtures.ts'
import { type TracedMailRecipient, traceMail } from '../../support/traced-mail.ts'

const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased-1a2b3c4d')
const receivedAt = '2026-01-15T12:00:00.000Z'
/** An hour later. */
const now = Date.parse('2026-01-15T13:00:00.000Z')
const delivered: TracedMailRecipient = { attempts: [{ outcome: 'Delivered' }] }
const bounced: TracedMailRecipient = { verdict: { action: 'Bounce' } }
const deferred: TracedMailRecipient = { verdict: { action: 'Defer' } }

let database: TestDynamoDb
let table: MessagesTable
let erased: string[]
before(async () => {
  database = await startDynamoDb()
  table = new MessagesTable(database.documents, database.messagesTable)
})
after(() => database.stop())
beforeEach(async () => {
  await emptyTable({ ...database, connectorsTable: database.messagesTable })
  erased = []
})

let serial = 0
/** Stores a message whose content has its id as its key. */
async function mail(
  mailFrom: string,
  recipients: Record<string, TracedMailRecipient>,
  fields: Partial<Message> = {},
): Promise<string> {
  const n = serial++
  const content = { bucket: 'content', key: `messages/${n}`, offset: 0, length: 10, sha256: '0'.repeat(64) }
  return (await traceMail(database, receivedAt, n, { mailFrom, content, ...fields }, recipients)).id
}

const eraseContent = async ({ key }: ContentReference) => {
  erased.push(key)
  return true
}

async function run(store: Pick<MessagesTable, 'scan' | 'partition' | 'put' | 'replace' | 'delete'> = table) {
  const step = traceStep(address, { table: store, eraseContent, now: () => now })
  const result = { messages: 0, rejections: 0, contents: 0, unsettled: [] as string[], isIncomplete: false }
  for await (const part of step.run(null)) {
    result.messages += part.erased.messages ?? 0
    result.rejections += part.erased.rejections ?? 0
    result.contents += part.erased.contents ?? 0
    result.unsettled.push(...(part.unsettled ?? []))
    result.isIncomplete ||= part.isIncomplete ?? false
  }
  return result
}

async function items() {
  const all: Record<string, unknown>[] = []
  for await (const page of table.scan(null)) all.push(...page.items)
  return all
}

const unpacked = (item: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(item).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? unpackDetail(value) : value,
    ]),
  )
const text = async () => JSON.stringify((await items()).map(unpacked))
const keysOf = async (id: string) => (await table.partition(id)).map(({ sk }) => sk)

/** Stores what bounce-message writes when it has sent a DSN. */
async function claimDsn(
  id: string,
  recipientAddress: string,
  dsn: string | null,
  isComplete = true,
): Promise<void> {
  const claims = new Claims<object>(database.documents, database.messagesTable)
  const key = dsnKey(id, recipientAddress, 'failed')
  await claims.claim(key, new Date(receivedAt), 60_000, 4_000_000_000)
  if (isComplete) await claims.complete(key, { dsn, at: receivedAt })
}

describe('mail of the address', () => {
  test('from it is deleted with its content, and leaves a mark', async () => {
    const id = await mail('Ann@ours.example', {
      'bob@partner.example': delivered,
      'carl@partner.example': bounced,
    })
    const other = await mail('joann@ours.example', { 'bob@partner.example': delivered })
    const before = (await items()).filter(({ pk }) => pk === other)
    assert.deepEqual(await run(), {
      messages: 1,
      rejections: 0,
      contents: 1,
      unsettled: [],
      isIncomplete: false,
    })
    assert.deepEqual(await keysOf(id), ['erased'])
    assert.deepEqual(
      (await items()).filter(({ pk }) => pk === other),
      before,
    )
    assert.deepEqual(erased, [`messages/${serial - 2}`])
    assert.equal(await new History(database.documents, database.messagesTable).entry(id), null)
    assert.equal((await run()).messages, 0)
  })

  test('to it keeps the other recipients', async () => {
    const failed = { outcome: 'TemporaryFailure', reply: { code: 451, enhanced: '', text: 'later' } } as const
    const id = await mail('carl@partner.example', {
      'ann@ours.example': { attempts: [failed, { outcome: 'Delivered' }] },
      'joann@ours.example': delivered,
    })
    await run()
    assert.deepEqual(await keysOf(id), ['erased', 'message', 'recipient#joann@ours.example'])
    const entry = await new History(database.documents, database.messagesTable).entry(id)
    assert.deepEqual(entry?.envelope.rcptTo, ['joann@ours.example'])
  })

  test('to it alone, in several spellings, is deleted as a whole', async () => {
    const id = await mail('carl@partner.example', {
      'ann@ours.example': delivered,
      'ANN@ours.example': bounced,
    })
    await run()
    assert.deepEqual(await keysOf(id), ['erased'])
  })

  test('and the DSNs about it lose their content', async () => {
    const id = await mail('carl@partner.example', { 'ann@ours.example': bounced })
    const dsn = await mail('', { 'carl@partner.example': delivered })
    await claimDsn(id, 'ann@ours.example', dsn)
    assert.equal((await run()).contents, 2)
    assert.deepEqual(erased.sort(), [`messages/${serial - 2}`, `messages/${serial - 1}`])
    assert.deepEqual(await keysOf(dsn), ['erased', 'message', 'recipient#carl@partner.example'])
  })

  test('is found by an ORCPT parameter and in replies of other recipients', async () => {
    const verdict = {
      recipient: recipient({ address: 'bob@partner.example', orcpt: 'rfc822;ann@ours.example' }),
    }
    const reply = { code: 250, enhanced: '2.0.0', text: 'for <ann@ours.example>' }
    const id = await mail('carl@partner.example', {
      'bob@partner.example': { verdict, attempts: [{ outcome: 'Delivered', reply }] },
    })
    assert.deepEqual(await run(), {
      messages: 1,
      rejections: 0,
      contents: 0,
      unsettled: [],
      isIncomplete: false,
    })
    assert.deepEqual(erased, [])
    assert.equal((await text()).match(/erased-1a2b3c4d@ours\.example/g)?.length, 2)
    assert.deepEqual(await keysOf(id), ['message', 'recipient#bob@partner.example'])
  })

  test('that was refused is deleted', async () => {
    const rejected = new RejectedSessions(database.documents, database.messagesTable, 15)
    const event = { at: receivedAt, kind: 'Rejected' }
    await rejected.store([
      { ...event, id: 'a', sender: 'ann@ours.example' },
      { ...event, id: 'b', reply: '550 <ann@ours.example>' },
      { ...event, id: 'c', recipient: 'joann@ours.example' },
    ])
    assert.equal((await run()).rejections, 2)
    assert.deepEqual(
      (await items()).map(({ pk }) => pk),
      ['rejected#c'],
    )
  })

  test('is replaced in a client certificate that messages share', async () => {
    const certificate = clientCertificate({ subject: 'emailAddress=ann@ours.example' })
    const Item = { ...sharedKey('client-certificate', 'digest'), detail: packDetail(certificate) }
    await database.documents.send(new PutCommand({ TableName: database.messagesTable, Item }))
    assert.equal((await run()).isIncomplete, true)
    assert.match(await text(), /emailAddress=erased-1a2b3c4d@ours\.example/)
  })
})

describe('mail that is not settled', () => {
  const old = '2026-01-13T12:00:00.000Z'
  const cases: [name: string, store: () => Promise<string>][] = [
    ['deferred', () => mail('ann@ours.example', { 'bob@partner.example': deferred })],
    ['pending', () => mail('ann@ours.example', { 'bob@partner.example': {} })],
    [
      'delivered to the address, and deferred for another recipient',
      () => mail('carl@partner.example', { 'ann@ours.example': delivered, 'bob@partner.example': deferred }),
    ],
    [
      'with a recipient that was not decided yet',
      async () => {
        const id = await mail('ann@ours.example', { 'bob@partner.example': delivered })
        const message = (await table.partition(id)).find(({ sk }) => sk === 'message')
        assert.ok(message)
        await table.replace(message, { recipients: 2 })
        return id
      },
    ],
    [
      'young, from an earlier version, which did not count recipients',
      async () => {
        const id = await mail('ann@ours.example', { 'bob@partner.example': delivered })
        const [message] = await table.partition(id)
        assert.equal(message?.sk, 'message')
        const { recipients: _, ...item } = message
        await table.put(item as typeof message)
        return id
      },
    ],
    [
      'bounced, while its DSN is being written',
      async () => {
        const id = await mail('carl@partner.example', { 'ann@ours.example': bounced })
        await claimDsn(id, 'ann@ours.example', null, false)
        return id
      },
    ],
  ]
  for (const [name, store] of cases)
    test(`${name}, is named and not touched`, async () => {
      const id = await store()
      const before = await items()
      assert.deepEqual(await run(), {
        messages: 0,
        rejections: 0,
        contents: 0,
        unsettled: [id],
        isIncomplete: false,
      })
      assert.deepEqual(await items(), before)
      assert.deepEqual(erased, [])
    })

  test('is also the DSN about it, in each of its states', async () => {
    const [waiting, gone] = ['01KF0CVZT0ABCDEFGHJKMNPQRS', '01KF0CVZT0ABCDEFGHJKMNPQRT']
    const deferredDsn = await mail('', { 'carl@partner.example': deferred })
    for (const dsn of [waiting, deferredDsn]) {
      const id = await mail('carl@partner.example', { 'ann@ours.example': bounced })
      await claimDsn(id, 'ann@ours.example', dsn)
      assert.deepEqual((await run()).unsettled, [dsn])
      await table.delete(await table.partition(id))
    }
    const id = await mail('carl@partner.example', { 'ann@ours.example': bounced }, { receivedAt: old })
    const key = dsnKey(id, 'ann@ours.example', 'failed')
    await table.put({ ...key, result: { dsn: gone, at: old } })
    assert.deepEqual((await run()).unsettled, [], 'the trace of an old DSN has expired')
  })

  test('from an earlier version counts as settled after a day', async () => {
    const id = await mail('ann@ours.example', { 'bob@partner.example': delivered })
    const [message] = await table.partition(id)
    assert.ok(message)
    const { recipients: _, ...item } = message
    const detail = unpackDetail(message.detail as Uint8Array) as object
    await table.put({ ...(item as typeof message), detail: packDetail({ ...detail, receivedAt: old }) })
    assert.deepEqual((await run()).unsettled, [])
    assert.deepEqual(await keysOf(id), ['erased'])
  })
})

describe('an erasure that is interrupted', () => {
  test('at any write is completed by the next, and never leaves items whose content is whole', async () => {
    const writes = ['put', 'replace', 'delete', 'content'] as const
    for (const failing of writes)
      for (let count = 1; count <= 3; count++) {
        await emptyTable({ ...database, connectorsTable: database.messagesTable })
        erased = []
        const id = await mail('carl@partner.example', {
          'ann@ours.example': bounced,
          'joann@ours.example': {
            attempts: [
              { outcome: 'Delivered', reply: { code: 250, enhanced: '', text: 'not <ann@ours.example>' } },
            ],
          },
        })
        const dsn = await mail('', { 'carl@partner.example': delivered })
        await claimDsn(id, 'ann@ours.example', dsn)
        await mail('ann@ours.example', { 'bob@partner.example': delivered })
        let remaining = count
        const orDie =
          <A extends unknown[], R>(name: (typeof writes)[number], call: (...args: A) => Promise<R>) =>
          async (...args: A): Promise<R> => {
            if (name === failing && --remaining === 0) throw new Error('killed')
            return call(...args)
          }
        const dying = {
          scan: (after: null) => table.scan(after),
          partition: (pk: string) => table.partition(pk),
          put: orDie('put', table.put.bind(table)),
          replace: orDie('replace', table.replace.bind(table)),
          delete: orDie('delete', table.delete.bind(table)),
        }
        const step = traceStep(address, {
          table: dying,
          eraseContent: orDie('content', eraseContent),
          now: () => now,
        })
        await Array.fromAsync(step.run(null)).catch((error: Error) => assert.equal(error.message, 'killed'))
        const left = await run()
        assert.deepEqual(left.unsettled, [], `${failing} ${count}`)
        assert.ok(!/(?<!jo)ann@ours\.example/i.test(await text()), `${failing} ${count}`)
        assert.deepEqual(
          [...new Set(erased)].sort(),
          [serial - 3, serial - 2, serial - 1].map((n) => `messages/${n}`).sort(),
        )
        const marks = (await items()).filter(({ pk, sk }) => sk === erasedKey(String(pk)).sk)
        assert.equal(marks.length, 3)
      }
  })
})

test('a later attempt of another writer is not overwritten', async () => {
  const id = await mail('carl@partner.example', { 'bob@partner.example': delivered })
  const [, item] = await table.partition(id)
  assert.ok(item)
  assert.equal(
    await table.replace({ ...item, result: packDetail(attempt({ number: 9 })) }, { result: packDetail({}) }),
    false,
  )
  assert.deepEqual((await table.partition(id))[1], item)
})
