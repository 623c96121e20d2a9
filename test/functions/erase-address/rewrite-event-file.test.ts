import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parquetMetadata } from 'hyparquet'
import { ByteWriter, parquetWrite } from 'hyparquet-writer'
import { rewriteEventFile } from '../../../functions/erase-address/rewrite-event-file.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { parquetFile } from '../../../shared/events/parquet-file.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { Random } from '../../support/random.ts'
import { sampleEvents } from '../../support/sample-events.ts'
import { readParquet } from '../../support/sealed-events.ts'

const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased-1a2b3c4d')
const from = Date.parse('2026-11-30T20:00:00Z')
const sample = [...sampleEvents(120, new Random(3), { from, to: from + 3_000_000 })]

/** Columns in which the address stands, each in an event of its own. */
const texts: Partial<MailEvent>[] = [
  { sender: 'Ann@ours.example' },
  { recipient: 'ann@ours.example' },
  { reply: '550 5.1.1 <ann@ours.example> unknown' },
  { headerMessageId: '<ann@ours.example>' },
  { helo: 'ann@ours.example' },
  { before: '{"comment":"ann@ours.example"}' },
  { after: '{"comment":"ann@ours.example"}' },
  { reason: 'ann@ours.example' },
  { notVerifiedBecause: 'ann@ours.example' },
  { clientCertificateSubject: 'emailAddress=ann@ours.example' },
]
const others: Partial<MailEvent>[] = [
  { sender: 'joann@ours.example' },
  { recipient: 'ann@ours.example.org' },
  { actor: 'arn:aws:sts::1:assumed-role/admin/ann@ours.example' },
]
const withColumns = (columns: readonly Partial<MailEvent>[], start: number) =>
  columns.map((each, index) => ({ ...(sample[start + index] as MailEvent), ...each }))

const octetsOf = (events: readonly object[]) => Buffer.from(parquetFile(events as Record<string, unknown>[]))
const withoutTexts = (rows: Record<string, unknown>[]) =>
  rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])))

describe('a Parquet file', () => {
  test('is rewritten in all columns of text, and keeps everything else', async () => {
    const events = [...withColumns(texts, 0), ...withColumns(others, 20), ...sample.slice(40)]
    const octets = octetsOf(events)
    const rewritten = await rewriteEventFile(octets, address)
    assert.ok(rewritten !== null)
    assert.equal(rewritten.events, texts.length)
    const [before, after] = await Promise.all([octets, Buffer.from(rewritten.octets)].map(readParquet))
    assert.deepEqual(
      withoutTexts(after ?? []),
      withoutTexts((before ?? []).map((row) => address.replaceInValue(row))),
    )
    assert.equal(JSON.stringify(after).match(/\bann@ours\.example(?!\.org)/gi)?.length, 1, 'the actor')
    const file = (each: Uint8Array) => parquetMetadata(new Uint8Array(each).buffer)
    assert.deepEqual(file(rewritten.octets).schema, file(octets).schema)
    assert.deepEqual(file(rewritten.octets).key_value_metadata, file(octets).key_value_metadata)
    assert.ok(!Buffer.from(rewritten.octets).includes('550 5.1.1 <ann@'), 'also not in the statistics')
    assert.equal(await rewriteEventFile(Buffer.from(rewritten.octets), address), null)
  })

  test('keeps its row groups', async () => {
    const many = [...sampleEvents(21_000, new Random(4), { from, to: from + 3_000_000 })]
    many[20_500] = { ...(many[20_500] as MailEvent), recipient: 'ann@ours.example' }
    const rewritten = await rewriteEventFile(octetsOf(many), address)
    const groups = parquetMetadata(new Uint8Array(rewritten?.octets ?? []).buffer).row_groups
    assert.deepEqual([rewritten?.events, groups.map(({ num_rows }) => Number(num_rows))], [1, [20_000, 1000]])
  })

  test('without the address is not rewritten', async () => {
    assert.equal(
      await rewriteEventFile(octetsOf([...withColumns(others, 0), ...sample.slice(10)]), address),
      null,
    )
    assert.equal(await rewriteEventFile(octetsOf([]), address), null)
  })

  test('has the columns of a later version afterwards', async () => {
    const writer = new ByteWriter()
    const columnData = [
      { name: 'id', data: ['a', 'b'], type: 'STRING' as const },
      { name: 'at', data: [new Date(from), new Date(from + 1)], type: 'TIMESTAMP' as const },
      { name: 'sender', data: ['ann@ours.example', null], type: 'STRING' as const },
      { name: 'laterText', data: [null, 'for ann@ours.example'], type: 'STRING' as const },
      { name: 'laterNumber', data: [1n, 2n ** 60n], type: 'INT64' as const },
      { name: 'laterShare', data: [0.5, null], type: 'DOUBLE' as const },
      { name: 'laterOctets', data: [Uint8Array.of(255, 0), null], type: 'BYTE_ARRAY' as const },
    ]
    parquetWrite({ writer, columnData, codec: 'GZIP', compressors: { GZIP: (octets) => gzipSync(octets) } })
    const rewritten = await rewriteEventFile(Buffer.from(writer.getBytes()), address)
    assert.equal(rewritten?.events, 2)
    const rows = await readParquet(Buffer.from(rewritten?.octets ?? []))
    assert.deepEqual(
      rows.map(({ laterOctets: _, ...row }) => row),
      [
        {
          id: 'a',
          at: new Date(from),
          sender: 'erased-1a2b3c4d@ours.example',
          laterText: null,
          laterNumber: 1n,
          laterShare: 0.5,
        },
        {
          id: 'b',
          at: new Date(from + 1),
          sender: null,
          laterText: 'for erased-1a2b3c4d@ours.example',
          laterNumber: 2n ** 60n,
          laterShare: null,
        },
      ],
    )
    assert.ok(Buffer.from(rewritten?.octets ?? []).length > 0)
  })

  test('with other encodings is read row by row', async () => {
    const writer = new ByteWriter()
    const data = Array.from({ length: 50 }, (_, index) =>
      index === 40 ? 'ann@ours.example' : `anna${index}@ours.example`,
    )
    parquetWrite({
      writer,
      columnData: [{ name: 'recipient', data, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' }],
      codec: 'GZIP',
      compressors: { GZIP: (octets) => gzipSync(octets) },
    })
    assert.equal((await rewriteEventFile(Buffer.from(writer.getBytes()), address))?.events, 1)
  })
})
