/** Tests `messages`, `explain` and `retry`. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { tlsRequirementText } from '../../../cli/trace/session-text.ts'
import type { Attempt, Message } from '../../../shared/contract/message.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { dsnKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { KeptRequirement } from '../../../shared/policy/kept-requirement.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { assertFitsTerminal } from '../../support/cli/fits-terminal.ts'
import { type HttpApi, mailflow, startAnsweringServer, startApi } from '../../support/cli/mailflow.ts'
import {
  attempt,
  authenticated,
  circumstances,
  message,
  overTlsWith,
  recipient,
} from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

const now = Date.parse('2026-02-03T12:00:00.000Z')
const folder = mkdtempSync(join(tmpdir(), 'mailflow-trace-'))
let api: HttpApi
let trace: Trace
let connectors: { from: string; to: string; toBranch: string }

before(async () => {
  api = await startApi(() => now)
  trace = new Trace(api.database.documents, api.database.messagesTable)
  const createConnector = async (path: string, json: object) =>
    (await api.call(`POST ${path}`, { json })).body.id
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
  connectors = {
    from: await createConnector('/inbound-connectors', {
      name: 'From the bank',
      connectorType: 'Partner',
      senderDomains: ['bank.example'],
    }),
    to: await createConnector('/outbound-connectors', {
      name: 'To the bank',
      connectorType: 'Partner',
      recipientDomains: ['bank.example'],
      tlsSettings: 'DomainValidation',
      tlsDomain: 'mx.bank.example',
    }),
    toBranch: await createConnector('/outbound-connectors', {
      name: 'From the BANK',
      connectorType: 'Partner',
      recipientDomains: ['branch.example'],
    }),
  }
})
after(async () => {
  await api.stop()
  rmSync(folder, { recursive: true })
})

const connectorId = '01KGH3Z00000000000000000DD'
let messageCount = 0

/** Records a message in the trace. */
async function recordReceived(
  hoursAgo: number,
  fields: Parameters<typeof message>[0],
  recipients: Record<string, Partial<Verdict>>,
): Promise<Message> {
  const at = now - hoursAgo * 3_600_000
  const id = `${encodeTime(at, 10)}${String(messageCount++).padStart(16, '0')}`
  const mail = message({ ...fields, id, receivedAt: new Date(at).toISOString() })
  await trace.recordMessage(mail, circumstances.at, 90)
  for (const [address, verdict] of Object.entries(recipients))
    await trace.recordVerdict(mail, verdictOf(address, verdict), circumstances, 4_000_000_000)
  return mail
}

const verdictOf = (address: string, fields: Partial<Verdict>): Verdict =>
  ({
    action: 'Defer',
    recipient: recipient({ address }),
    reason: 'OutboundTlsNotMet',
    explanation: 'Attempt 1 at mx.bank.example ended with 451 4.7.321 STARTTLS is not offered.',
    connectors: { inbound: null, outbound: null },
    decidedBy: null,
    lowered: [],
    newRequirement: null,
    reportOnly: null,
    reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
    until: new Date(now + 600_000),
    expiresAt: new Date(now + 86_400_000),
    notifyDelay: false,
    ...fields,
  }) as Verdict

const recordAttempt = (to: Message, address: string, fields: Partial<Attempt>): Promise<void> =>
  trace.recordAttempt(to.id, address, attempt(fields), 4_000_000_000)

describe('`messages`', () => {
  test('refuses a filter beside an id, which would have no effect', async () => {
    const { status, err } = await api.mailflow('messages', '--since', '2h', '01KGHJHGW00000000000000014')
    assert.deepEqual([status, err], [2, 'mailflow: --since has no effect beside a message id\n'])
  })

  let delivered: Message
  let deferred: Message

  before(async () => {
    delivered = await recordReceived(
      2,
      {
        mailFrom: 'teller@bank.example',
        tls: overTlsWith(),
        source: { ip: '192.0.2.9', port: 1, helo: 'mx\u001b[2J.bank.example' },
        headerMessageId: '<a1@bank.example>',
        authentication: authenticated('pass', 'bank.example'),
        exchangeOnline: { tenantIds: ['72f9'], originatorOrganizations: [], alignedSignatures: null },
      },
      {
        'ann@ours.example': {
          action: 'Deliver',
          reason: 'ConnectorMatched',
          connectors: { inbound: connectors.from, outbound: null },
        },
      },
    )
    await recordAttempt(delivered, 'ann@ours.example', {
      outcome: 'Delivered',
      host: 'mailbox.ours.example',
      ip: '192.0.2.25',
      tls: {
        protocol: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        group: 'X25519MLKEM768',
        verified: true,
        notVerified: null,
        fingerprint256: 'ab'.repeat(32),
      },
      policy: 'EncryptionOnly',
      policySource: 'Connector',
      reply: { code: 250, enhanced: '2.0.0', text: 'Ok' },
      durationMs: 84,
    })
    await trace.recordDelivered(
      delivered.id,
      'ann@ours.example',
      attempt({ outcome: 'Delivered' }),
      4_000_000_000,
    )
    deferred = await recordReceived(
      30,
      { mailFrom: '', source: null },
      { 'teller@bank.example': { connectors: { inbound: null, outbound: connectors.to } } },
    )
    await recordAttempt(deferred, 'teller@bank.example', {
      outcome: 'TlsNotMet',
      host: 'mx.bank.example',
      ip: null,
      policy: 'DomainValidation',
    })
  })

  const rowsOf = (out: string) =>
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))

  test('lists the messages of the last 24 hours as a table', async () => {
    const { status, out } = await api.mailflow('messages')
    assert.equal(status, 0)
    assert.deepEqual(rowsOf(out), [
      ['Received', 'State', 'From', 'To', 'Inbound', 'Outbound, or reason', 'Id'],
      [
        '2026-02-03 10:00:00Z',
        'Delivered',
        'teller@bank.example',
        'ann@ours.example',
        'TLSv1.3',
        'TLSv1.3, verified',
        delivered.id,
      ],
    ])
  })

  const finds: [string, string[], () => string[]][] = [
    ['--since and --until as spans before now', ['--since', '2d', '--until', '3h'], () => [deferred.id]],
    [
      '--since and --until as a day and a time',
      ['--since', '2026-02-02', '--until', '2026-02-03T11:00:00+01:00'],
      () => [deferred.id],
    ],
    ['the domain of the sender', ['--sender', 'bank.example'], () => [delivered.id]],
    ['the null reverse path', ['--sender', '<>', '--since', '2d'], () => [deferred.id]],
    ['a recipient', ['--recipient', 'ann@ours.example', '--since', '2d'], () => [delivered.id]],
    ['a state, in any letter case', ['--state', 'deferred', '--since', '2d'], () => [deferred.id]],
    [
      'the field Message-ID, without angle brackets',
      ['--message-id', 'a1@bank.example', '--since', '2d'],
      () => [delivered.id],
    ],
    [
      'the field Message-ID, with angle brackets',
      ['--message-id', '<a1@bank.example>', '--since', '2d'],
      () => [delivered.id],
    ],
    ['the client', ['--client-ip', '192.0.2.9', '--since', '2d'], () => [delivered.id]],
    ['a connector by name', ['--connector', 'to the bank', '--since', '2d'], () => [deferred.id]],
    [
      'their period, and all of them with --all',
      ['--since', '2d', '--all'],
      () => [delivered.id, deferred.id],
    ],
  ]
  for (const [title, options, ids] of finds)
    test(`finds messages by ${title}`, async () => {
      const { status, out, err } = await api.mailflow('messages', ...options, '--json')
      assert.deepEqual([status, err], [0, ''])
      assert.deepEqual(
        JSON.parse(out).map(({ id }: { id: string }) => id),
        ids(),
      )
    })

  test('shows the reason of a deferred message', async () => {
    const { out } = await api.mailflow('messages', '--state', 'Deferred', '--since', '2d')
    assert.deepEqual(rowsOf(out)[1]?.slice(-3), ['created by mailflow', 'OutboundTlsNotMet', deferred.id])
  })

  test('shows the reply by which the next hop deferred a message', async () => {
    const busy = { code: 451, enhanced: '4.3.2', text: `Busy\u001b[2J ${'x'.repeat(99)}` }
    await recordReceived(
      50,
      {},
      { 'bob@busy.example': { reason: 'RetryLater', reply: busy } as Partial<Verdict> },
    )
    const { out } = await api.mailflow('messages', '--recipient', 'busy.example', '--since', '3d')
    assert.equal(rowsOf(out)[1]?.at(-2), `451 4.3.2 Busy?[2J ${'x'.repeat(99)}`)
  })

  test('fits the terminal, with the whole id', async () => {
    const sender = { mailFrom: `${'long'.repeat(15)}@日本.example` }
    const { id } = await recordReceived(60, sender, {
      'bob@busy.example': {
        reason: 'RetryLater',
        reply: { code: 451, enhanced: '4.3.2', text: 'x'.repeat(99) },
      } as Partial<Verdict>,
    })
    const period = ['--since', '3d', '--until', '55h']
    await assertFitsTerminal(['messages', ...period], { env: { MAILFLOW_API: api.url }, now: () => now }, [
      id,
      'bob@busy.example',
    ])
  })

  test('marks mail that a report-only connector would have refused', async () => {
    const { id } = await recordReceived(
      50,
      {},
      {
        'bob@paper.example': {
          action: 'Deliver',
          reason: 'ConnectorMatched',
          until: null,
        } as Partial<Verdict>,
      },
    )
    await recordAttempt({ id } as Message, 'bob@paper.example', {
      outcome: 'Delivered',
      host: 'mx.paper.example',
      tls: null,
      policy: 'Opportunistic',
      reportOnlyLevel: 'EncryptionOnly',
      reportOnly: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
    })
    await trace.recordDelivered(id, 'bob@paper.example', attempt({ outcome: 'Delivered' }), 4_000_000_000)
    const list = await api.mailflow('messages', '--recipient', 'paper.example', '--since', '3d')
    assert.equal(rowsOf(list.out)[1]?.at(-2), 'in the clear, report only: requirement not met')
    const { out } = await api.mailflow('messages', id)
    assert.match(
      out,
      /Delivered at .*, mx\.paper\.example.*, in the clear\n {13}EncryptionOnly was report only;/,
    )
    assert.match(out, /report only, requirement not met: 451 4\.7\.321 STARTTLS is not offered\n/)
  })

  test('lists at most as many messages as --limit, and reports that there are more', async () => {
    const { out, err } = await api.mailflow('messages', '--since', '2d', '--limit', '1')
    assert.equal(rowsOf(out).length, 2)
    assert.equal(err, 'There are more messages: use --limit N or --all.\n')
  })

  test('sends both ends of the longest period, because an open end would exceed it by the clock of the API', async () => {
    const requests: string[] = []
    const server = await startAnsweringServer(({ url = '' }) => {
      requests.push(url)
      return { body: JSON.stringify({ items: [], nextCursor: null }) }
    })
    for (const since of ['31d', '30d'])
      await mailflow(['messages', '--since', since, '--api', server.url], { now: () => now })
    server.stop()
    const spans = requests.map((url) => {
      const query = new URL(url, server.url).searchParams
      return [query.get('from'), query.get('to')]
    })
    assert.deepEqual(spans, [
      ['2026-01-03T12:00:00.000Z', '2026-02-03T12:00:00.000Z'],
      ['2026-01-04T12:00:00.000Z', null],
    ])
  })

  test('prints "No messages found." when no message matches', async () => {
    assert.equal((await api.mailflow('messages', '--sender', 'unknown.example')).out, 'No messages found.\n')
  })

  test('requires an id, and lists both ids, when --connector is the name of two connectors', async () => {
    const { status, err } = await api.mailflow('messages', '--connector', 'from the bank')
    assert.equal(status, 1)
    assert.match(
      err,
      new RegExp(`${connectors.from} {2}inbound connector\n {2}${connectors.toBranch} {2}outbound`),
    )
  })

  test('shows the trace of one message', async () => {
    const { out } = await api.mailflow('messages', delivered.id)
    assert.match(
      out,
      /^Message \w{26}\n {2}Received {3}2026-02-03 10:00:00Z, from 192\.0\.2\.9 \(mx\?\[2J\.bank\.example\), TLSv1\.3, TLS_AES/,
    )
    assert.match(out, /Presented {2}CN=mail\.contoso\.example, issued by CN=Some Public CA\n/)
    assert.match(out, /Sender {5}teller@bank\.example \(from outside\)/)
    assert.match(
      out,
      /Size .*\n {2}Tenant {5}tenant id 72f9\n {2}Checked {4}DMARC pass for bank\.example \(From:\), policy none\n {13}no DKIM signature\n/,
    )
    assert.match(out, /\nann@ours\.example: Delivered\n {2}Decision {3}Deliver \(ConnectorMatched\) at /)
    assert.match(
      out,
      /Attempt 1 {2}Delivered at .*, mailbox\.ours\.example \(192\.0\.2\.25\), TLSv1\.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768, certificate verified\n {13}EncryptionOnly was required by the connector; duration 84 ms\n {13}certificate SHA-256 (?:ab){32}\n {13}250 2\.0\.0 Ok\n/,
    )
  })

  test('shows in the trace of a deferred message why it is deferred and when it bounces', async () => {
    const { out } = await api.mailflow('messages', deferred.id)
    assert.match(out, /, created by mailflow\n {2}Sender {5}<>/)
    assert.match(
      out,
      /teller@bank\.example: Deferred, next decision at 2026-02-03 12:10:00Z, bounces at 2026-02-04 12:00:00Z\n/,
    )
    assert.match(out, /Decision {3}Defer \(OutboundTlsNotMet\)/)
    assert.match(out, /Reply {6}451 4\.7\.321 STARTTLS is not offered\n/)
    assert.match(
      out,
      /Attempt 1 {2}TlsNotMet at .*, mx\.bank\.example, no TLS, not sent\n {13}DomainValidation was required;/,
    )
  })

  test('shows in the trace of a message its DSNs with their states', async () => {
    const address = 'c@busy.example'
    const { id } = await recordReceived(30, {}, { [address]: { action: 'Bounce', reason: 'Expired' } })
    const dsn = await recordReceived(30, { mailFrom: '' }, { 'a@elsewhere.example': { action: 'Bounce' } })
    const dsnClaims = new Claims<{ dsn: string }>(api.database.documents, api.database.messagesTable)
    for (const kind of ['delayed', 'failed', 'relayed'] as const)
      await dsnClaims.claim(dsnKey(id, address, kind), new Date(now), 60_000, 4_000_000_000)
    await dsnClaims.complete(dsnKey(id, address, 'failed'), { dsn: dsn.id })
    const { out } = await api.mailflow('messages', id)
    const dsns = [...out.matchAll(/^ {2}(.* DSN to the sender.*)$/gm)].map(([, text]) => text)
    assert.deepEqual(dsns, [
      'Delay DSN to the sender: not created yet',
      `Failure DSN to the sender: ${dsn.id}, Bounced`,
      'Relay DSN to the sender: not created yet',
    ])
  })

  test('ends with an error for an unknown message id', async () => {
    const { status, err } = await api.mailflow('messages', '01ARZ3NDEKTSV4RRFFQ69G5FAV')
    assert.equal(status, 1)
    assert.equal(
      err,
      `mailflow: Not Found: There is no such message.
  If its trace has expired: npx mailflow messages 01ARZ3NDEKTSV4RRFFQ69G5FAV --events
`,
    )
    const { err: ofNoId } = await api.mailflow('messages', '7ZZZZZZZZZZZZZZZZZZZZZZZZZ')
    assert.equal(ofNoId, 'mailflow: Not Found: There is no such message.\n')
  })

  const misused: [string[], RegExp][] = [
    [['--since', 'yesterday'], /--since yesterday: not a time/],
    [['--state', 'Lost'], /--state Lost: not a state; the states are Pending, /],
    [['--limit', '0'], /--limit 0: not a number/],
    [['--client-ip', 'mx.bank.example'], /--client-ip mx\.bank\.example: not an IP address/],
  ]
  for (const [options, message] of misused)
    test(`refuses ${options.join(' ')}`, async () => {
      const { status, err } = await api.mailflow('messages', ...options)
      assert.equal(status, 2)
      assert.match(err, message)
    })

  test('prints each fault of the query that the API reports, with its option', async () => {
    const { status, err } = await api.mailflow('messages', '--since', '40d')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: --since: must be at most 31 days[^\n]*\n$/)
  })
})

describe('`retry`', () => {
  const jobs = () => api.evaluation.take().flatMap(({ job }) => job.recipients.map(({ address }) => address))

  test('requests the next attempt for all deferred recipients of a message', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': {}, 'b@bank.example': {} })
    const { status, out } = await api.mailflow('retry', id)
    assert.equal(status, 0)
    assert.equal(out, 'Requested a retry for a@bank.example, b@bank.example.\n')
    assert.deepEqual(jobs(), ['a@bank.example', 'b@bank.example'])
  })

  test('ends with an error when no recipient of the message is deferred', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': { action: 'Bounce', decidedBy: null } })
    const { status, err } = await api.mailflow('retry', id)
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Conflict: No recipient is deferred.*\n {2}a@bank\.example: is Bounced\n/)
  })

  test('says that mail is being delivered at this moment, which a request for a connector does not concern', async () => {
    const fields = { connectors: { inbound: null, outbound: connectors.toBranch } }
    const recipients = { 'a@branch.example': { ...fields, action: 'Deliver' as const } }
    await recordReceived(1, {}, recipients)
    const { out } = await api.mailflow('messages', 'return', '--connector', 'From the BANK', '--yes')
    assert.equal(
      out,
      'outbound connector "From the BANK": no deferred mail. Mail is being delivered at this moment (Pending). ' +
        'If its attempt fails it waits again: repeat the command then.\n',
    )
  })

  test('requests the next attempt for all deferred mail of each connector with the name', async () => {
    const fields = { connectors: { inbound: null, outbound: connectors.toBranch } }
    for (let count = 0; count < 3; count++) await recordReceived(1, {}, { 'a@branch.example': fields })
    const { status, out } = await api.mailflow('retry', '--connector', 'FROM THE BANK')
    assert.equal(status, 0)
    assert.equal(
      out,
      'inbound connector "From the bank": no deferred mail.\n' +
        'outbound connector "From the BANK": requested a retry for 3 recipients of 3 messages.\n',
    )
    assert.equal(jobs().length, 3)
  })

  test('repeats the request with the cursor of the response until a response has none', async () => {
    const [connector] = (await api.call('GET /outbound-connectors')).body.items
    const requests: string[] = []
    const { url, stop } = await startAnsweringServer(({ method, url = '' }) => {
      const list = { items: url.startsWith('/outbound') ? [connector] : [], nextCursor: null }
      if (method === 'GET') return { body: JSON.stringify(list) }
      const nextCursor = requests.push(url) < 3 ? `c/${requests.length}` : null
      return { status: 202, body: JSON.stringify({ requested: 100, messages: 60, nextCursor }) }
    })
    const { out } = await mailflow(['retry', '--connector', connector.name, '--json'], {
      env: { MAILFLOW_API: url },
    })
    stop()
    const [{ requested, messages }] = JSON.parse(out)
    assert.deepEqual([requested, messages], [300, 180])
    const path = `/outbound-connectors/${connector.id}/retry`
    assert.deepEqual(requests, [path, `${path}?cursor=c%2F1`, `${path}?cursor=c%2F2`])
  })

  test('rejects arguments with neither id nor --connector, or with both', async () => {
    for (const args of [[], ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '--connector', 'x']]) {
      const { status, err } = await api.mailflow('retry', ...args)
      assert.equal(status, 2)
      assert.match(err, /retry needs a message id, or --connector/)
    }
  })

  test('rejects --all with an id or --connector', async () => {
    for (const args of [['01ARZ3NDEKTSV4RRFFQ69G5FAV'], ['--connector', 'x']]) {
      const { status, err } = await api.mailflow('retry', '--all', ...args)
      assert.equal(status, 2)
      assert.match(err, /retry --all concerns all mail/)
    }
    assert.deepEqual(jobs(), [])
  })

  test('with --all, requests all pages of the API, and prints their sum', async () => {
    const requests: string[] = []
    const { url, stop } = await startAnsweringServer(({ method, url = '' }) => {
      const nextCursor = requests.push(`${method} ${url}`) < 2 ? 'next' : null
      return { status: 202, body: JSON.stringify({ requested: 2, messages: 1, nextCursor }) }
    })
    const { status, out } = await mailflow(['retry', '--all'], { env: { MAILFLOW_API: url } })
    const { out: json } = await mailflow(['retry', '--all', '--json'], { env: { MAILFLOW_API: url } })
    stop()
    assert.deepEqual([status, out], [0, 'Requested a retry for 4 recipients of 2 messages.\n'])
    assert.deepEqual(JSON.parse(json), { requested: 2, messages: 1 })
    const path = 'POST /messages/retry'
    assert.deepEqual(requests, [path, `${path}?cursor=next`, path])
  })

  test('with --all, says when no mail waits', async () => {
    const { url, stop } = await startAnsweringServer(() => ({
      status: 202,
      body: JSON.stringify({ requested: 0, messages: 0, nextCursor: null }),
    }))
    const { out } = await mailflow(['retry', '--all'], { env: { MAILFLOW_API: url } })
    stop()
    assert.equal(out, 'No mail waits.\n')
  })
})

describe('the text of what a connector requires', () => {
  const rows: [level: string, smtpDaneMode: string, mtaStsMode: string, text: string][] = [
    ['Opportunistic', 'Opportunistic', 'None', 'Opportunistic'],
    ['Opportunistic', 'Mandatory', 'Opportunistic', 'DANE'],
    ['Opportunistic', 'Mandatory', 'Mandatory', 'DANE and MTA-STS'],
    ['EncryptionOnly', 'Opportunistic', 'Mandatory', 'EncryptionOnly and MTA-STS'],
  ]
  for (const [level, smtpDaneMode, mtaStsMode, text] of rows)
    test(`is "${text}" for ${level}, ${smtpDaneMode} DANE and ${mtaStsMode} MTA-STS`, () =>
      assert.equal(tlsRequirementText({ level, smtpDaneMode, mtaStsMode }), text))
})

describe('`explain`', () => {
  const explain = (...args: string[]) =>
    api.mailflow(
      'explain',
      '--from',
      'teller@bank.example',
      '--to',
      'ann@ours.example',
      '--ip',
      '192.0.2.1',
      ...args,
    )

  test('shows first the verdict of each recipient, then the considered connectors', async () => {
    const { status, out } = await explain('--to', 'eve@bank.example')
    assert.equal(status, 0)
    assert.match(
      out,
      /^ann@ours\.example: would be refused \(InboundTlsRequired\)\n {2}Connector "From the bank" requires TLS/,
    )
    assert.match(
      out,
      /Reply to RCPT TO: 530 5\.7\.0 Must issue a STARTTLS command first\n {2}Reply in the DSN, for a message accepted under earlier connectors: 5/,
    )
    assert.doesNotMatch(out, /Reply in the DSN: /)
    assert.match(out, /\neve@bank\.example: would be refused/)
    assert.match(
      out,
      /\nInbound connectors, in order of precedence:\n {2}1\. "From the bank" \(Partner, bank\.example\): selected\n/,
    )
    assert.match(
      out,
      /Outbound connectors for eve@bank\.example, .*:\n {2}1\. "To the bank" \(Partner, bank\.example\): selected\n/,
    )
    assert.match(out, /Outbound connectors for ann@ours\.example: none applies\.\n/)
  })

  test('warns that the connector of the domain does not cover the From: field, also with --json', async () => {
    const { out } = await explain()
    assert.match(
      out,
      /\n {2}Warning: Connector "From the bank" evaluates only MAIL FROM\. Only requireDmarc covers /,
    )
    const { warnings } = JSON.parse((await explain('--json')).out)
    assert.equal(warnings.length, 1)
  })

  test('prints "would be sent", and does not promise delivery', async () => {
    await api.call('PUT /accepted-domains/branch.example', { json: {} })
    const { out } = await explain('--to', 'eve@branch.example', '--tls')
    assert.match(out, /\neve@branch\.example: would be sent \(ConnectorMatched\)\n/)
    assert.doesNotMatch(out, /deliver/)
  })

  const sessions: [string, string[], object][] = [
    ['in the clear', [], { negotiated: false }],
    ['over TLS', ['--tls'], { negotiated: true }],
    ['over TLS, when another option follows --tls', ['--tls', '--json'], { negotiated: true }],
    ['over TLS 1.2', ['--tls', 'TLSv1.2'], { negotiated: true, protocol: 'TLSv1.2' }],
    ['over TLS 1.3', ['--tls=TLSv1.3'], { negotiated: true, protocol: 'TLSv1.3' }],
  ]
  for (const [title, options, tls] of sessions)
    test(`requests the verdict for a session ${title}`, async () => {
      const { status, out } = await explain(...options)
      assert.equal(status, 0)
      assert.deepEqual(JSON.parse(api.lastBody()).tls, tls)
      assert.equal(out.startsWith('{'), options.includes('--json'))
    })

  const shown: [options: string[], fields: object][] = [
    [
      ['--tenant-id', 'abc', '--originator-org', 'ours.example'],
      { exchangeOnline: { tenantIds: ['abc'], originatorOrganizations: ['ours.example'] } },
    ],
    [['--dmarc', 'fail'], { dmarc: { result: 'fail', fromDomain: 'bank.example' } }],
    [
      ['--dmarc', 'pass', '--header-from', 'list.example'],
      { dmarc: { result: 'pass', fromDomain: 'list.example' } },
    ],
  ]
  for (const [options, fields] of shown)
    test(`requests the verdict for a message with ${options.join(' ')}`, async () => {
      assert.equal((await explain(...options)).status, 0)
      const { exchangeOnline, dmarc } = JSON.parse(api.lastBody())
      assert.deepEqual({ exchangeOnline, dmarc }, { exchangeOnline: undefined, dmarc: undefined, ...fields })
    })

  test('refuses a result that DMARC does not have, and --header-from without --dmarc', async () => {
    for (const options of [
      ['--dmarc', 'maybe'],
      ['--header-from', 'list.example'],
    ])
      assert.equal((await explain(...options)).status, 2)
  })

  test('shows a certificate, and never sends its private key', async () => {
    const { cert, key } = await (await createPki('Bank CA')).issue({ names: ['mx.bank.example'] })
    const file = join(folder, 'both.pem')
    writeFileSync(file, `${key}\n${cert}\n`)
    const { status, out } = await explain('--certificate', file)
    assert.equal(status, 0)
    assert.equal(JSON.parse(api.lastBody()).tls.clientCertificate.trim(), cert.trim())
    assert.match(
      out,
      /\nClient certificate:\n {2}CN=mx\.bank\.example, issued by CN=Bank CA\n {2}names mx\.bank\.example\n/,
    )
    assert.match(out, /not trusted by the public roots/)
  })

  test('requires --from, --to and --ip', async () => {
    const { status, err } = await api.mailflow('explain', '--from', 'a@bank.example')
    assert.deepEqual([status, err], [2, 'mailflow: explain needs --from, --to and --ip\n'])
  })

  test('rejects an unsupported TLS version', async () => {
    for (const args of [['--tls=TLSv1.1'], ['--tls', 'TLSv1.1']]) {
      const { status, err } = await explain(...args)
      assert.deepEqual(
        [status, err],
        [2, 'mailflow: --tls TLSv1.1: not a supported version; use TLSv1.2 or TLSv1.3\n'],
      )
    }
  })

  test('prints each fault of the body that the API reports', async () => {
    const { status, err } = await api.mailflow(
      'explain',
      '--from',
      'a@b.example',
      '--to',
      'c@d.example',
      '--ip',
      'here',
    )
    assert.deepEqual(
      [status, err],
      [1, 'mailflow: Unprocessable Entity: The body is not valid.\n  ip: is not an IP address\n'],
    )
  })
})

describe('`messages return`', () => {
  const requirement: KeptRequirement = {
    connector: { id: connectorId, name: 'To the bank' },
    route: 'Mx',
    smartHosts: [],
    tls: { ...opportunistic, level: 'DomainValidation', tlsDomain: 'mx.bank.example' },
  }

  /** Records a message that waits under the connector and keeps its requirement. */
  async function recordWaiting(): Promise<Message> {
    const mail = await recordReceived(1, {}, {})
    const store = new ContentAddressedStore(
      api.database.documents,
      api.database.messagesTable,
      'requirement',
      KeptRequirement,
    )
    const digest = await store.store(requirement, new Date(now), 90)
    const verdict = verdictOf('a@bank.example', {
      connectors: { inbound: null, outbound: connectorId },
      lowered: ['tlsSettings'],
    })
    await trace.recordVerdict(mail, verdict, circumstances, 4_000_000_000, digest)
    return mail
  }

  test(`requests a return of the waiting recipients of a message, which its trace shows`, async () => {
    const { id } = await recordWaiting()
    assert.match(
      (await api.mailflow('messages', id)).out,
      /\n {2}Requires {3}keeps the requirement of connector "To the bank" from 2026-01-15 12:00:00.*: DomainValidation; the current connector lowers tlsSettings\n/,
    )
    const { status, out } = await api.mailflow('messages', 'return', id.toLowerCase(), '--yes')
    assert.deepEqual([status, out], [0, `Requested a return for a@bank.example.\n`])
    const shown = (await api.mailflow('messages', id)).out
    assert.match(shown, /\n {2}Returned {3}by arn:aws:iam::\d{12}:user\/administrator at /)
    assert.ok(shown.includes('keeps the requirement'))
  })

  test('takes the id of a deleted connector', async () => {
    const { id } = await recordWaiting()
    const { status, out } = await api.mailflow(
      ...['messages', 'return', '--connector', connectorId, '--json', '--yes'],
    )
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(out)[0].messages > 0, true)
    const [entry] = (await api.call(`GET /messages/${id}`)).body.recipients
    assert.equal(typeof entry.returned, 'object')
  })

  test('ends with an error for a name that no outbound connector has', async () => {
    const { status, err } = await api.mailflow('messages', 'return', '--connector', 'Nowhere')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: no outbound connector "Nowhere"\n/)
  })

  test('asks first, and without a terminal needs --yes', async () => {
    const { id } = await recordWaiting()
    const questions: string[] = []
    const { status, err } = await mailflow(['messages', 'return', id], {
      env: { MAILFLOW_API: api.url },
      async prompt(question) {
        questions.push(question)
        return 'no'
      },
    })
    assert.deepEqual([status, err], [1, 'mailflow: "no" is not yes. Nothing was written\n'])
    assert.match(questions.join(), /^Bounce message \w{26}\? Type yes: $/)
    assert.match((await api.mailflow('messages', 'return', id)).err, /\? Without a terminal, give --yes\. /)
    const [entry] = (await api.call(`GET /messages/${id}`)).body.recipients
    assert.equal(entry.returned, null)
  })

  test('ends with an error when nothing waits', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': { action: 'Bounce', decidedBy: null } })
    const { status, err } = await api.mailflow('messages', 'return', id, '--yes')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Conflict: No recipient is deferred, so there is nothing to return\./)
  })

  test('rejects arguments with neither id nor --connector', async () => {
    const { status, err } = await api.mailflow('messages', 'return')
    assert.deepEqual([status, err.includes(`messages return needs a message id, or --connector`)], [2, true])
  })
})

describe('`messages release`', () => {
  const because = ['--because', 'the bank called: it is on its way']
  const held: Partial<Verdict> = {
    reason: 'InboundTlsRequired',
    connectors: { inbound: connectorId, outbound: null },
  }

  test('requests a release of the held recipients of a message, which its trace shows with the reason', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': held, 'b@bank.example': {} })
    const { status, out } = await api.mailflow('messages', 'release', id.toLowerCase(), ...because, '--yes')
    assert.deepEqual([status, out], [0, 'Requested a release for a@bank.example.\n'])
    assert.match(
      (await api.mailflow('messages', id)).out,
      /\n {2}Released {3}by arn:aws:iam::\d{12}:user\/administrator at 2026-02-03 12:00:00Z\n {13}the bank called: it is on its way\n/,
    )
  })

  test('asks first, and without a terminal needs --yes', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': held })
    const questions: string[] = []
    const { status, err } = await mailflow(['messages', 'release', id, ...because], {
      env: { MAILFLOW_API: api.url },
      async prompt(question) {
        questions.push(question)
        return 'no'
      },
    })
    assert.deepEqual(
      [status, err, questions],
      [
        1,
        'mailflow: "no" is not yes. Nothing was written\n',
        [`Deliver message ${id} despite its violation? Type yes: `],
      ],
    )
    const without = await api.mailflow('messages', 'release', id, ...because)
    assert.match(without.err, /\? Without a terminal, give --yes\. /)
    assert.equal((await api.call(`GET /messages/${id}`)).body.recipients[0].released, null)
  })

  test('ends with an error when no inbound connector holds the message', async () => {
    const { id } = await recordReceived(1, {}, { 'a@bank.example': {} })
    const { status, err } = await api.mailflow('messages', 'release', id, ...because, '--yes')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Conflict: No inbound connector holds it, so there is nothing to release\./)
  })

  for (const args of [[], ['--because', '  ']])
    test(`needs a reason: ${JSON.stringify(args)}`, async () => {
      const { status, err } = await api.mailflow('messages', 'release', connectorId, ...args)
      assert.equal(status, 2)
      assert.match(err, /^mailflow: messages release needs --because TEXT\n/)
    })
})
