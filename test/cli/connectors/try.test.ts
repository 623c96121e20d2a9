/** `connectors try`: what it sends, waits for and prints. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type CommandOptions, mailflow, startAnsweringServer } from '../../support/cli/mailflow.ts'
import { inboundInput } from '../../support/connectors.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const id = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
const sample = '01M8QXTS1X6NXJ141D0T2GEK4Z'

const bank = {
  ...inboundInput({ name: 'From the bank', senderDomains: ['bank.example'] }),
  id: '01ARZ3NDEKTSV4RRFFQ69G5FA1',
  version: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
  warnings: [],
}

const outcome = (fields: object) => ({
  outcome: 'Delivered',
  reason: 'ConnectorMatched',
  connector: null,
  level: 'Opportunistic',
  tlsResult: null,
  ...fields,
})
const result = (fields: object = {}) => ({
  id,
  state: 'Succeeded',
  reason: null,
  from: '2026-11-23T12:00:00.000Z',
  to: '2026-11-30T12:00:00.000Z',
  ms: 1500,
  scannedOctets: 12_300_000,
  connectorsVersion: 3,
  considered: 0,
  same: 0,
  different: [],
  undetermined: [],
  notConsidered: 0,
  ...fields,
})

let answers: object[] = []
let started: Record<string, unknown>[] = []
let api: Awaited<ReturnType<typeof startAnsweringServer>>

before(async () => {
  api = await startAnsweringServer(async (request) => {
    const { method, url = '' } = request
    const body = (value: object, status = 200) => ({ status, body: JSON.stringify(value) })
    if (method === 'POST') {
      started.push(JSON.parse(Buffer.concat(await request.toArray()).toString()))
      return body({ id, completeUntil: '2026-11-30T10:00:00.000Z' }, 202)
    }
    if (url.startsWith('/configuration')) return body({ version: 3, defaultRoute: 'Mx', deliversInVpc: true })
    if (url.startsWith('/inbound-connectors')) return body({ items: [bank], nextCursor: null })
    if (url.startsWith('/dry-runs/'))
      return body((answers.length > 1 ? answers.shift() : answers[0]) as object)
    return body({ items: [], nextCursor: null })
  })
})
after(() => api.stop())
beforeEach(() => {
  answers = [result()]
  started = []
})

const stricter = `inboundConnectors:
  - name: from THE bank
    connectorType: Partner
    senderDomains: [bank.example]
    minimumTlsVersion: TLSv1.3
  - name: From a shop
    connectorType: Partner
    senderDomains: [shop.example]
`
const tryFile = (file: string, args: readonly string[] = [], around: CommandOptions = {}) =>
  mailflow(['connectors', 'try', '-f', '-', ...args], {
    env: { MAILFLOW_API: api.url },
    now: () => now,
    input: file,
    ...around,
  })

describe('`connectors try`', () => {
  test('sends the connectors that differ, and the period', async () => {
    const { status } = await tryFile(stricter, ['--since', '3d'])
    assert.equal(status, 0)
    const [body = {}] = started
    assert.deepEqual([body.from, body.to], ['2026-11-27T12:00:00.000Z', '2026-11-30T12:00:00.000Z'])
    const names = (body.inboundConnectors as { name: string }[]).map(({ name }) => name)
    assert.deepEqual([names, body.outboundConnectors], [['from THE bank', 'From a shop'], []])
  })

  test('sends nothing for a file that changes no connector', async () => {
    const same =
      'inboundConnectors:\n  - name: From the bank\n    connectorType: Partner\n    senderDomains: [bank.example]\n'
    const { status, out } = await tryFile(same)
    assert.deepEqual([status, out, started], [0, 'The file changes no connector.\n', []])
  })

  test('--mode applies to the connectors of the file', async () => {
    await tryFile(stricter, ['--mode', 'ReportOnly'])
    const connectors = started[0]?.inboundConnectors as { mode: string }[]
    assert.deepEqual(new Set(connectors.map(({ mode }) => mode)), new Set(['ReportOnly']))
  })

  test('waits, and prints what differs, what cannot be told, and what is not in it', async () => {
    answers = [
      result({ state: 'Running' }),
      result({
        considered: 60,
        same: 40,
        notConsidered: 7,
        different: [
          {
            before: outcome({}),
            after: outcome({
              outcome: 'Refused',
              reason: 'InboundTlsVersion',
              connector: 'from THE bank',
              level: 'EncryptionOnly',
            }),
            count: 15,
            samples: [sample],
            unlessRevoked: true,
          },
        ],
        undetermined: [{ missing: 'The events hold no session.', count: 5, samples: [] }],
      }),
    ]
    const { status, out, err } = await tryFile(stricter)
    assert.equal(status, 0)
    assert.deepEqual(
      out.split('\n').map((line) => line.trim().replaceAll(/ {2,}/g, '|')),
      [
        'Mail from 2026-11-23 12:00:00Z to 2026-11-30 12:00:00Z',
        '60 recipients and refusals: 40 the same, 15 different, 5 cannot be told.',
        '7 more, of rarer kinds, were not decided: give a shorter period.',
        '',
        'Count|Now|Then|Such as',
        `15|Delivered: ConnectorMatched, Opportunistic|Refused: InboundTlsVersion, EncryptionOnly, "from THE bank", unless a certificate was revoked|${sample}`,
        '5|?|cannot be told: The events hold no session.',
        '',
      ],
    )
    assert.equal(
      err,
      'Mail that was received from 2026-11-30 10:00:00Z on is not in it.\nThe search read 12.3 MB in 1.5 s.\n',
    )
  })

  test('says that no mail is concerned', async () => {
    const { out } = await tryFile(stricter)
    assert.match(out, /^No mail that these connectors could concern\.$/m)
  })

  test('--json prints the answer', async () => {
    const { out } = await tryFile(stricter, ['--json'])
    assert.deepEqual(JSON.parse(out), result())
  })

  test('ends with 1 when the search fails', async () => {
    answers = [result({ state: 'Failed', reason: 'Bytes scanned limit was exceeded' })]
    const { status, err } = await tryFile(stricter)
    assert.deepEqual([status, err], [1, 'mailflow: the dry run failed: Bytes scanned limit was exceeded\n'])
  })

  const faults: [name: string, file: string, args: string[], status: number, err: RegExp][] = [
    [
      'a fault of the file',
      'inboundConnectors:\n  - name: x\n',
      [],
      1,
      /-:2: .*connectorType|standard input:2: /,
    ],
    ['a wrong time', stricter, ['--since', 'soon'], 2, /--since soon/],
    [
      'a period that ends before it begins',
      stricter,
      ['--since', '1d', '--until', '2d'],
      2,
      /--since 1d: not before/,
    ],
  ]
  for (const [name, file, args, expected, message] of faults)
    test(`ends with ${expected} for ${name}, before any request`, async () => {
      const { status, err } = await tryFile(file, args)
      assert.deepEqual([status, started], [expected, []])
      assert.match(err, message)
    })
})
