import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { messageColumnNames } from '../../shared/event-queries/message-columns.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type CommandOptions, mailflow, startAnsweringServer } from '../support/cli/mailflow.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const searchId = '0f5b9c1e-5a0b-4c0e-9e0a-0123456789ab'
const messageId = '01M8QXTS1X6NXJ141D0T2GEK4Z'

const row = (fields: object = {}) => ({
  ...Object.fromEntries(messageColumnNames.map((name) => [name, null])),
  origin_timestamp_utc: '2026-11-29T20:00:00.123Z',
  sender_address: 'ann@ours.example',
  recipient_address: 'dr@clinic.example',
  network_message_id: messageId,
  original_client_ip: '192.0.2.1',
  tls_version: 'TLSv1.3',
  state: 'Delivered',
  server_tls_version: 'TLSv1.3',
  server_verified: true,
  server_hostname: 'mx.clinic.example',
  reason: 'ConnectorMatched',
  reply: '250 2.0.0 Ok',
  ...fields,
})

/** What the API answers to the next polls; the last answer is repeated. */
let polls: object[] = []
let completeUntil = '2026-11-30T10:00:00.000Z'
let started: Record<string, unknown>[] = []
let requests: string[] = []
let credentials: (string | undefined)[] = []
let startStatus = 202
let api: Awaited<ReturnType<typeof startAnsweringServer>>
/** Where the CSV is. */
let store: Awaited<ReturnType<typeof startAnsweringServer>>
let stored = { status: 200, headers: {} as Record<string, string>, body: '' }
let storeHeaders: NodeJS.Dict<string | string[]>[] = []

const page = (fields: object = {}) => ({
  id: searchId,
  state: 'Succeeded',
  reason: null,
  scannedOctets: 12_300_000,
  ms: 1500,
  rows: [],
  nextCursor: null,
  csv: `${store.url}/result.csv?X-Amz-Signature=secret`,
  ...fields,
})
const running = { state: 'Running', scannedOctets: 0, ms: 10, rows: [], csv: null }

before(async () => {
  store = await startAnsweringServer(({ headers }) => {
    storeHeaders.push(headers)
    return stored
  })
  api = await startAnsweringServer(async (request) => {
    const { method, url = '', headers } = request
    requests.push(`${method} ${url}`)
    credentials.push(headers.authorization)
    if (method === 'POST') {
      started.push(JSON.parse(Buffer.concat(await request.toArray()).toString()))
      const problem = {
        title: 'Unprocessable Content',
        detail: 'The body is not valid.',
        errors: [{ path: 'from', message: 'is more than 90 days ago; events are kept for this time' }],
      }
      return {
        status: startStatus,
        body: JSON.stringify(startStatus === 202 ? { id: searchId, completeUntil } : problem),
      }
    }
    const answer = polls.length > 1 ? polls.shift() : polls[0]
    return { status: (answer as { status?: number }).status ?? 200, body: JSON.stringify(page(answer)) }
  })
})
after(() => {
  api.stop()
  store.stop()
})
beforeEach(() => {
  polls = [{}]
  completeUntil = '2026-11-30T10:00:00.000Z'
  started = []
  requests = []
  credentials = []
  startStatus = 202
  stored = { status: 200, headers: {}, body: '' }
  storeHeaders = []
})

const search = (args: string[], around: CommandOptions = {}) =>
  mailflow(['messages', 'search', ...args], { env: { MAILFLOW_API: api.url }, now: () => now, ...around })

const later =
  'Mail that was received from 2026-11-30 10:00:00Z on may be missing: npx mailflow messages --since 2026-11-30T10:00:00Z\n'
const cost = 'The search read 12.3 MB in 1.5 s.\n'

describe('`messages search`', () => {
  test('prints a row for each recipient and refusal, and then what it read and what may be missing', async () => {
    polls = [
      {
        rows: [
          row(),
          row({ recipient_address: 'b@x.example', server_tls_version: 'None', server_verified: null }),
          row({ server_hostname: 'Amazon SES', server_tls_version: null, server_verified: null }),
          row({ state: 'Deferred', reason: 'RetryLater', reply: '451 4.4.1 No answer' }),
          row({ state: 'Bounced', reason: 'OutboundTlsNotMet', tls_version: 'None' }),
          row({ state: 'Pending', sender_address: '<>', tls_version: null, original_client_ip: null }),
          row({ state: 'Rejected', network_message_id: null, reply: '530 5.7.0 No', count: 12 }),
          row({
            state: 'Rejected',
            network_message_id: null,
            recipient_address: null,
            reply: null,
            count: 1,
            tls_version: null,
          }),
        ],
      },
    ]
    const { status, out, err } = await search([])
    assert.equal(status, 0)
    assert.deepEqual(
      out.split('\n').map((line) => line.replaceAll(/ {2,}/g, '|')),
      [
        'Received|State|From|To|Inbound|Outbound, or reason|Id',
        `2026-11-29 20:00:00Z|Delivered|ann@ours.example|dr@clinic.example|TLSv1.3|TLSv1.3, verified|${messageId}`,
        `2026-11-29 20:00:00Z|Delivered|ann@ours.example|b@x.example|TLSv1.3|in the clear|${messageId}`,
        `2026-11-29 20:00:00Z|Delivered|ann@ours.example|dr@clinic.example|TLSv1.3|through Amazon SES|${messageId}`,
        `2026-11-29 20:00:00Z|Deferred|ann@ours.example|dr@clinic.example|TLSv1.3|451 4.4.1 No answer|${messageId}`,
        `2026-11-29 20:00:00Z|Bounced|ann@ours.example|dr@clinic.example|in the clear|OutboundTlsNotMet|${messageId}`,
        `2026-11-29 20:00:00Z|Pending|<>|dr@clinic.example|created by mailflow|${messageId}`,
        '2026-11-29 20:00:00Z|Rejected ×12|ann@ours.example|dr@clinic.example|TLSv1.3|530 5.7.0 No',
        '2026-11-29 20:00:00Z|Rejected|ann@ours.example|ConnectorMatched',
        '',
      ],
    )
    assert.equal(err, `${later}${cost}`)
  })

  test('sends each option as a field, and repeats the filters in the command for later mail', async () => {
    const options = {
      '--since': '2026-09-10',
      '--until': '2026-11-30T11:00',
      '--sender': '<>',
      '--recipient': "o'neill@ours.example",
      '--domain': 'BÜCHER.example',
      '--state': 'delivered',
      '--direction': 'originating',
      '--message-id': '<a@b>',
      '--client-ip': '192.0.2.1',
      '--min-size': '10MB',
      '--tls-version': 'tlsv1.3',
    }
    const { status, err } = await search(Object.entries(options).flat())
    assert.equal(status, 0)
    assert.deepEqual(started, [
      {
        from: '2026-09-10T00:00:00.000Z',
        to: '2026-11-30T11:00:00.000Z',
        sender: '<>',
        recipient: "o'neill@ours.example",
        domain: 'xn--bcher-kva.example',
        state: 'Delivered',
        direction: 'Originating',
        messageId: '<a@b>',
        clientIp: '192.0.2.1',
        minSize: 10_485_760,
        tlsVersion: 'TLSv1.3',
      },
    ])
    const [command] = err.split('\n')
    assert.equal(
      command?.slice(command.indexOf('npx')),
      `npx mailflow messages --since 2026-11-30T10:00:00Z --until 2026-11-30T11:00 --sender '<>' --recipient 'o'\\''neill@ours.example' --domain 'BÜCHER.example' --state delivered --direction originating --message-id '<a@b>' --client-ip 192.0.2.1 --min-size 10MB --tls-version tlsv1.3`,
    )
  })

  test('is of seven days by default, and names the period when it finds nothing', async () => {
    const { status, out } = await search([])
    assert.deepEqual(
      [status, out],
      [0, 'No messages found from 2026-11-23 12:00:00Z to 2026-11-30 12:00:00Z.\n'],
    )
    assert.deepEqual(started, [{ from: '2026-11-23T12:00:00.000Z', to: '2026-11-30T12:00:00.000Z' }])
    assert.equal((await search(['--json'])).out, '[]\n')
  })

  test('does not mention later mail if the period ends before', async () => {
    assert.equal((await search(['--until', '2026-11-30T10:00:00Z'])).err, cost)
    const { err } = await search(['--since', '2026-11-30T11:00:00Z'])
    assert.match(
      err,
      /^Mail that was received from 2026-11-30 11:00:00Z on .* --since 2026-11-30T11:00:00Z\n/,
    )
  })

  test('polls until the search has ended, ever more slowly, with its progress on the terminal', async () => {
    polls = [...Array(5).fill(running), { rows: [row()] }]
    const delays: number[] = []
    const statuses: (string | null)[] = []
    let time = now
    const { status, out } = await search([], {
      now: () => time,
      async sleep(ms) {
        delays.push(ms)
        time += ms
      },
      printStatus: (text) => void statuses.push(text),
    })
    assert.equal(status, 0)
    assert.match(out, new RegExp(messageId))
    assert.equal(requests.length, 7)
    assert.deepEqual(delays.map(Math.round), [250, 375, 563, 844, 1266])
    assert.deepEqual(statuses, [...[0, 0, 1, 1, 2].map((seconds) => `Searching for ${seconds} s …`), null])
  })

  test('waits at most three seconds between two polls', async () => {
    polls = [...Array(12).fill(running), {}]
    const delays: number[] = []
    await search([], { sleep: async (ms) => void delays.push(ms) })
    assert.deepEqual(delays.slice(-3), [3000, 3000, 3000])
  })

  test('prints the first rows, and the command that prints all without another search', async () => {
    polls = [{ rows: [row(), row()], nextCursor: 'next' }]
    const { out, err } = await search(['--limit', '2'])
    assert.equal(out.trimEnd().split('\n').length, 3)
    assert.deepEqual(requests, ['POST /message-searches', `GET /message-searches/${searchId}?limit=2`])
    assert.match(
      err,
      new RegExp(`^There are more rows: npx mailflow messages search --id ${searchId} --all\n`),
    )
  })

  test('reads all pages with --all', async () => {
    polls = [
      { rows: [row(), row()], nextCursor: 'second' },
      { rows: [], nextCursor: 'third' },
      { rows: [row()] },
    ]
    const { out, err } = await search(['--all', '--json'])
    assert.deepEqual(JSON.parse(out), [row(), row(), row()])
    assert.deepEqual(requests.slice(1), [
      `GET /message-searches/${searchId}?limit=999`,
      `GET /message-searches/${searchId}?limit=999&cursor=second`,
      `GET /message-searches/${searchId}?limit=999&cursor=third`,
    ])
    assert.doesNotMatch(err, /more rows/)
  })

  test('reads the result of an earlier search by its id, without a period', async () => {
    polls = [{ rows: [row()] }]
    const { status, out, err } = await search(['--id', searchId])
    assert.deepEqual([status, err], [0, cost])
    assert.match(out, new RegExp(messageId))
    assert.deepEqual(requests, [`GET /message-searches/${searchId}?limit=50`])
    polls = [{}]
    assert.equal((await search(['--id', searchId])).out, 'No messages found.\n')
  })

  test('names the price of a search that does not run on this machine, but not of an earlier result', async () => {
    // Not one of the names of this machine that the command knows.
    const address = api.url.replace('127.0.0.1', '[::ffff:127.0.0.1]')
    const price = 'AWS charges less than 0.01 USD (5 USD per TB in most Regions, at least 10 MB).'
    assert.match((await search(['--api', address])).err, new RegExp(`${price.replace(/[().]/g, '.')}\n$`))
    assert.equal((await search(['--api', address, '--id', searchId])).err, cost)
  })

  test('fits the terminal', async () => {
    polls = [{ rows: [row({ sender_address: `${'long'.repeat(20)}@ours.example` })] }]
    const around = { env: { MAILFLOW_API: api.url }, now: () => now }
    await assertFitsTerminal(['messages', 'search'], around, [messageId, 'TLSv1.3, verified'])
  })
})

describe('`messages search --csv`', () => {
  const csv = '"origin_timestamp_utc","reply"\n"2026-11-30 20:00:00.000","a ""b"", ü日本"\n'

  test('prints the CSV as it is stored, and sends no credentials to its host', async () => {
    stored = { status: 200, headers: {}, body: csv }
    const { status, out, err } = await search(['--csv', '--token', 'secret-token'])
    assert.deepEqual([status, out], [0, csv])
    assert.equal(err, `${later}${cost}`)
    assert.deepEqual(credentials, ['Bearer secret-token', 'Bearer secret-token'])
    const [headers = {}] = storeHeaders
    assert.deepEqual([storeHeaders.length, headers.authorization, headers.cookie], [1, undefined, undefined])
    assert.doesNotMatch(JSON.stringify(headers), /secret-token/)
  })

  test('prints a large CSV whole', async () => {
    stored = { status: 200, headers: {}, body: `"reply"\n${'"ü日本"\n'.repeat(99_999)}` }
    const { out, err } = await search(['--csv'])
    assert.ok(out === stored.body)
    assert.doesNotMatch(err, /Older ones are missing/)
  })

  test('says that older rows are missing when the search found the most that it can', async () => {
    stored = { status: 200, headers: {}, body: `"reply"\n${'"a"\n'.repeat(100_000)}` }
    assert.match((await search(['--csv'])).err, /The search found 100000 rows, the most that it can\. Older /)
  })

  test('ends with an error that does not have the address, and follows no redirect', async () => {
    for (const [status, headers, reason] of [
      [403, {}, /status 403/],
      [302, { location: 'http://127.0.0.1:1/' }, /unexpected redirect/],
    ] as const) {
      stored = { status, headers, body: '<Error/>' }
      const result = await search(['--csv'])
      assert.deepEqual([result.status, result.out], [1, ''])
      assert.match(result.err, /^mailflow: cannot download the CSV from 127\.0\.0\.1:\d+: [^\n]*\n$/)
      assert.match(result.err, reason)
      assert.doesNotMatch(result.err, /secret/)
    }
  })
})

describe('`messages search` ends with an error', () => {
  test('when the search fails', async () => {
    polls = [running, { state: 'Failed', reason: 'HIVE_CURSOR_ERROR: bad file', csv: null }]
    assert.deepEqual(await search([]), {
      status: 1,
      out: '',
      err: 'mailflow: the search failed: HIVE_CURSOR_ERROR: bad file\n',
    })
  })

  test('when the search is cancelled, with what it read', async () => {
    polls = [{ state: 'Cancelled', reason: 'Query cancelled! : Bytes scanned limit was exceeded', csv: null }]
    const { status, err } = await search([])
    assert.equal(status, 1)
    assert.deepEqual(err.split('\n'), [
      'mailflow: the search was cancelled: Query cancelled! : Bytes scanned limit was exceeded',
      '  A search that reads too much is cancelled. Give a shorter period: --since, --until.',
      `  ${cost.trimEnd()}`,
      '',
    ])
  })

  test('when the API fails during the search, with the command that continues', async () => {
    polls = [running, { status: 503, title: 'Service Unavailable', detail: 'Try again.' }]
    const { status, err } = await search([])
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Service Unavailable: Try again\.\n/)
    assert.match(
      err,
      new RegExp(
        `\n  the search goes on; to print its result: npx mailflow messages search --id ${searchId}\n$`,
      ),
    )
  })

  test('when there is no search of the id', async () => {
    polls = [{ status: 404, title: 'Not Found', detail: 'There is no such search.' }]
    assert.equal((await search(['--id', 'x'])).err, 'mailflow: Not Found: There is no such search.\n')
  })

  test('when the period is longer than the retention, with the option', async () => {
    startStatus = 422
    const { status, out, err } = await search(['--since', '200d'])
    assert.deepEqual([status, out], [1, ''])
    assert.equal(err, 'mailflow: --since: is more than 90 days ago; events are kept for this time\n')
  })

  const wrong: [args: string[], error: string][] = [
    [['--since', '1d', '--until', '2d'], '--since 1d: not before --until 2d'],
    [
      ['--state', 'Lost'],
      '--state Lost: not a state; the states are Pending, Deferred, Delivered, Bounced, Rejected',
    ],
    [['--domain', 'a b'], '--domain a b: not a domain; example: contoso.com'],
    [['--id', searchId, '--sender', 'a@b.example'], '--sender has no effect beside --id'],
    [['--csv', '--limit', '5'], '--limit cannot be used with --csv: CSV has all rows'],
    [['--csv', '--json'], '--csv cannot be used with --json'],
    [['--limit', 'x'], '--limit x: not a number from 1 to 9999999'],
  ]
  for (const [args, error] of wrong)
    test(`for ${args.join(' ')}, before it starts`, async () => {
      assert.deepEqual(await search(args), { status: 2, out: '', err: `mailflow: ${error}\n` })
      assert.deepEqual(requests, [])
    })
})
