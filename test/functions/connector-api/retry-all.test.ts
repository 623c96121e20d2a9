/** Tests `POST /messages/retry`, and that it recovers the mail of lost queues from the trace. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { contentReference } from '../../../functions/bounce-message/bounce-job.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import type { TraceEntry } from '../../../shared/messages/trace-entry.ts'
import type { Outcomes } from '../../../shared/net/smtp-delivery.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { authenticatedMessage, outbound, outcome, recipient, snapshot } from '../../support/fixtures.ts'
import type { Unit } from '../../support/pipeline/queues.ts'
import { runUnit } from '../../support/pipeline/units.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const address = 'b@partner.example'
const octets = Buffer.from('Subject: contract\r\n\r\nSigned\r\n')

let database: TestDynamoDb
let deployment: Deployment

beforeEach(async () => {
  database = await startDynamoDb()
  deployment = new Deployment(database)
})
afterEach(() => database.stop())

/** The functions, with a clock that the test sets, and queues that it can lose. */
class Deployment {
  now = Date.parse('2026-02-03T12:00:00.000Z')
  isPartnerUp = true
  /** Recipients that the partner accepted, in order. */
  readonly accepted: string[] = []
  readonly #database: TestDynamoDb
  readonly #api: ReturnType<typeof createTestApi>
  #serial = 0
  #jobs: { unit: Unit; body: string }[] = []

  constructor(database: TestDynamoDb) {
    this.#database = database
    this.#api = createTestApi(database.documents, () => this.now)
  }

  /** Accepts a message as the ingress does. @returns its id */
  accept(...recipients: string[]): string {
    const id = `${encodeTime(this.now, 10)}${String(this.#serial++).padStart(16, '0')}`
    const fields = { id, source: null, receivedAt: new Date(this.now).toISOString() }
    const content = contentReference('content', 'received', octets)
    const job = {
      message: authenticatedMessage({ ...fields, content, size: octets.length }),
      recipients: recipients.map((each) => recipient({ address: each })),
      notBefore: null,
    }
    this.#jobs.push({ unit: 'evaluate', body: JSON.stringify(job) })
    return id
  }

  loseQueues(): void {
    this.#jobs = []
  }

  /** Runs this number of jobs, or all that are due. */
  async run(count = Number.POSITIVE_INFINITY): Promise<void> {
    for (let ran = 0; ran < count && this.#jobs.length > 0; ran++) {
      const { unit, body } = this.#jobs.shift() ?? assert.fail()
      await runUnit(unit, body, this.#ports)
    }
  }

  /** Requests a retry of all mail. @returns the body of the response */
  async retryAll(query = '') {
    const { status, body } = await this.#api.call(`POST /messages/retry${query}`)
    assert.equal(status, 202)
    for (const { job } of this.#api.evaluation.take())
      this.#jobs.push({ unit: 'evaluate', body: JSON.stringify(job) })
    return body
  }

  async recipients(id: string): Promise<TraceEntry['recipients']> {
    const { body } = await this.#api.call(`GET /messages/${id}`)
    return body.recipients ?? []
  }

  get #ports(): Parameters<typeof runUnit>[2] {
    return {
      request: (command) => this.#database.documents.send(command as never),
      send: async (unit, outgoing) => {
        for (const { job, delaySeconds = 0 } of outgoing)
          if (delaySeconds === 0) this.#jobs.push({ unit, body: JSON.stringify(job) })
      },
      read: async () => octets,
      store: async () => undefined,
      transmit: async ({ recipients }) => this.#transmit(recipients),
      reasonNotToRun: () => null,
      connectors: () => snapshot({ outbound: [outbound({ recipientDomains: ['*'] })] }),
      now: () => new Date(this.now),
    }
  }

  #transmit(recipients: readonly Recipient[]): Outcomes {
    if (this.isPartnerUp) this.accepted.push(...recipients.map((each) => each.address))
    const result = this.isPartnerUp ? 'Delivered' : 'TemporaryFailure'
    return new Map(recipients.map((each) => [each.address, outcome({ outcome: result })]))
  }
}

describe('after all queues are lost, POST /messages/retry delivers', () => {
  const cases: [what: string, runFirstJobs: () => Promise<void>, attempts: number][] = [
    ['mail whose delivery job was lost', () => deployment.run(1), 1],
    [
      'mail whose timer was lost',
      async () => {
        deployment.isPartnerUp = false
        await deployment.run()
      },
      2,
    ],
    [
      'mail whose outcome of an attempt was lost',
      async () => {
        deployment.isPartnerUp = false
        await deployment.run(2)
      },
      2,
    ],
  ]
  for (const [what, runFirstJobs, attempts] of cases)
    test(`${what}, once, also when it is repeated`, async () => {
      const id = deployment.accept(address)
      await runFirstJobs()
      deployment.loseQueues()
      deployment.now += 10 * minute
      deployment.isPartnerUp = true
      for (let repetition = 0; repetition < 3; repetition++) {
        await deployment.retryAll()
        await deployment.run()
      }
      const [traced] = await deployment.recipients(id)
      assert.deepEqual([traced?.state, traced?.attempts.length], ['Delivered', attempts])
      assert.deepEqual(deployment.accepted, [address])
    })

  test('nothing of a message that was not evaluated yet: the trace does not know it', async () => {
    const id = deployment.accept(address)
    deployment.loseQueues()
    assert.deepEqual(await deployment.retryAll(), { requested: 0, messages: 0, nextCursor: null })
    assert.deepEqual(await deployment.recipients(id), [])
  })
})

describe('POST /messages/retry', () => {
  const ages: [age: number, requested: number][] = [
    [hour, 1],
    [3 * day, 1],
    [13 * day, 1],
    [15 * day, 0],
  ]
  for (const [age, requested] of ages)
    test(`requests ${requested} of the recipients that have been deferred for ${age / hour} hours`, async () => {
      deployment.isPartnerUp = false
      deployment.accept(address)
      await deployment.run()
      deployment.loseQueues()
      deployment.now += age
      assert.deepEqual(await deployment.retryAll(), { requested, messages: requested, nextCursor: null })
    })

  test('requests nothing of settled recipients', async () => {
    deployment.accept(address, 'c@partner.example')
    await deployment.run()
    assert.deepEqual(deployment.accepted, [address, 'c@partner.example'])
    assert.deepEqual(await deployment.retryAll(), { requested: 0, messages: 0, nextCursor: null })
  })

  test('continues at the position of ?cursor', async () => {
    deployment.accept(address)
    await deployment.run(1)
    deployment.loseQueues()
    deployment.now += 2 * hour
    deployment.accept('later@partner.example')
    await deployment.run(1)
    const before = encodeTime(deployment.now - hour, 10).padEnd(26, '0')
    const cursor = Buffer.from(JSON.stringify({ day: '2026-02-03', before })).toString('base64url')
    assert.deepEqual(await deployment.retryAll(`?cursor=${cursor}`), {
      requested: 1,
      messages: 1,
      nextCursor: null,
    })
  })
})
