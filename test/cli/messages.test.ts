/** The filters and the CSV of `messages`; test/cli/trace/trace.test.ts tests its other output. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { messageColumnNames } from '../../shared/event-queries/message-columns.ts'
import { RejectedSessions } from '../../shared/messages/rejected-sessions.ts'
import { type HttpApi, mailflow, startAnsweringServer, startApi } from '../support/cli/mailflow.ts'
import { traceMail } from '../support/traced-mail.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
/** Of the second after 11:00. */
const refusalId = `${encodeTime(Date.parse('2026-11-30T11:00:01Z'), 10)}0000000000000001`
let api: HttpApi
const ids: string[] = []

before(async () => {
  api = await startApi(() => now)
  for (const n of [1, 2, 3]) {
    const recipients = { [`r${n}@ours.example`]: {}, 'ann@ours.example': {} }
    const { id } = await traceMail(api.database, `2026-11-30T0${n}:00:00Z`, n, {}, recipients)
    ids.unshift(id)
  }
  await new RejectedSessions(api.database.documents, api.database.messagesTable, 15).store([
    {
      id: refusalId,
      at: '2026-11-30T11:00:00.000Z',
      kind: 'Rejected',
      helo: 'mx.partner.example',
      tlsVersion: 'TLSv1.2',
      softwareVersion: '0.2.0',
    },
  ])
})
after(() => api.stop())

test('`messages` sends each option as a parameter of the API', async () => {
  const requests: URLSearchParams[] = []
  const server = await startAnsweringServer(({ url = '' }) => {
    requests.push(new URL(url, 'http://api.example').searchParams)
    return { body: JSON.stringify({ items: [], nextCursor: null }) }
  })
  const options = {
    '--since': '2026-11-29',
    '--until': '2026-11-30',
    '--sender': '<>',
    '--recipient': 'ann@ours.example',
    '--domain': 'BÜCHER.example',
    '--state': 'delivered',
    '--direction': 'originating',
    '--message-id': '<a@b>',
    '--client-ip': '192.0.2.1',
    '--min-size': '10MB',
    '--tls-version': 'tlsv1.3',
  }
  const { status } = await mailflow(['messages', ...Object.entries(options).flat(), '--api', server.url])
  server.stop()
  assert.equal(status, 0)
  assert.deepEqual(
    requests.map((query) => Object.fromEntries(query)),
    [
      {
        from: '2026-11-29T00:00:00.000Z',
        to: '2026-11-30T00:00:00.000Z',
        sender: '<>',
        recipient: 'ann@ours.example',
        domain: 'xn--bcher-kva.example',
        state: 'Delivered',
        direction: 'Originating',
        messageId: '<a@b>',
        clientIp: '192.0.2.1',
        minSize: '10485760',
        tlsVersion: 'TLSv1.3',
        limit: '50',
      },
    ],
  )
})

describe('`messages` refuses', () => {
  const rows: [args: string[], error: RegExp][] = [
    [['--domain', 'a b'], /^mailflow: --domain a b: not a domain; example: contoso\.com\n$/],
    [
      ['--direction', 'Inbound'],
      /^mailflow: --direction Inbound: not a direction; the directions are Originating, Incoming\n$/,
    ],
    [
      ['--min-size', 'large'],
      /^mailflow: --min-size large: not a size; examples: 10MB, 500KB, 2000 \(octets\)\n$/,
    ],
    [
      ['--tls-version', '1.3'],
      /^mailflow: --tls-version 1\.3: not a TLS version; the TLS versions are None, TLSv1\.2, TLSv1\.3\n$/,
    ],
    [['--state', 'Lost'], /^mailflow: --state Lost: not a state; the states are Pending, Deferred, /],
    [['--csv', '--json'], /^mailflow: --csv cannot be used with --json\n$/],
    [
      ['--min-size', '1', '01KB00000000000000000C0001'],
      /^mailflow: --min-size has no effect beside a message id\n$/,
    ],
    [['--all', '01KB00000000000000000C0001'], /^mailflow: --all has no effect beside a message id\n$/],
  ]
  for (const [args, error] of rows)
    test(args.join(' '), async () => {
      const { status, out, err } = await api.mailflow('messages', ...args)
      assert.deepEqual([status, out], [2, ''])
      assert.match(err, error)
    })

  test('a size of refusals, with the name of the option', async () => {
    const { status, out, err } = await api.mailflow(
      'messages',
      '--state',
      'Rejected',
      '--min-size',
      '1',
      '--csv',
    )
    assert.deepEqual([status, out], [1, ''])
    assert.match(err, /^mailflow: --min-size: cannot be used with state=Rejected: [^\n]*\n$/)
  })
})

describe('`messages --csv`', () => {
  const header = messageColumnNames.join(',')
  const linesOf = (out: string): string[] => {
    assert.ok(out.endsWith('\n'))
    return out.slice(0, -1).split('\n')
  }
  const idsIn = (out: string) =>
    linesOf(out)
      .slice(1)
      .map((line) => ids.findIndex((id) => line.includes(`,${id},`)))

  test('prints a line for each recipient', async () => {
    const { status, out, err } = await api.mailflow('messages', '--csv')
    assert.deepEqual([status, err], [0, ''])
    assert.equal(linesOf(out)[0], header)
    assert.deepEqual(idsIn(out), [0, 0, 1, 1, 2, 2])
  })

  test('prints at most as many messages as --limit, and reports that there are more', async () => {
    const { out, err } = await api.mailflow('messages', '--csv', '--limit', '2')
    assert.deepEqual(idsIn(out), [0, 0, 1, 1])
    assert.equal(err, 'There are more messages: use --limit N or --all.\n')
  })

  test('prints the header line once for all pages of --all', async () => {
    const pages = [ids.slice(0, 2), [], ids.slice(2)]
    const server = await startAnsweringServer(({ url = '' }) => {
      const page = Number(new URL(url, 'http://api.example').searchParams.get('cursor') ?? 0)
      const items = (pages[page] ?? []).map((id) => ({ ...trace, id }))
      return { body: JSON.stringify({ items, nextCursor: page < 2 ? String(page + 1) : null }) }
    })
    const { body: trace } = await api.call(`GET /messages/${ids[0]}`)
    const { out } = await mailflow(['messages', '--csv', '--all', '--api', server.url])
    server.stop()
    assert.equal(linesOf(out).filter((line) => line === header).length, 1)
    assert.deepEqual(idsIn(out), [0, 0, 1, 1, 2, 2])
  })

  test('prints the header line when there is no message', async () => {
    assert.equal((await api.mailflow('messages', '--csv', '--sender', 'x.example')).out, `${header}\n`)
  })

  test('prints refusals with the same columns', async () => {
    const { out } = await api.mailflow('messages', '--csv', '--state', 'Rejected')
    const [first, line = '', ...others] = linesOf(out)
    assert.deepEqual([first, others], [header, []])
    assert.match(
      line,
      /^2026-11-30T11:00:00\.000Z,,##Fail,.*,mx\.partner\.example,.*,Rejected,TLSv1\.2,.*,1$/,
    )
  })

  test('prints a refusal by its id, which a report may name', async () => {
    const { status, out } = await api.mailflow('messages', '--csv', refusalId)
    assert.deepEqual([status, linesOf(out).length], [0, 2])
    assert.match(out, /,Rejected,TLSv1\.2,/)
    assert.match(
      (await api.mailflow('messages', refusalId)).out,
      /^Refused {2,}Count .*\n2026-11-30 11:00:00Z {2}1\n$/,
    )
    assert.equal(JSON.parse((await api.mailflow('messages', '--json', refusalId)).out).id, refusalId)
  })

  test('prints the recipients of one message', async () => {
    assert.deepEqual(idsIn((await api.mailflow('messages', '--csv', ids[1] ?? '')).out), [1, 1])
  })

  test('prints nothing but the error when the API fails', async () => {
    const server = await startAnsweringServer(() => ({ status: 500, body: '{}' }))
    const { status, out } = await mailflow(['messages', '--csv', '--api', server.url])
    server.stop()
    assert.deepEqual([status, out], [1, ''])
  })
})
