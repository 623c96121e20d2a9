import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { dayMs } from '../../../shared/contract/durations.ts'
import { DestinationStandings } from '../../../shared/transport/destination-standings.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const now = Date.parse('2026-11-25T00:00:00Z')
const at = (days: number): Date => new Date(now + days * dayMs)

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

type Event = 'Proof' | 'SlowFailure'

const rows: [title: string, events: [Event, day: number][], readOnDay: number, standing: string][] = [
  ['that never accepted a message', [], 0, 'Unproven'],
  ['that accepted a message', [['Proof', 0]], 0, 'Proven'],
  ['that accepted a message 29 days ago', [['Proof', 0]], 29, 'Proven'],
  ['that accepted a message 31 days ago', [['Proof', 0]], 31, 'Unproven'],
  [
    'that accepted messages 31 days ago and yesterday',
    [
      ['Proof', 0],
      ['Proof', 30],
    ],
    31,
    'Proven',
  ],
  ['that failed slowly and never accepted a message', [['SlowFailure', 0]], 0, 'Unproven'],
  [
    'that failed slowly after it accepted a message',
    [
      ['Proof', 0],
      ['SlowFailure', 0.1],
    ],
    0.2,
    'Slow',
  ],
  [
    'that accepted a message after it failed slowly',
    [
      ['Proof', 0],
      ['SlowFailure', 0.1],
      ['Proof', 0.2],
    ],
    0.3,
    'Proven',
  ],
]
for (const [index, [title, events, day, standing]] of rows.entries())
  test(`a domain ${title} is ${standing}`, async () => {
    const standings = new DestinationStandings(database.documents, database.transportTable)
    const domain = `d${index}.example`
    for (const [event, eventDay] of events)
      await (event === 'Proof'
        ? standings.recordProof(domain, at(eventDay))
        : standings.recordSlowFailure(domain, at(eventDay)))
    assert.equal(await standings.read(domain, at(day)), standing)
  })

test('a proof that is known and fresh costs a read, and no write', async () => {
  const sent: string[] = []
  const documents = {
    send(command: { constructor: { name: string } }, ...options: unknown[]) {
      sent.push(command.constructor.name)
      return (database.documents.send as (...all: unknown[]) => Promise<unknown>)(command, ...options)
    },
  } as unknown as typeof database.documents
  const standings = new DestinationStandings(documents, database.transportTable)
  const record = async (day: number) => {
    await standings.recordProof('cost.example', at(day))
    return sent.splice(0)
  }
  assert.deepEqual(await record(0), ['GetCommand', 'UpdateCommand'])
  assert.deepEqual(await record(0.9), ['GetCommand'])
  assert.deepEqual(await record(1.1), ['GetCommand', 'UpdateCommand'])
})
