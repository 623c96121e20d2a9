/** Tests `/certificates/unknown`: lists, states, proposals and dismissals. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { UnknownCertificateStore } from '../../../shared/messages/unknown-certificate-store.ts'
import { trustDigest } from '../../../shared/policy/trust-digest.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { certificateNotice, receivedAt } from '../../support/fixtures.ts'

const now = new Date('2026-02-10T12:00:00.000Z')
const minute = 60_000
let database: TestDynamoDb
let call: ReturnType<typeof createTestApi>['call']
let store: UnknownCertificateStore

before(async () => {
  database = await startDynamoDb()
  call = createTestApi(database.documents, () => now.getTime()).call
  store = new UnknownCertificateStore(database.documents, database.messagesTable)
})
after(() => database.stop())

let serial = 0
async function createConnector(fields: object = {}) {
  serial += 1
  const { body, status } = await call('POST /inbound-connectors', {
    json: {
      name: `Partner ${serial}`,
      connectorType: 'Partner',
      senderDomains: ['contoso.example'],
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
      ...fields,
    },
  })
  assert.equal(status, 201, JSON.stringify(body))
  return body
}

const fingerprint = (index: number): string => index.toString(16).padStart(64, '0')

/** @param minutes before now */
async function present(
  connector: { id: string } & Parameters<typeof trustDigest>[0],
  index: number,
  minutes: number,
  fields: Partial<Omit<CertificateNotice, 'connector'>> = {},
) {
  const notice = certificateNotice({
    connector: connector.id,
    fingerprint256: fingerprint(index),
    at: new Date(now.getTime() - minutes * minute).toISOString(),
    trustDigest: trustDigest(connector),
    ...fields,
  })
  await store.record(notice, null, now)
  return `${connector.id}-${Buffer.from(fingerprint(index), 'hex').toString('base64url')}`
}

const idsIn = ({ body }: Awaited<ReturnType<typeof call>>): string[] =>
  body.items.map(({ id }: { id: string }) => id)

const listAll = async (query: string): Promise<string[]> => {
  const ids: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const answer: Awaited<ReturnType<typeof call>> = await call(
      `GET /certificates/unknown?${query}${cursor && `&cursor=${cursor}`}`,
    )
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    ids.push(...idsIn(answer))
    cursor = answer.body.nextCursor
  }
  return ids
}

const patch = async (id: string, version: number, json: object) =>
  call(`PATCH /inbound-connectors/${id}`, { headers: { 'if-match': `"${version}"` }, json })

describe('GET /certificates/unknown', () => {
  test('lists the certificates of a connector in pages, the last presented first', async () => {
    const connector = await createConnector()
    const ids: string[] = []
    for (let index = 1; index <= 5; index++) ids.push(await present(connector, index, 10 - index))
    ids.reverse()
    assert.deepEqual(await listAll(`connector=${connector.id}&limit=2`), ids)
    const all = await listAll('limit=2')
    assert.deepEqual(
      all.filter((id) => ids.includes(id)),
      ids,
    )
  })

  test('a certificate that is presented again moves to the front, and is listed once', async () => {
    const connector = await createConnector()
    const first = await present(connector, 1, 9)
    const second = await present(connector, 2, 8)
    assert.equal(await present(connector, 1, 7), first)
    assert.deepEqual(await listAll(`connector=${connector.id}`), [first, second])
  })

  test('keeps those that an attacker cannot create apart from the rest', async () => {
    const connector = await createConnector()
    const others: string[] = []
    for (let index = 1; index <= 12; index++)
      others.push(await present(connector, index, 20 - index, { vouchedFor: false }))
    const renewal = await present(connector, 99, 60)
    assert.deepEqual(await listAll(`connector=${connector.id}&trusted=true`), [renewal])
    assert.deepEqual(await listAll(`connector=${connector.id}&trusted=false`), others.reverse())
    assert.ok((await listAll('trusted=true&limit=1')).includes(renewal))
  })

  test('omits a certificate 30 days after its last presentation', async () => {
    const connector = await createConnector()
    const dayMinutes = 24 * 60
    const recent = await present(connector, 1, 29 * dayMinutes)
    await present(connector, 2, 31 * dayMinutes)
    assert.deepEqual(await listAll(`connector=${connector.id}`), [recent])
  })

  test('ends a page before it exceeds the largest response of Lambda, as with a connector of a thousand names', async () => {
    const label = 'a'.repeat(50)
    const names = Array.from({ length: 1000 }, (_, index) => `d${index}.${label}.example`)
    const connector = await createConnector({ senderDomains: names, tlsSenderCertificateNames: names })
    const ids: string[] = []
    for (let index = 1; index <= 60; index++)
      ids.push(await present(connector, index, 100 - index, { vouchedFor: false }))
    const first = await call(`GET /certificates/unknown?connector=${connector.id}&limit=100`)
    const octets = Buffer.byteLength(JSON.stringify(JSON.stringify(first.body)))
    assert.ok(octets < 6_000_000, `${octets} octets`)
    assert.deepEqual(await listAll(`connector=${connector.id}&limit=100`), ids.reverse())
  })

  test('rejects a connector that has no id, and a foreign cursor', async () => {
    assert.equal((await call('GET /certificates/unknown?connector=Contoso')).status, 400)
    assert.equal((await call('GET /certificates/unknown?cursor=abc')).status, 400)
  })
})

describe('GET /certificates/unknown/{id}', () => {
  test('has the certificate, what happened to mail, and the proposals with their patches', async () => {
    const connector = await createConnector()
    const id = await present(connector, 1, 5, { consequence: 'Held', heldUntil: now.toISOString() })
    const { status, body } = await call(`GET /certificates/unknown/${id}`)
    assert.equal(status, 200)
    assert.deepEqual(
      [body.id, body.state, body.trusted, body.accepted, body.seenCount, body.dismissal],
      [id, 'Open', true, null, 1, null],
    )
    assert.deepEqual(
      body.effects.map(({ effect, heldUntil, notices }: Record<string, unknown>) => [
        effect,
        heldUntil,
        notices,
      ]),
      [['Held', now.toISOString(), null]],
    )
    assert.deepEqual(
      body.proposals.map(({ admits, patch: change }: Record<string, unknown>) => [admits, change]),
      [
        ['ThisCertificate', { certificateFingerprints: [fingerprint(1)] }],
        [
          'NameFromPublicRoot',
          { tlsSenderCertificateNames: ['mail.contoso.example', 'mx1.contoso.example'] },
        ],
      ],
    )
    assert.equal(body.connector.version, connector.version)
  })

  for (const id of [
    'x',
    '01KF0CVZT00000000000000001-ab',
    `01KF0CVZT00000000000000001-${'ab_-'.repeat(11).slice(0, 43)}`,
  ])
    test(`answers 404 to ${id.slice(0, 30)}`, async () => {
      assert.equal((await call(`GET /certificates/unknown/${id}`)).status, 404)
      const dismissal = await call(`POST /certificates/unknown/${id}/dismiss`, {
        json: { reason: 'stranger' },
      })
      assert.equal(dismissal.status, 404)
    })
})

describe('the state is', () => {
  const stateOf = async (id: string) => (await call(`GET /certificates/unknown/${id}`)).body.state

  for (const position of [0, 1])
    test(`Resolved after the ${position === 0 ? 'first' : 'second'} proposal was applied`, async () => {
      const connector = await createConnector()
      const remedies = certificateNotice({ fingerprint256: fingerprint(7) }).remedies
      const id = await present(connector, 7, 5, { remedies })
      const { body } = await call(`GET /certificates/unknown/${id}`)
      const saved = await patch(connector.id, body.connector.version, body.proposals[position].patch)
      assert.equal(saved.status, 200)
      assert.equal(await stateOf(id), 'Resolved')
      assert.deepEqual(await listAll(`connector=${connector.id}&state=Open`), [])
    })

  test('Open if only a name was added, and other authorities are trusted since the test', async () => {
    const connector = await createConnector({ tlsSenderCertificateNames: ['mx1.contoso.example'] })
    const id = await present(connector, 8, 5, { trustDigest: 'other' })
    assert.equal(await stateOf(id), 'Open')
    const { body } = await call(`GET /certificates/unknown/${id}`)
    assert.deepEqual(
      body.proposals.map(({ admits }: { admits: string }) => admits),
      ['ThisCertificate'],
    )
  })

  test('Open without a proposal after the certificate has expired', async () => {
    const connector = await createConnector({ certificateFingerprints: [fingerprint(9)] })
    const { presented } = certificateNotice({ fingerprint256: fingerprint(9) })
    const id = await present(connector, 9, 5, {
      presented: { ...presented, notAfter: receivedAt.toISOString() },
    })
    const { body } = await call(`GET /certificates/unknown/${id}`)
    assert.deepEqual([body.state, body.proposals], ['Open', []])
  })

  test('Resolved when the connector requires no certificate any more, or is deleted', async () => {
    const connector = await createConnector()
    const id = await present(connector, 10, 5)
    const { body: saved } = await patch(connector.id, connector.version, {
      restrictDomainsToCertificate: false,
    })
    assert.equal(await stateOf(id), 'Resolved')
    await call(`DELETE /inbound-connectors/${connector.id}`, {
      headers: { 'if-match': `"${saved.version}"` },
    })
    const { body } = await call(`GET /certificates/unknown/${id}`)
    assert.deepEqual([body.state, body.connector.version, body.proposals], ['Resolved', null, []])
  })

  test('Dismissed after an administrator dismissed it, with actor and reason, also when presented again', async () => {
    const connector = await createConnector()
    const id = await present(connector, 11, 5)
    const { status, body } = await call(`POST /certificates/unknown/${id}/dismiss`, {
      json: { reason: 'The bank does not know it' },
    })
    assert.equal(status, 200)
    const expected = {
      at: now.toISOString(),
      by: 'arn:aws:iam::123456789012:user/administrator',
      reason: 'The bank does not know it',
      until: '2026-05-11T12:00:00.000Z',
    }
    assert.deepEqual([body.state, body.dismissal], ['Dismissed', expected])
    await present(connector, 11, 1)
    assert.deepEqual(await listAll(`connector=${connector.id}&state=Open`), [])
    assert.deepEqual(await listAll(`connector=${connector.id}&state=Dismissed`), [id])
  })

  test('Dismissed until the dismissal ends, also if a notice of before is recorded after it', async () => {
    const connector = await createConnector()
    const id = await present(connector, 13, 5)
    await call(`POST /certificates/unknown/${id}/dismiss`, { json: { reason: 'stranger' } })
    await present(connector, 13, 1)
    const later = createTestApi(database.documents, () => now.getTime() + 60 * 24 * 60 * minute)
    const { body } = await later.call(`GET /certificates/unknown/${id}`)
    assert.equal(body.state, 'Dismissed', JSON.stringify(body))
  })

  test('Resolved after another name of the certificate than the proposed one was added', async () => {
    const connector = await createConnector()
    const { presented } = certificateNotice({ fingerprint256: fingerprint(15) })
    const id = await present(connector, 15, 5, {
      presented: { ...presented, subjectAltNames: ['mx1.contoso.example', 'relay.contoso.example'] },
      remedies: certificateNotice({ fingerprint256: fingerprint(15) }).remedies,
    })
    await patch(connector.id, connector.version, {
      tlsSenderCertificateNames: ['mail.contoso.example', 'relay.contoso.example'],
    })
    assert.equal(await stateOf(id), 'Resolved')
  })

  test('unchanged by a dismissal without a reason, or with invisible characters in it', async () => {
    const connector = await createConnector()
    const id = await present(connector, 12, 5)
    for (const json of [{}, { reason: ' ' }, { reason: 'a\u202eb' }])
      assert.equal((await call(`POST /certificates/unknown/${id}/dismiss`, { json })).status, 422)
    assert.equal(await stateOf(id), 'Open')
  })
})

test('ten thousand certificates are read in pages, and those that an attacker cannot create in the first one', async () => {
  const connectors = await Promise.all(Array.from({ length: 4 }, () => createConnector()))
  const first = connectors[0]
  const renewal = await present(first, 1, 1000)
  for (let index = 2; index <= 10_000; index += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, offset) =>
        present(connectors[(index + offset) % 4], index + offset, 30, { vouchedFor: false }),
      ),
    )
  assert.ok(idsIn(await call('GET /certificates/unknown?trusted=true&limit=100')).includes(renewal))
  const page = await call('GET /certificates/unknown?limit=100')
  assert.equal(page.body.items.length, 100)
  assert.notEqual(page.body.nextCursor, null)
  const dismissed = await call('GET /certificates/unknown?state=Dismissed&limit=100')
  assert.ok(dismissed.body.items.length < 100)
  assert.notEqual(dismissed.body.nextCursor, null, 'a rare state does not read all at once')
})
