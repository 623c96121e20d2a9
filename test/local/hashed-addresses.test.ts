/**
 * The setting `hashEventAddresses` end to end: mail is delivered, bounced and refused, sealed, searched for and erased. No
 * object in the events bucket has a local part at any time.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { S3Client } from '@aws-sdk/client-s3'
import { newUlid } from '../../shared/content/ulid.ts'
import type { ErasePosition } from '../../shared/contract/erase-request.ts'
import { Erasures, nothingErased } from '../../shared/events/erasures.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { setUpMailboxServer } from '../support/local/mailbox-server.ts'
import {
  Api,
  messageIdIn,
  type RunnerProcess,
  sendMessage,
  startRunner,
  waitForResult,
} from '../support/local/runner.ts'
import { readParquet } from '../support/sealed-events.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'
import { SealedHours } from './exactness/sealed-hours.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-test-'))
const settings = join(folder, 'settings.json')
writeFileSync(settings, JSON.stringify({ hashEventAddresses: true, hostname: 'mx.ours.example' }))

const startedAt = Date.now()
let partner: Partner
let runner: RunnerProcess
let api: Api
let store: EventStore
let hours: SealedHours

before(
  async () => {
    partner = await startPartner({
      answer: (command) => (/^RCPT TO:<unknownperson/.test(command) ? `550 5.1.1 ${command}?` : undefined),
    })
    runner = await startRunner({ names: {} }, ['--no-demo', '--settings', settings])
    const { endpoints } = runner
    api = new Api(endpoints)
    store = new EventStore(
      new S3Client({
        region: 'us-east-1',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
        endpoint: endpoints.s3,
        forcePathStyle: true,
      }),
      endpoints.eventsBucket,
    )
    hours = new SealedHours(endpoints)
    await setUpMailboxServer(api, { port: partner.port })
  },
  { timeout: 120_000 },
)

after(async () => {
  await runner?.stop()
  await partner?.stop()
  rmSync(folder, { recursive: true })
})

const json = (value: unknown): string =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each))

/** The texts of all objects by key. The statistics of a Parquet file are beside its rows. */
async function stored(): Promise<Map<string, string>> {
  const objects = (await store.list('')).map(async ({ key }): Promise<[string, string]> => {
    const octets = await store.get(key)
    if (key.endsWith('.parquet'))
      return [key, `${json(await readParquet(octets))}${octets.toString('latin1')}`]
    return [key, (key.endsWith('.gz') ? gunzipSync(octets) : octets).toString()]
  })
  return new Map(await Promise.all(objects))
}

async function assertNoLocalPart(): Promise<void> {
  for (const [key, text] of await stored()) assert.doesNotMatch(text, /annsmith|bobjones|unknownperson/i, key)
}

const send = (from: string, to: string) =>
  waitForResult(async () => {
    const reply = await sendMessage(runner.endpoints, from, to, 'Subject: hello\r\n\r\nhello\r\n')
    return reply.startsWith('250') ? messageIdIn(reply) : null
  })

const rowsOf = async (search: object) => {
  const { id } = await api.call<{ id: string }>('POST', '/message-searches', search)
  return waitForResult(async () => {
    const found = await api.call<{ state: string; rows: Record<string, unknown>[] }>(
      'GET',
      `/message-searches/${id}`,
    )
    assert.match(found.state, /^(Running|Succeeded)$/)
    return found.state === 'Running' ? null : found.rows
  })
}

test('the events bucket has no local part, and searches and erasures by an address find its mail', {
  timeout: 120_000,
}, async () => {
  const delivered = await send('AnnSmith@bank.example', 'bobjones@ours.example')
  const bounced = await send('annsmith@bank.example', 'unknownperson@ours.example')
  await api.settled(delivered, ['Delivered'])
  await api.settled(bounced, ['Bounced'])
  assert.match(
    await sendMessage(runner.endpoints, 'annsmith@bank.example', 'bobjones@elsewhere.example', '').catch(
      String,
    ),
    /550/,
  )
  await waitForResult(async () => {
    const { Delivered = 0, Bounced = 0, Rejected = 0 } = await hours.sealSince(startedAt)
    return Delivered + Bounced + Rejected === 3 || null
  })
  const rows = await rowsOf({ sender: '"annsmith"@BANK.example' })
  assert.deepEqual(rows.map(({ state }) => state).sort(), ['Bounced', 'Delivered', 'Rejected'])
  for (const { sender_address, recipient_address, reply } of rows) {
    assert.match(String(sender_address), /^hashed-[0-9a-f]{20}@bank\.example$/)
    assert.match(String(recipient_address), /^hashed-[0-9a-f]{20}@(ours|elsewhere)\.example$/)
    assert.doesNotMatch(String(reply), /person|jones/)
  }
  const ids = await rowsOf({ recipient: 'BobJones@ours.example' })
  assert.deepEqual(
    ids.map(({ network_message_id: id }) => id),
    [delivered],
  )
  assert.deepEqual(await rowsOf({ recipient: 'bob@ours.example' }), [])
  const { events } = await api.call<{ events: { recipient?: string }[] }>(
    'GET',
    `/messages/${bounced}/events`,
  )
  assert.ok(events.some(({ recipient }) => recipient?.startsWith('hashed-')))
  await assertNoLocalPart()

  void eraseEvents('annsmith@bank.example')
  const [hashed = ''] = String(rows[0]?.sender_address).split('@')
  await waitForResult(async () => {
    const texts = [...(await stored()).values()]
    return texts.some((text) => text.includes('erased-')) && !texts.some((text) => text.includes(hashed))
      ? true
      : null
  }, 200)
  await assertNoLocalPart()
})

/** Runs an erasure from its first step in the events bucket, without the seconds that dead letters take. */
async function eraseEvents(address: string): Promise<void> {
  const id = newUlid()
  const at = new Date().toISOString()
  await new Erasures(store, Date.now).write({
    id,
    state: 'Running',
    startedAt: at,
    finishedAt: null,
    actor: 'test',
    erased: nothingErased,
    remaining: [],
    reason: null,
  })
  const position: ErasePosition = {
    passes: 0,
    step: 2,
    after: null,
    hasFound: false,
    unsettled: 0,
    samples: [],
    rawChangedAt: null,
    waits: false,
  }
  const { lambda, functions } = runner.endpoints
  const name = functions.find((each) => each.startsWith('ErasureFunction'))
  // The runner stops during the later passes.
  await fetch(`${lambda}/2015-03-31/functions/${name}/invocations`, {
    method: 'POST',
    body: JSON.stringify({ id, address, position }),
  }).catch(() => undefined)
}
