/** The SQL of searches and dry runs, run by the local runner's Athena over files of events. */
import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import type { MailEvent } from '../../../shared/contract/events.ts'
import {
  comparableRecipient,
  comparableSender,
  pastMailOf,
} from '../../../shared/event-queries/dry-run/mail-facts.ts'
import { mailFactsSql, mailGroupOf } from '../../../shared/event-queries/mail-facts-sql.ts'
import type { MailScope } from '../../../shared/event-queries/mail-scope.ts'
import {
  foundRow,
  type MessageSearch,
  messageSearchSql,
} from '../../../shared/event-queries/message-search-sql.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { hourOf } from '../../../shared/events/hours.ts'
import { createAddressHash, hashedAddress } from '../../../shared/mail/address-hash.ts'
import { bucket, EventSearches } from '../../support/local/event-searches.ts'
import { Random } from '../../support/random.ts'

const searches = await EventSearches.start()
after(() => searches.close())
beforeEach(() => searches.emulators.objects.emptyBucket(bucket))

let ids = 0
const event = (kind: MailEvent['kind'], at: string, fields: Partial<MailEvent>): MailEvent => ({
  id: String(ids++).padStart(26, '0'),
  at,
  kind,
  softwareVersion: '1',
  ...fields,
})

const domainOf = (address: string | undefined) => address?.split('@')[1]

interface Mail {
  message: Partial<MailEvent>
  received?: string
  recipients: Readonly<Record<string, Partial<MailEvent>[]>>
}

/** The events of a message: `Accepted`, and those of its recipients. */
function eventsOf({ message, received = '2026-11-30T10:00:00.000Z', recipients }: Mail): MailEvent[] {
  const common = { senderDomain: domainOf(message.sender), direction: 'Incoming' as const, ...message }
  const ofMessage = {
    messageId: common.messageId,
    headerMessageId: common.headerMessageId,
    direction: common.direction,
    sender: common.sender,
    senderDomain: common.senderDomain,
    clientIp: common.clientIp,
    size: common.size,
  }
  return [
    event('Accepted', received, { recipients: Object.keys(recipients).length, ...common }),
    ...Object.entries(recipients).flatMap(([recipient, events]) =>
      events.map((fields, index) =>
        event(fields.kind ?? 'Decided', new Date(Date.parse(received) + index * 60_000).toISOString(), {
          ...ofMessage,
          recipient,
          recipientDomain: domainOf(recipient),
          ...fields,
        } as Partial<MailEvent>),
      ),
    ),
  ]
}

function store(events: readonly MailEvent[]): void {
  for (const [hour, ofHour] of Map.groupBy(events, ({ at }) => hourOf(Date.parse(at))))
    searches.store(hour, ofHour)
}

describe('a search for messages', () => {
  const anything: MessageSearch = {
    from: new Date('2026-11-01T00:00:00Z'),
    to: new Date('2026-12-01T00:00:00Z'),
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
    hash: null,
  }

  async function find(search: Partial<MessageSearch> = {}) {
    const { columns, rows } = await searches.run(messageSearchSql('events', { ...anything, ...search }))
    return rows.map((values) => foundRow(columns, values))
  }

  const mail: MailEvent[] = [
    ...eventsOf({
      message: {
        messageId: 'M1',
        headerMessageId: '<one@bank.example>',
        sender: 'Teller@bank.example',
        clientIp: '192.0.2.1',
        size: 5000,
        tlsVersion: 'TLSv1.3',
        helo: '=cmd()',
        inboundConnector: 'IN',
      },
      recipients: {
        'ann@ours.example': [
          { state: 'Pending', reason: 'ConnectorMatched', outboundConnector: 'OUT' },
          {
            kind: 'Attempted',
            decision: 'TlsNotMet',
            host: 'mx1.ours.example',
            tlsResult: 'starttls-not-supported',
            reply: '451 4.7.321 no STARTTLS',
            attempt: 1,
          },
          { state: 'Deferred', reason: 'OutboundTlsNotMet' },
          {
            kind: 'Delivered',
            state: 'Delivered',
            host: 'mx2.ours.example',
            tlsVersion: 'TLSv1.2',
            verified: true,
            reply: '250 2.0.0 ok',
            attempt: 2,
          },
        ],
        'bob@ours.example': [
          { state: 'Pending', reason: 'ConnectorMatched' },
          { kind: 'Bounced', state: 'Bounced', reason: 'RefusedByNextHop', reply: '550 5.1.1 unknown' },
        ],
      },
    }),
    ...eventsOf({
      message: {
        messageId: 'M2',
        sender: '',
        direction: 'Originating',
        size: 100,
        headerMessageId: '<two@ours.example>',
      },
      received: '2026-11-30T12:00:00.000Z',
      recipients: { 'x@shop.example': [{ state: 'Deferred', reason: 'RetryLater' }] },
    }),
    event('Rejected', '2026-11-30T13:00:00.000Z', {
      sender: 'eve@bank.example',
      senderDomain: 'bank.example',
      recipient: 'ann@ours.example',
      recipientDomain: 'ours.example',
      clientIp: '198.51.100.7',
      stage: 'Rcpt',
      reason: 'InboundTlsRequired',
      reply: '530 5.7.0 Must issue a STARTTLS command first',
      inboundConnector: 'IN',
    }),
    event('Rejected', '2026-11-30T14:00:00.000Z', {
      count: 40,
      clientIp: '203.0.113.0',
      reason: 'RelayDenied',
    }),
  ]

  test('has a row for each recipient and each refusal, the newest first', async () => {
    store(mail)
    const rows = await find()
    assert.deepEqual(
      rows.map(({ origin_timestamp_utc, recipient_status, state, reason, count }) => [
        origin_timestamp_utc,
        recipient_status,
        state,
        reason,
        count,
      ]),
      [
        ['2026-11-30T14:00:00.000Z', '##Fail', 'Rejected', 'RelayDenied', 40],
        ['2026-11-30T13:00:00.000Z', 'ann@ours.example##Fail', 'Rejected', 'InboundTlsRequired', 1],
        ['2026-11-30T12:00:00.000Z', 'x@shop.example##Receive, Defer', 'Deferred', 'RetryLater', null],
        [
          '2026-11-30T10:00:00.000Z',
          'ann@ours.example##Receive, Send',
          'Delivered',
          'OutboundTlsNotMet',
          null,
        ],
        ['2026-11-30T10:00:00.000Z', 'bob@ours.example##Receive, Fail', 'Bounced', 'RefusedByNextHop', null],
      ],
    )
    assert.deepEqual(rows[3], {
      origin_timestamp_utc: '2026-11-30T10:00:00.000Z',
      sender_address: 'Teller@bank.example',
      recipient_status: 'ann@ours.example##Receive, Send',
      total_bytes: 5000,
      message_id: '<one@bank.example>',
      network_message_id: 'M1',
      original_client_ip: '192.0.2.1',
      directionality: 'Incoming',
      connector_id: 'IN',
      client_hostname: '=cmd()',
      server_hostname: 'mx2.ours.example',
      recipient_address: 'ann@ours.example',
      state: 'Delivered',
      tls_version: 'TLSv1.3',
      inbound_connector: 'IN',
      outbound_connector: 'OUT',
      server_tls_version: 'TLSv1.2',
      server_verified: true,
      reason: 'OutboundTlsNotMet',
      reply: '250 2.0.0 ok',
      stage: null,
      count: null,
    })
  })

  test('protects a spreadsheet from a formula in the CSV', async () => {
    store(mail)
    const { status } = await searches.run(messageSearchSql('events', anything))
    const csv = searches.resultOf(status)
    assert.ok(csv.includes(`"'=cmd()"`) && !csv.includes('"=cmd()"'))
  })

  const filters: [name: string, search: Partial<MessageSearch>, expected: string[]][] = [
    [
      'a sender in another letter case',
      { sender: { kind: 'address', address: 'teller@BANK.example' } },
      ['M1 ann', 'M1 bob'],
    ],
    ['the null reverse path', { sender: { kind: 'address', address: '' } }, ['M2 x']],
    [
      'a domain of senders',
      { sender: { kind: 'domain', domain: 'bank.example' } },
      ['eve ann', 'M1 ann', 'M1 bob'],
    ],
    ['a recipient', { recipient: { kind: 'address', address: 'bob@ours.example' } }, ['M1 bob']],
    ['a domain on either side', { domain: 'ours.example' }, ['eve ann', 'M1 ann', 'M1 bob']],
    ['a state', { state: 'Deferred' }, ['M2 x']],
    ['refusals only', { state: 'Rejected' }, ['none none', 'eve ann']],
    ['an inbound connector', { connector: 'IN' }, ['eve ann', 'M1 ann', 'M1 bob']],
    ['an outbound connector', { connector: 'OUT' }, ['M1 ann']],
    ['a direction', { direction: 'Originating' }, ['M2 x']],
    ['a Message-ID without brackets', { messageId: 'one@bank.example' }, ['M1 ann', 'M1 bob']],
    ['a Message-ID with brackets', { messageId: '<two@ours.example>' }, ['M2 x']],
    ['white space around a Message-ID', { messageId: ' <two@ours.example> ' }, ['M2 x']],
    ['a client', { clientIp: '192.0.2.1' }, ['M1 ann', 'M1 bob']],
    ['a size', { minSize: 5000 }, ['M1 ann', 'M1 bob']],
    ['a TLS version', { tlsVersion: 'TLSv1.3' }, ['M1 ann', 'M1 bob']],
    ['no TLS', { tlsVersion: 'None' }, ['eve ann']],
    ['a period', { from: new Date('2026-11-30T11:00:00Z'), to: new Date('2026-11-30T13:00:00Z') }, ['M2 x']],
    ['a quote in a text', { messageId: "x' OR 'a' = 'a" }, []],
    [
      'two filters',
      { domain: 'ours.example', state: 'Bounced', sender: { kind: 'domain', domain: 'bank.example' } },
      ['M1 bob'],
    ],
  ]
  const nameOf = (row: Record<string, unknown>) => {
    const local = (address: unknown) => String(address ?? 'none').split('@')[0]
    return `${row.network_message_id ?? local(row.sender_address)} ${local(row.recipient_address)}`
  }
  for (const [name, search, expected] of filters)
    test(`with ${name} finds ${expected.length} rows`, async () => {
      store(mail)
      assert.deepEqual((await find(search)).map(nameOf), expected)
    })

  test('finds what happened to a message after the end of its period', async () => {
    store(
      eventsOf({
        message: { messageId: 'M3', sender: 'a@b.example', clientIp: '192.0.2.1' },
        received: '2026-11-30T23:59:00.000Z',
        recipients: { 'c@d.example': [{ state: 'Pending' }, { kind: 'Delivered', attempt: 1 }] },
      }),
    )
    assert.deepEqual(
      (await find()).map(({ state }) => state),
      ['Delivered'],
    )
  })

  test('finds a mailbox whose domain is spelled in another way, and no other mailbox', async () => {
    const sender = 'Ann@xn--bcher-kva.example'
    const senders = [sender, 'ann@bücher.example', 'jo.ann@xn--bcher-kva.example', 'ann@other.example']
    store(
      senders.map((each, index) =>
        event('Rejected', `2026-11-30T1${index}:00:00.000Z`, {
          sender: each,
          senderDomain: each.endsWith('other.example') ? 'other.example' : 'xn--bcher-kva.example',
          stage: 'Mail',
        }),
      ),
    )
    for (const address of ['ANN@BÜCHER.example.', 'ann@xn--bcher-kva.example'])
      assert.deepEqual(
        (await find({ sender: { kind: 'address', address } })).map((row) => row.sender_address),
        ['ann@bücher.example', sender],
      )
  })

  test('finds a mailbox that is hashed, and plain from before, and no other mailbox', async () => {
    const key = 'k'.repeat(64)
    const hash = createAddressHash(key)
    const addresses = new EventAddresses(key, [])
    const later = mail.map(({ messageId, ...each }) =>
      addresses.hashIn({
        ...each,
        id: `h${each.id}`,
        ...(messageId !== undefined && { messageId: `H${messageId}` }),
      }),
    )
    store([...mail, ...later])
    const search = async (filters: Partial<MessageSearch>) =>
      (await find({ hash, ...filters })).map((row) => `${row.network_message_id} ${row.recipient_address}`)
    const hashed = (address: string) => hashedAddress(address, hash)
    assert.deepEqual(
      new Set(await search({ sender: { kind: 'address', address: 'TELLER@BANK.example' } })),
      new Set([
        `HM1 ${hashed('ann@ours.example')}`,
        `HM1 ${hashed('bob@ours.example')}`,
        'M1 ann@ours.example',
        'M1 bob@ours.example',
      ]),
    )
    const toAnn = { recipient: { kind: 'address', address: 'Ann@ours.example' }, state: 'Delivered' } as const
    assert.deepEqual((await search(toAnn)).sort(), [
      `HM1 ${hashed('ann@ours.example')}`,
      'M1 ann@ours.example',
    ])
    assert.deepEqual(await search({ recipient: { kind: 'address', address: 'an@ours.example' } }), [])
    // A deployment that hashes no addresses.
    assert.deepEqual(await search({ ...toAnn, hash: null }), ['M1 ann@ours.example'])
  })

  test('of a deployment without events finds nothing', async () => assert.deepEqual(await find(), []))
})

describe('the groups of past mail', () => {
  const settings = {
    defaultRoute: 'Mx',
    tlsReportAddress: 'TLS@ours.example',
    postmaster: { hostname: 'mx.ours.example', mailbox: 'chief@ours.example' },
  } as const
  const range = { from: new Date('2026-11-01T00:00:00Z'), to: new Date('2026-12-01T00:00:00Z') }

  async function groupsOf(events: readonly MailEvent[], scope: MailScope = 'All') {
    store(events)
    const { rows } = await searches.run(mailFactsSql('events', range, scope, settings))
    return rows.map(mailGroupOf)
  }

  /** Groups as the SQL should make them, from `pastMailOf`. */
  function expectedGroups(events: readonly MailEvent[]) {
    const counts = new Map<string, number>()
    for (const { id, facts } of pastMailOf(events)) {
      const times = facts.rejection ? (events.find((each) => each.id === id)?.count ?? 1) : 1
      const key = keyOf(facts)
      counts.set(key, (counts.get(key) ?? 0) + times)
    }
    return counts
  }

  /** Without the time, which is one message's of the group. */
  function keyOf({
    at: _,
    sender,
    recipient,
    ...facts
  }: ReturnType<typeof pastMailOf>[number]['facts']): string {
    const comparable = {
      ...(sender !== undefined && { sender: comparableSender(sender) }),
      ...(recipient !== undefined && { recipient: comparableRecipient(recipient, settings) }),
      ...facts,
    }
    return JSON.stringify(comparable, (_, value) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    )
  }

  test('are those of the events, with counts that add up', async () => {
    const random = new Random(20)
    const pick = <T>(...values: T[]): T => values[random.between(0, values.length)] as T
    const events = Array.from({ length: 300 }, (_, number): MailEvent[] => {
      const domain = pick('bank.example', 'shop.example', 'sub.shop.example')
      const recipients = Array.from({ length: random.between(1, 4) }, () =>
        pick(
          'ann@ours.example',
          'Chief@OURS.example',
          'tls@ours.example',
          'postmaster@ours.example',
          'x@bank.example',
          'odd',
        ),
      )
      const attempt = (index: number): Partial<MailEvent> =>
        pick<Partial<MailEvent>>(
          { kind: 'Delivered', tlsVersion: 'TLSv1.3', verified: true, attempt: index, host: pick('a', 'b') },
          { kind: 'Attempted', decision: 'TlsNotMet', tlsResult: 'certificate-expired', attempt: index },
          { kind: 'Attempted', decision: 'Unknown', attempt: index },
        )
      if (number % 5 === 0)
        return [
          event('Rejected', '2026-11-30T10:00:00.000Z', {
            stage: pick('Connect', 'Mail', 'Rcpt', 'Data'),
            sender: `person${number}@${domain}`,
            senderDomain: domain,
            ...(number % 2 === 0 && { recipient: 'ann@ours.example', recipientDomain: 'ours.example' }),
            ...(number % 7 === 0 && { count: 3 }),
            reason: pick('RelayDenied', 'InboundTlsRequired'),
          }),
        ]
      return eventsOf({
        message: {
          messageId: `M${number}`,
          sender: pick(`person${number}@${domain}`, ''),
          clientIp: pick('192.0.2.1', '192.0.2.2'),
          ...pick<Partial<MailEvent>>(
            {},
            { tlsVersion: 'TLSv1.2' },
            { tlsVersion: 'TLSv1.3', clientCertificateNames: 'mx.bank.example', clientAuth: true },
          ),
        },
        recipients: Object.fromEntries(
          recipients.map((recipient) => [
            recipient,
            [{}, attempt(1), attempt(2)].slice(0, random.between(1, 4)),
          ]),
        ),
      })
    }).flat()
    const groups = await groupsOf(events)
    const found = new Map(groups.map(({ facts, count }) => [keyOf(facts), count]))
    assert.equal(found.size, groups.length)
    assert.deepEqual(
      [...found].sort(([a], [b]) => (a < b ? -1 : 1)),
      [...expectedGroups(events)].sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    const total = groups.reduce((sum, { count }) => sum + count, 0)
    assert.ok(total > 400 && groups.every((group) => group.total === total))

    searches.emulators.objects.emptyBucket(bucket)
    const key = 'k'.repeat(64)
    const hash = createAddressHash(key)
    const { tlsReportAddress, postmaster } = settings
    const addresses = new EventAddresses(key, [tlsReportAddress, postmaster.mailbox])
    const ofHashed = await groupsOf(events.map((each) => addresses.hashIn(each)))
    assert.deepEqual(
      new Map(
        ofHashed.map(({ facts, count }) => [keyOf(facts).replace(hashedAddress('odd', hash), 'odd'), count]),
      ),
      found,
    )
  })

  const scopes: [name: string, scope: MailScope, expected: string[]][] = [
    ['all mail', 'All', ['any@bank.example', 'any@shop.example', 'any@sub.shop.example']],
    ['a sender', { senders: ['bank.example'], recipients: [] }, ['any@bank.example']],
    [
      'a domain with its subdomains',
      { senders: ['*.shop.example'], recipients: [] },
      ['any@shop.example', 'any@sub.shop.example'],
    ],
    ['a recipient', { senders: [], recipients: ['two.example'] }, ['any@shop.example']],
    ['the domain of From:', { senders: ['from.example'], recipients: [] }, ['any@sub.shop.example']],
    [
      'any domain of From: where it is not known',
      { senders: [], recipients: [], hasUnknownFrom: true },
      ['any@bank.example', 'any@shop.example'],
    ],
    [
      'more domains than a query has room for',
      { senders: Array.from({ length: 20_000 }, (_, number) => `d${number}.example`), recipients: [] },
      ['any@bank.example', 'any@shop.example', 'any@sub.shop.example'],
    ],
    [
      'many domains with their subdomains',
      {
        senders: [...Array.from({ length: 500 }, (_, number) => `*.d${number}.example`), '*.s_op.example'],
        recipients: ['*.example.org', '*.hop.example', '*.shop.example.com', '*.two.example'],
      },
      ['any@shop.example'],
    ],
    ['nothing', { senders: [], recipients: [] }, []],
  ]
  test('of many domains with their subdomains need few conditions of SQL', () => {
    const senders = Array.from({ length: 500 }, (_, number) => `*.d${number}.example`)
    const sql = mailFactsSql('events', range, { senders, recipients: senders }, settings)
    assert.ok(sql.split(/ OR | LIKE /).length < 50)
  })

  for (const [name, scope, expected] of scopes)
    test(`of the scope of ${name} are ${expected.length}`, async () => {
      const senders = ['bank.example', 'shop.example', 'sub.shop.example']
      const events = senders.flatMap((domain, index) =>
        eventsOf({
          message: {
            messageId: `M${index}`,
            sender: `a@${domain}`,
            clientIp: '192.0.2.1',
            ...(index === 2 && { fromDomain: 'from.example' }),
          },
          recipients: { [`b@${['one', 'two', 'three'][index]}.example`]: [{}] },
        }),
      )
      const groups = await groupsOf(events, scope)
      assert.deepEqual(groups.map(({ facts }) => facts.sender).sort(), expected)
    })

  test('of the scope of a connector have its refusals that were counted together, without the sender', async () => {
    const refusal = { stage: 'Rcpt', reason: 'InboundTlsRequired', count: 40, clientIp: '192.0.2.0' } as const
    const events = ['IN', 'OTHER'].map((inboundConnector) =>
      event('Rejected', '2026-11-30T10:00:00.000Z', { ...refusal, inboundConnector }),
    )
    const groups = await groupsOf(events, { senders: ['bank.example'], recipients: [], connectors: ['IN'] })
    assert.deepEqual(
      groups.map(({ facts, count }) => [facts.rejection?.inboundConnector, count]),
      [['IN', 40]],
    )
  })
})
