/** `reports` and `report`, with the API over events. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertFitsTerminal } from '../../support/cli/fits-terminal.ts'
import { mailflow, startAnsweringServer } from '../../support/cli/mailflow.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { inbound, snapshot } from '../../support/fixtures.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const now = Date.parse('2026-11-30T21:30:00Z')
const connector = '01ARZ3NDEKTSV4RRFFQ69G5FA0'
const messageId = '01KB00000000000000000000M1'
const refusalId = '01KB00000000000000000000R1'

let server: Awaited<ReturnType<typeof startAnsweringServer>>
const targets: string[] = []

before(async () => {
  const events = new SealedEvents()
  const common = { at: '2026-11-30T21:05:00.000Z', softwareVersion: '1', partner: 'bank.example' }
  await events.record('2026-11-30T21', [
    {
      ...common,
      id: 'event1',
      kind: 'Accepted',
      direction: 'Incoming',
      clientIp: '192.0.2.1',
      messageId,
      inboundConnector: connector,
      tlsVersion: 'TLSv1.3',
      size: 1000,
    },
    {
      ...common,
      id: refusalId,
      kind: 'Rejected',
      clientIp: '192.0.2.9',
      helo: 'mx.bank.example',
      senderDomain: 'bank.example',
      inboundConnector: connector,
      stage: 'Rcpt',
      reason: 'InboundTlsRequired',
      reply: '530 5.7.0 Must issue a STARTTLS command first',
    },
  ])
  const call = createTestEventApi({
    store: events.store,
    now: () => now,
    connectors: snapshot({ inbound: [inbound({ id: connector, name: 'From the bank' })] }),
  })
  server = await startAnsweringServer(async ({ method, url }) => {
    targets.push(`${method} ${url}`)
    const { status, headers, body } = await call(`${method} ${url}`)
    return { status, headers, body: JSON.stringify(body) }
  })
})
after(() => server.stop())

const run = (...args: string[]) => mailflow(args, { env: { MAILFLOW_API: server.url }, now: () => now })

describe('`reports`', () => {
  test('lists names and titles', async () => {
    const { status, out, err } = await run('reports')
    assert.deepEqual([status, err], [0, ''])
    const [heading, first] = out.split('\n')
    assert.match(heading ?? '', /^Name {2,}Title$/)
    assert.match(first ?? '', /^connector-tls {2,}Connector report$/)
  })

  test('explains the columns of a report, within the terminal', async () => {
    const around = { env: { MAILFLOW_API: server.url }, columns: 60 }
    const { out } = await mailflow(['reports', 'connector-tls'], around)
    assert.match(out, /^Refused {9}inbound: refused by the connector\. Outbound:\n {16}attempts without/m)
    for (const line of out.split('\n')) assert.ok(line.length <= 60, line)
  })

  test('prints JSON', async () => {
    const all = JSON.parse((await run('reports', '--json')).out)
    const one = JSON.parse((await run('reports', 'rejected', '--json')).out)
    assert.deepEqual(
      one,
      all.find(({ name }: { name: string }) => name === 'rejected'),
    )
    assert.equal(one.columns[0].type, 'date')
  })

  test('names all reports if there is none of a name', async () => {
    const { status, out, err } = await run('reports', 'nothing')
    assert.deepEqual([status, out], [1, ''])
    assert.match(err, /^mailflow: no report "nothing"; the reports are connector-tls, in-transit, [^\n]*\n$/)
  })
})

describe('`report`', () => {
  test('prints the numbers, the period, and when they may still grow', async () => {
    const { status, out, err } = await run('report', 'rejected')
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual(out.split('\n'), [
      'Refused in session, 2026-11-24 00:00 to 2026-11-30 22:00 (UTC)',
      '',
      'Date        Client network  HELO             Sender domain  Connector      Stage  Reason              Reply      Count  Sample',
      `2026-11-30  192.0.2.9       mx.bank.example  bank.example   From the bank  Rcpt   InboundTlsRequired  530 5.7.0      1  ${refusalId}`,
      '',
      'To show a sample: npx mailflow messages ID',
      'Numbers from 2026-11-30 20:00 on may still grow.',
      '',
    ])
  })

  test('sends each option as a parameter of the API', async () => {
    targets.length = 0
    const options = {
      '--since': '2026-11-29',
      '--until': '2026-11-30T12:00',
      '--partner': 'BÜCHER.example',
      '--connector': 'From the bank',
      '--time-zone': 'Europe/Berlin',
    }
    assert.equal((await run('report', 'in-transit', ...Object.entries(options).flat())).status, 0)
    assert.deepEqual(
      targets.map((target) => Object.fromEntries(new URL(target.slice(4), server.url).searchParams)),
      [
        {
          from: '2026-11-28T23:00:00.000Z',
          to: '2026-11-30T11:00:00.000Z',
          partner: 'xn--bcher-kva.example',
          connector: 'From the bank',
          timeZone: 'Europe/Berlin',
        },
      ],
    )
  })

  test('prints the CSV of the API, with the samples', async () => {
    const { out } = await run('report', 'rejected', '--csv')
    assert.deepEqual(out.split('\n'), [
      'date,clientNetwork,helo,senderDomain,connector,stage,reason,reply,count,samples',
      `2026-11-30,192.0.2.9,mx.bank.example,bank.example,From the bank,Rcpt,InboundTlsRequired,530 5.7.0,1,${refusalId}`,
      '',
    ])
  })

  test('prints the header line of the CSV, and a sentence for people, if there are no rows', async () => {
    assert.equal((await run('report', 'non-delivery', '--csv')).out, 'code,reason,count,samples\n')
    assert.match((await run('report', 'non-delivery')).out, /\n\nNo entries found\.\nNumbers from /)
  })

  test('prints the response of the API as JSON', async () => {
    const { name, rows, samples } = JSON.parse((await run('report', 'connector-tls', '--json')).out)
    assert.equal(name, 'connector-tls')
    assert.deepEqual(samples, [[messageId, refusalId]])
    assert.deepEqual([rows[0].tls13, rows[0].refused, rows[0].volume], [1, 1, 1000])
  })

  test('fits the terminal', async () => {
    await assertFitsTerminal(['report', 'rejected'], { env: { MAILFLOW_API: server.url }, now: () => now }, [
      'From the bank',
      '530 5.7.0',
    ])
  })

  const wrong: [args: string[], status: number, error: RegExp][] = [
    [['nothing'], 1, /Not Found: There is no report with this name\. The reports are connector-tls, /],
    [[], 2, /an argument is missing \(usage: npx mailflow report NAME \[OPTION …\]\)/],
    [['rejected', '--partner', 'a b'], 2, /--partner a b: not a domain; example: contoso\.com/],
    [['rejected', '--time-zone', 'Mars'], 2, /--time-zone Mars: not a time zone; example: Europe\/Berlin/],
    [['rejected', '--since', '1d', '--until', '2d'], 2, /--since 1d: not before --until 2d/],
    [['rejected', '--since', '2026-12-24'], 2, /--since 2026-12-24: not before now/],
    [['rejected', '--until', 'noon'], 2, /--until noon: not a time; examples: /],
    [['rejected', '--since', '200d'], 1, /--since: is more than 90 days ago; /],
    [['rejected', '--connector', 'Nix'], 1, /--connector: is not the id or name of a connector/],
    [['rejected', '--csv', '--json'], 2, /--csv cannot be used with --json/],
  ]
  for (const [args, status, error] of wrong)
    test(`refuses ${args.join(' ')} in one line`, async () => {
      const result = await run('report', ...args)
      assert.deepEqual([result.status, result.out], [status, ''])
      assert.match(result.err, /^mailflow: [^\n]*\n$/)
      assert.match(result.err, error)
    })

  test('names the fields of a report that it cannot read', async () => {
    const broken = await startAnsweringServer(() => ({ body: '{"title":"x"}' }))
    const { status, err } = await mailflow(['report', 'rejected', '--api', broken.url])
    broken.stop()
    assert.equal(status, 1)
    assert.match(err, /^mailflow: cannot read the report from the API: /)
    assert.match(err, /\n {2}columns: is required\n/)
  })
})
