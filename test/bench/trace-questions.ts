/**
 * Puts to the trace in DynamoDB the questions that `bench:asking` puts to the events, for mail at the same rate. The
 * emulator computes read units as DynamoDB does; its times are those of this machine, so they show what the function
 * waits for and computes, not how fast AWS answers.
 */
import { BatchWriteCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { dayMs } from '../../shared/contract/durations.ts'
import { History, type HistoryFilter, type HistoryPosition } from '../../shared/messages/history.ts'
import { indexKeys, recipientKey } from '../../shared/messages/message-keys.ts'
import { startDynamoDb, type TestDynamoDb } from '../support/dynamodb.ts'
import { Random } from '../support/random.ts'
import { traceMail } from '../support/traced-mail.ts'
import { prices } from './cost/prices.ts'

export interface TraceAnswer {
  question: string
  rows: number
  /** ms */
  times: number[]
  dollars: number
}

interface TraceOptions {
  /** Recipients a day. */
  perDay: number
  /** ms since the epoch: the end of the mail. */
  until: number
  days: number
  rounds: number
}

const partners = 1000
const wantedPartner = 'partner7.example'
const batchSize = 25

export async function answersOfTrace(options: TraceOptions): Promise<TraceAnswer[]> {
  const dynamoDb = await startDynamoDb()
  try {
    const wanted = await fill(dynamoDb, options)
    return await answersTo(dynamoDb, options, wanted)
  } finally {
    await dynamoDb.stop()
  }
}

/**
 * Writes the mail of the wanted partner whole, and of other mail what its rows in the index have, which is all that a
 * search reads of it.
 * @returns the id of a message with the wanted partner
 */
async function fill(dynamoDb: TestDynamoDb, { perDay, until, days }: TraceOptions): Promise<string> {
  const random = new Random(1)
  const count = perDay * days
  let items: Record<string, unknown>[] = []
  let id = ''
  for (let number = 0; number < count; number++) {
    const at = new Date(Math.floor(until - days * dayMs + (days * dayMs * number) / count)).toISOString()
    const partner = `partner${random.between(0, partners)}.example`
    const recipient = `person${random.between(0, 20_000)}@${partner}`
    const sender = `colleague${random.between(0, 5000)}@ours${random.between(0, 20)}.example`
    if (partner === wantedPartner) {
      const sent = { mailFrom: sender, headerMessageId: `<${number}@ours1.example>` }
      id = (
        await traceMail(dynamoDb, at, number, sent, { [recipient]: { attempts: [{ outcome: 'Delivered' }] } })
      ).id
      continue
    }
    items.push(indexRow(at, number, sender, recipient))
    if (items.length < batchSize) continue
    await write(dynamoDb, items)
    items = []
  }
  if (items.length > 0) await write(dynamoDb, items)
  return id
}

function indexRow(at: string, number: number, sender: string, recipient: string) {
  const id = `${encodeTime(Date.parse(at), 10)}${String(number).padStart(16, '0')}`
  return {
    ...recipientKey(id, recipient),
    ...indexKeys(id, at),
    sender,
    clientIp: `192.0.2.${number % 255}`,
    headerMessageId: `${number}@ours1.example`,
    connectors: ['01KB000000000000000000INB1', '01KB00000000000000000AAAAA'],
  }
}

const write = ({ documents, messagesTable }: TestDynamoDb, items: readonly Record<string, unknown>[]) =>
  documents.send(
    new BatchWriteCommand({
      RequestItems: { [messagesTable]: items.map((Item) => ({ PutRequest: { Item } })) },
    }),
  )

const anything = {
  sender: null,
  recipient: null,
  domain: null,
  connector: null,
  direction: null,
  messageId: null,
  clientIp: null,
  minSize: null,
  tlsVersion: null,
  state: null,
}

async function answersTo(
  { documents, messagesTable }: TestDynamoDb,
  { until, days, rounds }: TraceOptions,
  wanted: string,
): Promise<TraceAnswer[]> {
  const units = countReadUnits(documents)
  const history = new History(documents, messagesTable)
  const span = (daysBack: number) => ({ since: new Date(until - daysBack * dayMs), until: new Date(until) })
  const search = (filter: HistoryFilter) => async () => (await allPages(history, filter)).length
  const [person] = (await history.entry(wanted))?.recipients ?? []
  const questions: [question: string, answer: () => Promise<number>][] = [
    [
      `all mail to one recipient, ${days} days`,
      search({
        ...anything,
        ...span(days),
        recipient: { kind: 'address', address: person?.address ?? '' },
      }),
    ],
    [
      `one Message-ID, ${days} days`,
      search({ ...anything, ...span(days), messageId: '<none@ours1.example>' }),
    ],
    ['all mail with one partner, 7 days', search({ ...anything, ...span(7), domain: wantedPartner })],
    ['one message', async () => ((await history.entry(wanted)) === null ? 0 : 1)],
  ]
  const answers: TraceAnswer[] = []
  for (const [question, answer] of questions) {
    const times: number[] = []
    let rows = 0
    for (let round = 0; round < rounds; round++) {
      units.reset()
      const startedAt = performance.now()
      rows = await answer()
      times.push(performance.now() - startedAt)
    }
    answers.push({ question, rows, times, dollars: units.read() * prices.dynamoDbRead.usd })
  }
  return answers
}

async function allPages(history: History, filter: HistoryFilter) {
  const entries = []
  let from: HistoryPosition | null = null
  do {
    const page = await history.page(filter, from, 100)
    entries.push(...page.entries)
    from = page.next
  } while (from !== null)
  return entries
}

/** Requests of each read the read units that it used. */
function countReadUnits(documents: DynamoDBDocumentClient) {
  let units = 0
  documents.middlewareStack.add(
    (next) => async (args) => {
      const result = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
      const { ConsumedCapacity: used } = result.output as {
        ConsumedCapacity?: { CapacityUnits?: number } | { CapacityUnits?: number }[]
      }
      for (const { CapacityUnits = 0 } of [used ?? []].flat()) units += CapacityUnits
      return result
    },
    { step: 'initialize' },
  )
  return {
    reset: () => {
      units = 0
    },
    read: () => units,
  }
}
