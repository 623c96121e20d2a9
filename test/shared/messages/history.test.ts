import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import fc from 'fast-check'
import { encodeTime } from 'ulid'
import type { Message } from '../../../shared/contract/message.ts'
import { mailboxMatches, parseMailboxFilter } from '../../../shared/mail/mailbox-filter.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import {
  History,
  type HistoryFilter,
  type HistoryPosition,
  mergeNewestFirst,
} from '../../../shared/messages/history.ts'
import { dsnKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { TraceEntry } from '../../../shared/messages/trace-entry.ts'
import { relayDeniedReply } from '../../../shared/policy/admit-recipient.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  attempt,
  authenticated,
  circumstances,
  message,
  overTlsWith,
  recipient,
} from '../../support/fixtures.ts'

let database: TestDynamoDb
let trace: Trace
let claims: AttemptClaims
let history: History

before(async () => {
  database = await startDynamoDb()
  trace = new Trace(database.documents, database.messagesTable)
  claims = new AttemptClaims(database.documents, database.messagesTable)
  history = new History(database.documents, database.messagesTable)
})
after(() => database.stop())

const expiresAt = 4_000_000_000
const now = new Date('2026-01-15T12:00:00Z')
const claimRequest = { now, leaseMs: 60_000, expiresAt, holder: 'worker' }

/** A message received at `time`, with an id of that time; `n` distinguishes messages of one millisecond. */
const receivedAt = (time: string, n = 0, fields: Parameters<typeof message>[0] = {}): Message =>
  message({
    id: `${encodeTime(Date.parse(time), 10)}${String(n).padStart(16, '0')}`,
    receivedAt: new Date(time).toISOString(),
    ...fields,
  })

const verdict = (address: string, fields: Partial<Verdict> = {}): Verdict =>
  ({
    action: 'Deliver',
    recipient: recipient({ address }),
    reason: 'ConnectorMatched',
    explanation: 'Outbound connector "Northwind" takes it.',
    connectors: { inbound: null, outbound: 'id-northwind' },
    decidedBy: null,
    lowered: [],
    newRequirement: null,
    reportOnly: null,
    reply: relayDeniedReply,
    until: now,
    expiresAt: now,
    ...fields,
  }) as Verdict

async function record(received: Message, ...verdicts: Verdict[]): Promise<void> {
  await trace.recordMessage(received, circumstances.at, 90)
  for (const each of verdicts) await trace.recordVerdict(received, each, circumstances, expiresAt)
}

async function empty(): Promise<void> {
  const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'messages' }))
  for (const { pk, sk } of Items)
    await database.documents.send(new DeleteCommand({ TableName: 'messages', Key: { pk, sk } }))
}

describe('the trace entry of a message', () => {
  test('keeps the first hold of a recipient after a second hold and after the release', async () => {
    const held = receivedAt('2026-02-03T09:00Z')
    const hold = (explanation: string): Verdict =>
      verdict('a@ours.example', {
        action: 'Defer',
        reason: 'InboundCertificateRestriction',
        explanation,
        notifyDelay: false,
      })
    await record(held, hold('Presented was A.'), hold('Presented was A, still.'))
    const [waiting] = (await history.entry(held.id))?.recipients ?? []
    assert.equal(waiting?.givenUpAt, now.toISOString())
    await record(held, verdict('a@ours.example'))
    const [released] = (await history.entry(held.id))?.recipients ?? []
    assert.deepEqual(
      [released?.state, released?.givenUpAt, released?.firstHeld],
      [
        'Pending',
        null,
        {
          at: circumstances.at.toISOString(),
          reason: 'InboundCertificateRestriction',
          explanation: 'Presented was A.',
        },
      ],
    )
    await empty()
  })

  for (const [reason, isHeld] of [
    ['InboundCertificateRestriction', true],
    ['NoRouteForAcceptedDomain', true],
    ['RetryLater', false],
    ['OutboundTlsNotMet', false],
  ] as const)
    test(`shows ${isHeld ? 'a' : 'no'} hold of a recipient that was deferred after an attempt with the reason ${reason}`, async () => {
      const received = receivedAt('2026-02-03T10:00Z')
      const waitingRecipient = recipient({ address: 'a@ours.example', lastAttempt: attempt() })
      await record(
        received,
        verdict(waitingRecipient.address, {
          action: 'Defer',
          reason,
          recipient: waitingRecipient,
          notifyDelay: false,
        }),
      )
      const [waiting] = (await history.entry(received.id))?.recipients ?? []
      assert.equal(waiting?.firstHeld?.reason, isHeld ? reason : undefined)
      await empty()
    })

  test('has the results of the authentication without the added fields, and what the message shows of a tenant', async () => {
    const exchangeOnline = { tenantIds: ['id'], originatorOrganizations: [], alignedSignatures: null }
    const { fields: _, ...results } = authenticated('fail', 'contoso.example')
    const received = receivedAt('2026-01-15T11:59:00Z', 77, {
      authentication: { ...results, fields: 'Authentication-Results: secret\r\n' },
      exchangeOnline,
    })
    await trace.recordMessage(received, circumstances.at, 90)
    const entry = await history.entry(received.id)
    assert.doesNotThrow(() => TraceEntry.parse(entry))
    assert.deepEqual([entry?.authentication, entry?.exchangeOnline], [results, exchangeOnline])
  })

  test('has the envelope, and for each recipient its state, attempts and verdict, without chain and location of content', async () => {
    const received = message({ tls: overTlsWith({ chain: ['MIIB'] }), mailFrom: 'a@contoso.example' })
    await record(received, verdict('b@ours.example'), verdict('c@ours.example'))
    const tls = {
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      group: 'X25519MLKEM768',
      verified: true,
      notVerified: null,
      fingerprint256: 'cd'.repeat(32),
    }
    const key = { messageId: received.id, address: 'b@ours.example', attempt: 1 }
    await claims.claim(key, claimRequest)
    const reply = { code: 250, enhanced: '2.0.0', text: 'Ok' }
    await claims.complete(key, 'worker', attempt({ outcome: 'Delivered', tls, reply }), true)

    const entry = await history.entry(received.id)
    assert.deepEqual(TraceEntry.parse(entry), entry, 'as the API describes it')
    assert(entry)
    const { id, direction, source, envelope, size, recipients } = entry
    assert.deepEqual([id, direction, source?.ip, size], [received.id, 'Incoming', '192.0.2.1', 1000])
    assert.deepEqual(
      [envelope.mailFrom, envelope.rcptTo],
      ['a@contoso.example', ['b@ours.example', 'c@ours.example']],
    )
    assert.equal(entry.tls.clientCertificate?.commonName, 'mail.contoso.example')
    assert(!JSON.stringify(entry).includes('MIIB'), 'the raw chain is omitted')
    assert.deepEqual([entry?.exchangeOnline, entry?.authentication], [null, null])
    assert(!JSON.stringify(entry).includes('segments/'), 'the location of the octets is omitted')
    assert.deepEqual(
      recipients.map(({ address, state, attempts }) => [address, state, attempts.length]),
      [
        ['b@ours.example', 'Delivered', 1],
        ['c@ours.example', 'Pending', 0],
      ],
    )
    const [firstAttempt] = recipients[0]?.attempts ?? []
    assert.deepEqual(
      [firstAttempt?.reply, firstAttempt?.host, firstAttempt?.tls],
      ['250 2.0.0 Ok', 'mx.northwind.example', tls],
    )
    assert.deepEqual(recipients[0]?.verdict, {
      action: 'Deliver',
      reason: 'ConnectorMatched',
      explanation: 'Outbound connector "Northwind" takes it.',
      connectors: { inbound: null, outbound: 'id-northwind' },
      reportOnly: null,
      at: '2026-01-15T12:00:00.000Z',
      connectorsVersion: 1,
      reply: null,
      considered: [],
      lowered: [],
    })
  })

  test('shows an attempt that has begun and not ended as InProgress', async () => {
    const received = receivedAt('2026-01-15T12:00:01Z')
    const address = '"odd#local"@ours.example'
    await record(received, verdict(address))
    await claims.claim({ messageId: received.id, address, attempt: 12 }, claimRequest)
    const [attemptInProgress] = (await history.entry(received.id))?.recipients[0]?.attempts ?? []
    assert.deepEqual(
      [
        attemptInProgress?.number,
        attemptInProgress?.outcome,
        attemptInProgress?.reply,
        attemptInProgress?.leaseUntil,
      ],
      [12, 'InProgress', null, '2026-01-15T12:01:00.000Z'],
    )
  })

  test("has the kind of a recipient's DSN once claimed, its id once sent, and its state", async () => {
    const received = receivedAt('2026-01-15T12:00:02Z')
    await record(received, verdict('b@ours.example', { action: 'Bounce' }))
    const sent = new Claims<{ dsn: string }>(database.documents, database.messagesTable)
    const key = dsnKey(received.id, 'b@ours.example', 'failed')
    await sent.claim(key, now, 60_000, expiresAt)
    const notifications = async () => (await history.entry(received.id))?.recipients[0]?.notifications
    assert.deepEqual(await notifications(), [{ kind: 'failed', message: null, state: null }])
    const dsn = receivedAt('2026-01-15T12:00:03Z')
    await sent.complete(key, { dsn: dsn.id })
    assert.deepEqual(await notifications(), [{ kind: 'failed', message: dsn.id, state: null }])
    const { mailFrom } = received.envelope
    await record(dsn, verdict(mailFrom))
    assert.deepEqual(await notifications(), [{ kind: 'failed', message: dsn.id, state: 'Pending' }])
    await record(dsn, verdict(mailFrom, { action: 'Bounce' }))
    assert.deepEqual(await notifications(), [{ kind: 'failed', message: dsn.id, state: 'Bounced' }])
  })

  test('is null for an unknown message', async () => {
    assert.equal(await history.entry('01ARZ3NDEKTSV4RRFFQ69G5FAV'), null)
  })
})

const everyMessage: HistoryFilter = {
  since: new Date('2026-02-01T00:00:00Z'),
  until: new Date('2026-02-04T00:00:00Z'),
  sender: null,
  recipient: null,
  domain: null,
  state: null,
  connector: null,
  direction: null,
  messageId: null,
  clientIp: null,
  minSize: null,
  tlsVersion: null,
}

/** Returns every page in order. */
async function pages(filter: HistoryFilter, limit: number, source = history): Promise<string[][]> {
  const idsByPage: string[][] = []
  let from: HistoryPosition | null = null
  do {
    const page: Awaited<ReturnType<History['page']>> = await source.page(filter, from, limit)
    idsByPage.push(page.entries.map(({ id }) => id))
    from = page.next
  } while (from)
  return idsByPage
}

describe('the list of messages', () => {
  const times = [
    '2026-02-03T23:59:59.999Z',
    '2026-02-03T12:00:00.000Z',
    '2026-02-03T12:00:00.000Z',
    '2026-02-03T00:00:00.000Z',
    '2026-02-02T18:00:00.000Z',
    '2026-02-01T00:00:00.000Z',
  ]
  const messages = times.map((time, n) =>
    receivedAt(time, 9 - n, { mailFrom: n % 2 ? `s${n}@Contoso.example` : `s${n}@fabrikam.example` }),
  )
  const ids = messages.map(({ id }) => id)

  before(async () => {
    await empty()
    for (const [n, received] of messages.entries())
      await record(
        received,
        verdict(`r${n}@ours.example`),
        verdict(`x@northwind.example`, {
          action: n < 2 ? 'Bounce' : 'Deliver',
          connectors: { inbound: n === 4 ? 'id-contoso' : null, outbound: null },
        }),
      )
  })

  for (const limit of [1, 2, 3, 5, 50])
    test(`has each message once, newest first, with the page limit ${limit}`, async () => {
      const found = await pages(everyMessage, limit)
      assert.deepEqual(found.flat(), ids)
      assert(found.every((page) => page.length <= limit))
    })

  const all = [0, 1, 2, 3, 4, 5]
  const rows: { name: string; filter: Partial<HistoryFilter>; found: number[] }[] = [
    {
      name: 'received at the time `since` or later',
      filter: { since: new Date(times[3] as string) },
      found: [0, 1, 2, 3],
    },
    {
      name: 'received before the time `until`',
      filter: { until: new Date(times[3] as string) },
      found: [4, 5],
    },
    {
      name: 'received within an hour of a day',
      filter: { since: new Date('2026-02-03T11:30Z'), until: new Date('2026-02-03T12:30Z') },
      found: [1, 2],
    },
    {
      name: 'from a sender, with its domain in any case',
      filter: { sender: parseMailboxFilter('s1@contoso.EXAMPLE') },
      found: [1],
    },
    {
      name: 'from a sender, with its local part in any case',
      filter: { sender: parseMailboxFilter('S1@contoso.example') },
      found: [1],
    },
    {
      name: 'from senders of a domain',
      filter: { sender: parseMailboxFilter('CONTOSO.example') },
      found: [1, 3, 5],
    },
    { name: 'to a recipient', filter: { recipient: parseMailboxFilter('r2@ours.example') }, found: [2] },
    {
      name: 'to recipients of a domain',
      filter: { recipient: parseMailboxFilter('northwind.example') },
      found: all,
    },
    { name: 'with a recipient in a state', filter: { state: 'Bounced' }, found: [0, 1] },
    { name: 'that matched a connector', filter: { connector: 'id-contoso' }, found: [4] },
    {
      name: 'of which one recipient has both the given address and the given state',
      filter: { recipient: parseMailboxFilter('r0@ours.example'), state: 'Bounced' },
      found: [],
    },
    {
      name: 'of a span, none when the span has none',
      filter: { since: new Date('2026-01-20'), until: new Date('2026-01-25') },
      found: [],
    },
  ]
  for (const { name, filter, found } of rows)
    test(`holds exactly the messages ${name}`, async () => {
      const listed = (await pages({ ...everyMessage, ...filter }, 50)).flat()
      assert.deepEqual(
        listed,
        found.map((n) => ids[n]),
      )
    })
})

describe('a DSN, whose id begins with the time of the message that it reports', () => {
  const reported = receivedAt('2026-02-02T10:05Z', 1)
  const dsnAt = (time: string, n: number): Message =>
    receivedAt('2026-02-02T10:05Z', n, { receivedAt: new Date(time).toISOString(), mailFrom: '' })
  const dsns = [dsnAt('2026-02-02T10:30Z', 2), dsnAt('2026-02-03T10:05Z', 3)]
  const others = [receivedAt('2026-02-02T10:20Z', 4), receivedAt('2026-02-02T10:59Z', 5)]
  const newestFirst = [dsns[1], others[1], dsns[0], others[0], reported].map((one) => one?.id)
  const address = 'b@ours.example'

  before(async () => {
    await empty()
    for (const one of [reported, ...dsns, ...others]) await record(one, verdict(address))
  })

  for (const limit of [1, 2, 3, 50])
    test(`is listed at its own time of receipt, once, with the page limit ${limit}`, async () => {
      assert.deepEqual((await pages(everyMessage, limit)).flat(), newestFirst)
    })

  const rows: { since: string; until: string; found: number[] }[] = [
    { since: '2026-02-02T10:30Z', until: '2026-02-02T11:00Z', found: [1, 2] },
    { since: '2026-02-02T13:00Z', until: '2026-02-04T00:00Z', found: [0] },
    { since: '2026-02-02T10:00Z', until: '2026-02-02T10:30Z', found: [3, 4] },
  ]
  for (const { since, until, found } of rows)
    test(`is found by that time from ${since} until ${until}`, async () => {
      const span = { since: new Date(since), until: new Date(until) }
      assert.deepEqual(
        (await pages({ ...everyMessage, ...span }, 1)).flat(),
        found.map((n) => newestFirst[n]),
      )
    })
})

describe('a filter by state', () => {
  const times = [
    '2026-02-01T10:00Z',
    '2026-02-01T11:00Z',
    '2026-02-01T12:00Z',
    '2026-02-01T13:00Z',
    '2026-02-01T14:00Z',
  ]
  const [pending, delivered, deferred, retried, deliveredLater] = times.map((time) => receivedAt(time)) as [
    Message,
    Message,
    Message,
    Message,
    Message,
  ]
  const address = 'b@ours.example'
  const deferral = (attempts: number) =>
    verdict(address, { action: 'Defer', notifyDelay: false, recipient: recipient({ address, attempts }) })
  const deliver = async ({ id }: Message, number: number) => {
    const key = { messageId: id, address, attempt: number }
    await claims.claim(key, claimRequest)
    await claims.complete(key, 'worker', attempt({ number, outcome: 'Delivered' }), true)
  }

  before(async () => {
    await empty()
    for (const each of [pending, delivered]) await record(each, verdict(address))
    await deliver(delivered, 1)
    await trace.recordAttempt(retried.id, address, attempt(), expiresAt)
    await trace.recordAttempt(deliveredLater.id, address, attempt(), expiresAt)
    for (const each of [deferred, retried, deliveredLater]) await record(each, deferral(0))
    for (const each of [retried, deliveredLater])
      await record(each, verdict(address, { recipient: recipient({ address, attempts: 1 }) }))
    await deliver(deliveredLater, 2)
  })

  for (const [state, found] of [
    ['Pending', [retried, pending]],
    ['Deferred', [deferred]],
    ['Delivered', [deliveredLater, delivered]],
    ['Bounced', []],
  ] as const)
    test(`finds ${found.length} messages that are ${state}, although the index does not have that state`, async () => {
      for (const limit of [1, 50])
        assert.deepEqual(
          (await pages({ ...everyMessage, state }, limit)).flat(),
          found.map(({ id }) => id),
        )
    })
})

describe('a search by Message-ID or client', () => {
  const long = `${'x'.repeat(80)}@mail.contoso.example`
  const rows = [
    receivedAt('2026-02-02T10:00Z', 1, { headerMessageId: '<a1@contoso.example>' }),
    receivedAt('2026-02-02T11:00Z', 2, { headerMessageId: `<${long}>` }),
    receivedAt('2026-02-02T12:00Z', 3, { headerMessageId: `<${long}.org>` }),
    receivedAt('2026-02-02T13:00Z', 4, { source: { ip: '2001:db8::1', port: 1, helo: 'x' } }),
  ] as const
  const others = Array.from({ length: 60 }, (_, n) => receivedAt('2026-02-02T09:00Z', 100 + n))
  before(async () => {
    await empty()
    for (const each of [...rows, ...others])
      await record(each, verdict('b@ours.example'), verdict('c@ours.example'))
  })

  const cases: [name: string, filter: Partial<HistoryFilter>, found: number[]][] = [
    ['an id with angle brackets', { messageId: '<a1@contoso.example>' }, [0]],
    ['an id without them', { messageId: 'a1@contoso.example' }, [0]],
    ['an id of which the index has only the beginning', { messageId: long }, [1]],
    ['an unknown id', { messageId: 'a2@contoso.example' }, []],
    ['a client', { clientIp: '2001:db8::1' }, [3]],
    [
      'a client and a recipient',
      { clientIp: '2001:db8::1', recipient: parseMailboxFilter('c@ours.example') },
      [3],
    ],
  ]
  for (const [name, filter, found] of cases)
    test(`finds ${name}, although a page reads few rows`, async () => {
      const small = new History(database.documents, database.messagesTable, 10)
      for (const source of [history, small])
        assert.deepEqual(
          (await pages({ ...everyMessage, ...filter }, 50, source)).flat(),
          found.map((n) => rows[n]?.id),
        )
    })

  test('shows the field as it is in the message', async () => {
    assert.equal((await history.entry(rows[0].id))?.headerMessageId, '<a1@contoso.example>')
    assert.equal((await history.entry(rows[3].id))?.headerMessageId, null)
  })
})

describe('the number of items that are read for one page of messages', () => {
  test('is limited: a page may be empty, and the next page continues with the next message', async () => {
    await empty()
    const crowd = Array.from({ length: 10 }, (_, n) => `r${n}@ours.example`)
    const crowded = Array.from({ length: 6 }, (_, n) => receivedAt(`2026-02-02T1${n}:00:00Z`))
    for (const received of crowded) await record(received, ...crowd.map((address) => verdict(address)))
    const oldest = crowded[0] as Message
    await record(oldest, verdict('zz@ours.example', { action: 'Bounce' }))
    const limitedHistory = new History(database.documents, database.messagesTable, 45)
    const found = await pages({ ...everyMessage, state: 'Bounced' }, 50, limitedHistory)
    assert.deepEqual(found, [[], [oldest.id]], 'an empty page and the start of the page with the message')
  })
})

describe('the state of a message for a retry', () => {
  test('has the message, and each recipient with its state and connectors of the last decision', async () => {
    const received = receivedAt('2026-01-15T12:00:03Z')
    const lastState = recipient({ address: 'b@ours.example', lastAttempt: attempt(), delayNotified: true })
    const connectors = { inbound: 'id-contoso', outbound: 'id-northwind' }
    await trace.recordAttempt(received.id, 'b@ours.example', attempt(), expiresAt)
    await record(received, verdict('b@ours.example', { action: 'Defer', recipient: lastState, connectors }))
    await claims.claim({ messageId: received.id, address: 'b@ours.example', attempt: 2 }, claimRequest)
    const dsns = new Claims(database.documents, database.messagesTable)
    await dsns.claim(dsnKey(received.id, 'b@ours.example', 'delayed'), now, 60_000, expiresAt)
    assert.deepEqual(await history.messageWithRecipients(received.id), {
      message: received,
      recipients: [
        {
          recipient: lastState,
          state: 'Deferred',
          connectors,
          reason: 'ConnectorMatched',
          waivedConnectors: [],
          undecidedAttempt: null,
        },
      ],
    })
  })

  test('has the client certificate with its chain and the revocation status of the session, of messages that share it', async () => {
    const sent = (['Good', 'Unknown'] as const).map((status, n) =>
      receivedAt('2026-01-15T12:00:04Z', n, {
        tls: overTlsWith({ chain: ['MIIB', 'MIIC'], revocation: { status, detail: 'a CRL' } }),
      }),
    )
    for (const each of sent) await record(each, verdict('b@ours.example'))
    const read = await Promise.all(sent.map(({ id }) => history.messageWithRecipients(id)))
    assert.deepEqual(
      read.map((each) => each?.message),
      sent,
    )
    const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'messages' }))
    assert.equal(Items.filter(({ sk }) => sk === 'client-certificate').length, 1)
  })

  test('is null for an unknown message', async () => {
    assert.equal(await history.messageWithRecipients('01ARZ3NDEKTSV4RRFFQ69G5FAV'), null)
  })
})

test('120 messages, more than one request can read, are all read by their ids', async () => {
  const stored = Array.from({ length: 120 }, (_, n) => receivedAt('2026-01-16T12:00:00Z', n))
  for (const received of stored) await trace.recordMessage(received, circumstances.at, 90)
  const ids = stored.map(({ id }) => id)
  const read = await history.messages(['01ARZ3NDEKTSV4RRFFQ69G5FAV', ...ids])
  assert.deepEqual(read.map(({ id }) => id).sort(), ids)
  assert.deepEqual(await history.messages([]), [])
})

describe('an address filter', () => {
  const rows: { address: string; filter: string; matches: boolean }[] = [
    { address: 'a@contoso.example', filter: 'a@contoso.example', matches: true },
    { address: 'a@contoso.example', filter: 'a@CONTOSO.example.', matches: true },
    { address: 'a@contoso.example', filter: 'A@contoso.example', matches: true },
    { address: 'Ann@OURS.example', filter: 'ann@ours.example', matches: true },
    { address: 'b@contoso.example', filter: 'a@contoso.example', matches: false },
    { address: 'a@sub.contoso.example', filter: 'contoso.example', matches: false },
    { address: 'a@xn--bcher-kva.example', filter: 'bücher.example', matches: true },
    { address: '', filter: '<>', matches: true },
    { address: 'a@contoso.example', filter: '<>', matches: false },
    { address: 'a@[192.0.2.1]', filter: 'a@[192.0.2.1]', matches: true },
    { address: 'a@[192.0.2.1]', filter: 'a@[192.0.2.2]', matches: false },
  ]
  for (const { address, filter, matches } of rows)
    test(`${filter} ${matches ? 'matches' : 'does not match'} ${address || 'the null reverse path'}`, () => {
      const parsed = parseMailboxFilter(filter)
      assert(parsed)
      assert.equal(mailboxMatches(address, parsed), matches)
    })

  test('is null for a text that is neither an address nor a domain', () => {
    assert.equal(parseMailboxFilter('not a domain'), null)
  })
})

test('mergeNewestFirst returns every row of several descending lists in descending order', async () => {
  const shards = fc.array(fc.array(fc.string({ maxLength: 3 }), { maxLength: 8 }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(shards, async (lists) => {
      const generators = lists.map(async function* (list) {
        for (const order of [...list].sort().reverse()) yield { order }
      })
      const merged: string[] = []
      for await (const { order } of mergeNewestFirst(generators)) merged.push(order)
      assert.deepEqual(merged, lists.flat().sort().reverse())
    }),
  )
})
