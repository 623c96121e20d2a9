/** `messages ID --events`. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertFitsTerminal } from '../../support/cli/fits-terminal.ts'
import { mailflow, startAnsweringServer } from '../../support/cli/mailflow.ts'

const id = '01M8QXTS1X6NXJ141D0T2GEK4Z'

const event = (kind: string, second: number, fields: object = {}) => ({
  id: `${kind}${second}`,
  at: `2026-11-30T20:00:0${second}.123Z`,
  kind,
  messageId: id,
  headerMessageId: '<a@ours.example>',
  sender: 'ann@ours.example',
  size: 793,
  clientIp: '192.0.2.1',
  softwareVersion: '1',
  ...fields,
})

const recipient = 'dr@clinic.example'
const next = { recipient, host: 'mx.clinic.example' }
const events = [
  event('Accepted', 0, { tlsVersion: 'TLSv1.3', recipients: 1 }),
  event('Decided', 0, { recipient, decision: 'Deliver', reason: 'ConnectorMatched' }),
  event('Attempted', 1, {
    ...next,
    decision: 'TlsNotMet',
    tlsResult: 'starttls-not-supported',
    reason: 'starttls-not-supported',
    reply: '451 4.7.321 STARTTLS is required but not available',
  }),
  event('Decided', 1, {
    recipient,
    decision: 'Defer',
    reason: 'OutboundTlsNotMet',
    reply: '451 4.7.321 STARTTLS is required but not available',
  }),
  event('Delivered', 5, {
    ...next,
    tlsVersion: 'TLSv1.3',
    tlsResult: 'success',
    group: 'X25519MLKEM768',
    reply: '250 2.0.0 Ok',
  }),
  event('Notified', 5, { recipient, reason: 'delivered' }),
]

let server: Awaited<ReturnType<typeof startAnsweringServer>>
let targets: string[] = []
let response: object = {}
before(async () => {
  server = await startAnsweringServer(({ method, url }) => {
    targets.push(`${method} ${url}`)
    return { body: JSON.stringify(response) }
  })
})
after(() => server.stop())

const run = (...args: string[]) => mailflow(args, { env: { MAILFLOW_API: server.url } })

describe('`messages ID --events`', () => {
  test('prints a line for each event, with what the events have in common above', async () => {
    response = { events, unreadSince: null }
    targets = []
    const { status, out, err } = await run('messages', id.toLowerCase(), '--events')
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual(targets, [`GET /messages/${id}/events`])
    assert.deepEqual(out.split('\n'), [
      `Message ${id}`,
      '  Sender     ann@ours.example',
      '  Recipient  dr@clinic.example',
      '  Message-ID <a@ours.example>',
      '  Size       793 octets',
      '',
      'Time                  Event      Result     Host               TLS                      Reply, or reason',
      '2026-11-30 20:00:00Z  Accepted              192.0.2.1          TLSv1.3',
      '2026-11-30 20:00:00Z  Decided    Deliver                                                ConnectorMatched',
      '2026-11-30 20:00:01Z  Attempted  TlsNotMet  mx.clinic.example  no TLS                   451 4.7.321 STARTTLS is required but not available',
      '2026-11-30 20:00:01Z  Decided    Defer                                                  OutboundTlsNotMet',
      '2026-11-30 20:00:05Z  Delivered             mx.clinic.example  TLSv1.3, X25519MLKEM768  250 2.0.0 Ok',
      '2026-11-30 20:00:05Z  Notified   delivered',
      '',
    ])
  })

  test('names the recipient on each line if there are several', async () => {
    response = {
      events: [
        event('Accepted', 0, { clientIp: undefined, sender: '' }),
        event('Delivered', 1, {
          recipient: 'a@x.example',
          tlsResult: 'starttls-not-supported',
          host: 'mx.x.example',
        }),
        event('Delivered', 1, { recipient: 'b@x.example', host: 'Amazon SES' }),
      ],
      unreadSince: null,
    }
    const { out } = await run('messages', id, '--events')
    const lines = out.split('\n')
    assert.equal(lines[1], '  Sender     <>')
    assert.deepEqual(lines.slice(-5), [
      'Time                  Event      Recipient    Result  Host          TLS           Reply, or reason',
      '2026-11-30 20:00:00Z  Accepted',
      '2026-11-30 20:00:01Z  Delivered  a@x.example          mx.x.example  in the clear',
      '2026-11-30 20:00:01Z  Delivered  b@x.example          Amazon SES',
      '',
    ])
  })

  test('fits the terminal', async () => {
    response = { events, unreadSince: null }
    await assertFitsTerminal(['messages', id, '--events'], { env: { MAILFLOW_API: server.url } }, [
      'OutboundTlsNotMet',
      'TlsNotMet',
    ])
  })

  test('prints the events as JSON', async () => {
    response = { events, unreadSince: null }
    assert.deepEqual(JSON.parse((await run('messages', id, '--events', '--json')).out), events)
  })

  test('says which events could not be read', async () => {
    response = { events: [], unreadSince: '2026-11-30T20:00:00.000Z' }
    assert.deepEqual(await run('messages', id, '--events'), {
      status: 0,
      out: 'No events found.\n',
      err: 'Events from 2026-11-30 20:00:00Z on are too many to read now. Try again in two hours.\n',
    })
  })

  const wrong: [args: string[], error: string][] = [
    [['--events'], '--events needs the id of a message'],
    [[id, '--events', '--csv'], '--csv cannot be used with --events'],
    [[id, '--events', '--since', '1d'], '--since has no effect beside a message id'],
  ]
  for (const [args, error] of wrong)
    test(`refuses ${args.join(' ')}`, async () =>
      assert.deepEqual(await run('messages', ...args), { status: 2, out: '', err: `mailflow: ${error}\n` }))
})
