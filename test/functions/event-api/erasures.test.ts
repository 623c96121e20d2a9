import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { UnsettledMail } from '../../../functions/event-api/unsettled-mail.ts'
import type { EraseRequest } from '../../../shared/contract/erase-request.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { Erasures, nothingErased, pseudonymOf } from '../../../shared/events/erasures.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { History } from '../../../shared/messages/history.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { memoryEventStore } from '../../support/event-store.ts'
import { traceMail } from '../../support/traced-mail.ts'

const at = Date.parse('2026-11-30T20:00:00.000Z')

function setup({ count = 0, isComplete = true, fails = false, hasKey = true } = {}) {
  const store = memoryEventStore()
  const sent: MailEvent[] = []
  const started: EraseRequest[] = []
  const clock = { now: at }
  const call = createTestEventApi({
    store,
    now: () => clock.now,
    readAddressHash: () => (hasKey ? Promise.resolve(null) : Promise.reject(new Error('no key'))),
    erasures: {
      unsettled: { find: async () => ({ count, ids: ['A', 'B'].slice(0, count), isComplete }) },
      events: { send: async (events) => void sent.push(...events) },
      async start(request) {
        if (fails) throw new Error('Lambda is away')
        started.push(request)
      },
    },
  })
  return { call, store, sent, started, clock }
}

describe('DELETE /addresses/{address}', () => {
  test('starts the erasure, and records who requested it', async () => {
    const { call, store, sent, started } = setup()
    const { status, headers, body } = await call('DELETE /addresses/Ann%2Bx%40ours.example')
    const { id } = body as { id: string }
    assert.deepEqual([status, body, headers.location], [202, { id, state: 'Running' }, `/erasures/${id}`])
    assert.deepEqual(started, [{ id, address: 'Ann+x@ours.example' }])
    const read = await call(`GET /erasures/${id}`)
    const { actor } = read.body as { actor: string }
    assert.deepEqual(read.body, {
      id,
      state: 'Running',
      startedAt: new Date(at).toISOString(),
      finishedAt: null,
      actor,
      erased: nothingErased,
      remaining: [],
      reason: null,
    })
    assert.deepEqual(
      sent.map(({ kind, actor: by, comment }) => [kind, by, comment]),
      [['AddressErased', actor, id]],
    )
    const written = JSON.stringify([...store.objects.values()].map(String)) + JSON.stringify(sent)
    assert.ok(!/ann(\+|%2b|@)|ours\.example/i.test(written), written)
  })

  test('is refused while the key of hashed addresses cannot be read', async () => {
    const { call, sent, started } = setup({ hasKey: false })
    const { status, body } = await call('DELETE /addresses/ann@ours.example')
    assert.equal(status, 503)
    assert.match((body as { detail: string }).detail, /^The key of hashed addresses cannot be read /)
    assert.deepEqual([sent, started], [[], []])
  })

  test('replaces the address in the name of the administrator', async () => {
    const { call, sent, store } = setup()
    const userArn = 'arn:aws:sts::123456789012:assumed-role/admin/ann@ours.example'
    const { body } = await call('DELETE /addresses/ann@ours.example', { authorizer: { iam: { userArn } } })
    const { id } = body as { id: string }
    const actor = userArn.replace('ann@', `${pseudonymOf(id)}@`)
    assert.equal(sent[0]?.actor, actor)
    assert.equal((await new Erasures(store, () => at).load(id))?.actor, actor)
  })

  const faults: [path: string, detail: RegExp][] = [
    ['ours.example', /^The address in the path is a domain; give the address of one mailbox\.$/],
    ['ann', /^The address in the path is a domain/],
    ['ann@', /^The address in the path has no valid domain after its @\.$/],
    ['@ours.example', /^The address in the path has no local part\.$/],
    ['a%20b@ours.example', /^The address in the path is not an address\.$/],
    [`ann@${`${'a'.repeat(60)}.`.repeat(4)}example.example`, /^The address in the path has no valid domain/],
    ['ann%40ours.example%', /^The path is not correctly percent-encoded\.$/],
  ]
  for (const [path, detail] of faults)
    test(`answers 400 for ${path.slice(0, 30)}`, async () => {
      const { call, store, started } = setup()
      const { status, body } = await call(`DELETE /addresses/${path}`)
      assert.equal(status, 400)
      assert.match((body as { detail: string }).detail, detail)
      assert.deepEqual([store.objects.size, started], [0, []])
    })

  test('answers 409 while mail of the address waits', async () => {
    for (const [count, isComplete, text] of [
      [1, true, '1 message of this address is neither delivered nor bounced: A.'],
      [2, false, 'At least 2 messages of this address are neither delivered nor bounced: A, B.'],
    ] as const) {
      const { call, started } = setup({ count, isComplete })
      const { status, body } = await call('DELETE /addresses/ann@ours.example')
      const detail = `${text} Return or drop this mail, or wait. Nothing was erased.`
      assert.deepEqual([status, (body as { detail: string }).detail, started], [409, detail, []])
    }
  })

  test('shows as failed what could not be started', async () => {
    const { call, store } = setup({ fails: true })
    assert.equal((await call('DELETE /addresses/ann@ours.example')).status, 500)
    const [stored] = [...store.objects.values()].map((octets) => JSON.parse(octets.toString()))
    assert.deepEqual([stored.state, stored.reason], ['Failed', 'The erasure could not be started.'])
  })
})

describe('GET /erasures/{id}', () => {
  test('answers 404 for an erasure that does not exist', async () => {
    const { call } = setup()
    for (const id of ['01KF0CVZT0ABCDEFGHJKMNPQRS', 'x', '..%2Fraw'])
      assert.equal((await call(`GET /erasures/${id}`)).status, 404)
  })

  test('shows as failed an erasure whose function is silent for 20 minutes', async () => {
    const { call, store, clock } = setup()
    const { id } = (await call('DELETE /addresses/ann@ours.example')).body as { id: string }
    clock.now += 20 * 60_000
    assert.equal(((await call(`GET /erasures/${id}`)).body as { state: string }).state, 'Running')
    clock.now += 1
    const { state, reason, finishedAt } = (await call(`GET /erasures/${id}`)).body as Record<string, string>
    assert.deepEqual(
      [state, reason, finishedAt],
      ['Failed', 'The function stopped. Erase the address again.', new Date(at).toISOString()],
    )
    assert.equal((await new Erasures(store, () => clock.now).load(id))?.state, 'Running')
  })
})

describe('mail that waits', () => {
  let database: TestDynamoDb
  before(async () => {
    database = await startDynamoDb()
    const deferred = { verdict: { action: 'Defer' as const } }
    const delivered = { attempts: [{ outcome: 'Delivered' as const }] }
    const time = new Date(at).toISOString()
    const mail = (
      n: number,
      mailFrom: string,
      recipients: Parameters<typeof traceMail>[4],
      received = time,
    ) => traceMail(database, received, n, { mailFrom }, recipients)
    await mail(1, 'Ann@ours.example', { 'bob@partner.example': deferred })
    await mail(2, 'carl@partner.example', { 'ann@ours.example': {}, 'joann@ours.example': delivered })
    await mail(3, 'ann@ours.example', { 'bob@partner.example': delivered })
    await mail(4, 'joann@ours.example', { 'bob@partner.example': deferred })
    await mail(
      5,
      'ann@ours.example',
      { 'bob@partner.example': deferred },
      new Date(at - 15 * 86_400_000).toISOString(),
    )
  })
  after(() => database.stop())

  test('of the address is counted, with its ids', async () => {
    const history = new History(database.documents, database.messagesTable)
    const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased')
    const found = await new UnsettledMail(history, () => at).find(address)
    assert.deepEqual([found.count, found.isComplete], [2, true])
    assert.deepEqual(found.ids.map((id) => id.slice(-1)).sort(), ['1', '2'])
  })

  test('is not searched for longer than ten seconds', async () => {
    let now = at
    const history = {
      async find() {
        now += 4000
        return {
          messages: [{ id: String(now), position: { day: '', before: '' } }],
          next: { day: 'x', before: 'y' },
        }
      },
    }
    const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased')
    const found = await new UnsettledMail(history, () => now).find(address)
    assert.deepEqual([found.count, found.isComplete], [3, false])
  })
})
