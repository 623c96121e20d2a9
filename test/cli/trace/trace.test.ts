/** What happened to mail, what would happen to it, and its next attempt now. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import type { Attempt, Message } from '../../../shared/contract/message.ts'
import { Claims } from '../../../shared/messages/claims.ts'
import { attemptKey, dsnKey } from '../../../shared/messages/keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { answering, type HttpApi, mailflow, startApi } from '../../support/cli/mailflow.ts'
import { attempt, circumstances, message, overTlsWith, recipient } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

const now = Date.parse('2026-02-03T12:00:00.000Z')
const folder = mkdtempSync(join(tmpdir(), 'mailflow-trace-'))
let api: HttpApi
let trace: Trace
let connectors: { from: string; to: string; toBranch: string }

before(async () => {
  api = await startApi(() => now)
  trace = new Trace(api.database.documents, api.database.messagesTable)
  const made = async (path: string, json: object) => (await api.ask(`POST ${path}`, { json })).body.id
  await api.ask('PUT /accepted-domains/ours.example', { json: {} })
  connectors = {
    from: await made('/inbound-connectors', {
      name: 'From the bank',
      connectorType: 'Partner',
      senderDomains: ['bank.example'],
    }),
    to: await made('/outbound-connectors', {
      name: 'To the bank',
      connectorType: 'Partner',
      recipientDomains: ['bank.example'],
      tlsSettings: 'DomainValidation',
      tlsDomain: 'mx.bank.example',
    }),
    toBranch: await made('/outbound-connectors', {
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

let made = 0

/** A message of the trace. */
async function received(
  hoursAgo: number,
  fields: Parameters<typeof message>[0],
  recipients: Record<string, Partial<Verdict>>,
): Promise<Message> {
  const at = now - hoursAgo * 3_600_000
  const id = `${encodeTime(at, 10)}${String(made++).padStart(16, '0')}`
  const sent = message({ ...fields, id, receivedAt: new Date(at).toISOString() })
  await trace.recordMessage(sent, 4_000_000_000)
  for (const [address, verdict] of Object.entries(recipients))
    await trace.recordVerdict(sent, verdictOf(address, verdict), circumstances, 4_000_000_000)
  return sent
}

const verdictOf = (address: string, fields: Partial<Verdict>): Verdict =>
  ({
    action: 'Defer',
    recipient: recipient({ address }),
    reason: 'OutboundTlsNotMet',
    explanation: 'Attempt 1 at mx.bank.example ended with 451 4.7.321 STARTTLS is not offered.',
    connectors: { inbound: null, outbound: null },
    decidedBy: null,
    reportOnly: null,
    reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
    until: new Date(now + 600_000),
    expiresAt: new Date(now + 86_400_000),
    notifyDelay: false,
    ...fields,
  }) as Verdict

async function attempted(to: Message, address: string, fields: Partial<Attempt>): Promise<void> {
  const claims = new Claims<Attempt>(api.database.documents, api.database.messagesTable)
  const key = attemptKey(to.id, address, fields.number ?? 1)
  await claims.claim(key, new Date(now), 60_000, 4_000_000_000)
  await claims.complete(key, attempt(fields))
}

describe('messages', () => {
  let delivered: Message
  let deferred: Message

  before(async () => {
    delivered = await received(
      2,
      {
        mailFrom: 'teller@bank.example',
        tls: overTlsWith(),
        source: { ip: '192.0.2.9', port: 1, helo: 'mx\u001b[2J.bank.example' },
      },
      {
        'ann@ours.example': {
          action: 'Deliver',
          reason: 'ConnectorMatched',
          connectors: { inbound: connectors.from, outbound: null },
        },
      },
    )
    await attempted(delivered, 'ann@ours.example', {
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
    await trace.recordDelivered(delivered.id, 'ann@ours.example')
    deferred = await received(
      30,
      { mailFrom: '', source: null },
      { 'teller@bank.example': { connectors: { inbound: null, outbound: connectors.to } } },
    )
    await attempted(deferred, 'teller@bank.example', {
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

  test('lists the last day as a table', async () => {
    const { status, out } = await api.mailflow('messages')
    assert.equal(status, 0)
    assert.deepEqual(rowsOf(out), [
      ['Received', 'State', 'From', 'To', 'Came in', 'Left, or why not', 'Id'],
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
    ['a span before now', ['--since', '2d', '--until', '3h'], () => [deferred.id]],
    [
      'a span between days',
      ['--since', '2026-02-02', '--until', '2026-02-03T11:00:00+01:00'],
      () => [deferred.id],
    ],
    ['a sender, whatever of the domain', ['--sender', 'bank.example'], () => [delivered.id]],
    ['the null reverse path', ['--sender', '<>', '--since', '2d'], () => [deferred.id]],
    ['a recipient', ['--recipient', 'ann@ours.example', '--since', '2d'], () => [delivered.id]],
    ['a state, in any letter case', ['--state', 'deferred', '--since', '2d'], () => [deferred.id]],
    ['a connector by name', ['--connector', 'to the bank', '--since', '2d'], () => [deferred.id]],
    ['all', ['--since', '2d', '--all'], () => [delivered.id, deferred.id]],
  ]
  for (const [what, options, ids] of finds)
    test(`finds by ${what}`, async () => {
      const { status, out, err } = await api.mailflow('messages', ...options, '--json')
      assert.deepEqual([status, err], [0, ''])
      assert.deepEqual(
        JSON.parse(out).map(({ id }: { id: string }) => id),
        ids(),
      )
    })

  test('says of what waits why it does', async () => {
    const { out } = await api.mailflow('messages', '--state', 'Deferred', '--since', '2d')
    assert.deepEqual(rowsOf(out)[1]?.slice(-3), ['made here', 'OutboundTlsNotMet', deferred.id])
  })

  test('says of what the next hop put off what it answered', async () => {
    const busy = { code: 451, enhanced: '4.3.2', text: `Busy\u001b[2J ${'x'.repeat(99)}` }
    await received(50, {}, { 'bob@busy.example': { reason: 'RetryLater', reply: busy } as Partial<Verdict> })
    const { out } = await api.mailflow('messages', '--recipient', 'busy.example', '--since', '3d')
    assert.equal(rowsOf(out)[1]?.at(-2), `451 4.3.2 Busy [2J ${'x'.repeat(41)}`)
  })

  test('tells mail that a trial would have refused from mail that a connector let through', async () => {
    const { id } = await received(
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
    await attempted({ id } as Message, 'bob@paper.example', {
      outcome: 'Delivered',
      host: 'mx.paper.example',
      tls: null,
      policy: 'Opportunistic',
      onTrial: 'EncryptionOnly',
      reportOnly: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
    })
    await trace.recordDelivered(id, 'bob@paper.example')
    const list = await api.mailflow('messages', '--recipient', 'paper.example', '--since', '3d')
    assert.equal(rowsOf(list.out)[1]?.at(-2), 'in the clear, a trial would refuse it')
    const { out } = await api.mailflow('messages', id)
    assert.match(
      out,
      /Delivered at .*, mx\.paper\.example.*, in the clear\n {13}EncryptionOnly was on trial;/,
    )
    assert.match(out, /a trial would have refused: 451 4\.7\.321 STARTTLS is not offered\n/)
  })

  test('takes no more than asked for, and says that there are more', async () => {
    const { out, err } = await api.mailflow('messages', '--since', '2d', '--limit', '1')
    assert.equal(rowsOf(out).length, 2)
    assert.equal(err, 'There are more: --limit N, or --all.\n')
  })

  test('takes the longest span there is, though the API asks its clock later', async () => {
    const asked: string[] = []
    const server = await answering(({ url = '' }) => {
      asked.push(url)
      return { body: JSON.stringify({ items: [], nextCursor: null }) }
    })
    for (const since of ['31d', '30d'])
      await mailflow(['messages', '--since', since, '--api', server.url], { now: () => now })
    server.stop()
    const spans = asked.map((url) => {
      const query = new URL(url, server.url).searchParams
      return [query.get('since'), query.get('until')]
    })
    assert.deepEqual(spans, [
      ['2026-01-03T12:00:00.000Z', '2026-02-03T12:00:00.000Z'],
      ['2026-01-04T12:00:00.000Z', null],
    ])
  })

  test('says when there is none', async () => {
    assert.equal(
      (await api.mailflow('messages', '--sender', 'nobody.example')).out,
      'No message was found.\n',
    )
  })

  test('asks which connector is meant when two have the name', async () => {
    const { status, err } = await api.mailflow('messages', '--connector', 'from the bank')
    assert.equal(status, 1)
    assert.match(
      err,
      new RegExp(`${connectors.from} {2}inbound connector\n {2}${connectors.toBranch} {2}outbound`),
    )
  })

  test('shows one message in full', async () => {
    const { out } = await api.mailflow('messages', delivered.id)
    assert.match(
      out,
      /^Message \w{26}\n {2}Received {3}2026-02-03 10:00:00Z, from 192\.0\.2\.9 \(mx \[2J\.bank\.example\), TLSv1\.3, TLS_AES/,
    )
    assert.match(out, /Showed {5}CN=mail\.contoso\.example, issued by CN=Some Public CA\n/)
    assert.match(out, /Sender {5}teller@bank\.example \(from outside\)/)
    assert.match(out, /\nann@ours\.example: Delivered\n {2}Decision {3}Deliver \(ConnectorMatched\) at /)
    assert.match(
      out,
      /Attempt 1 {2}Delivered at .*, mailbox\.ours\.example \(192\.0\.2\.25\), TLSv1\.3, TLS_AES_256_GCM_SHA384, X25519MLKEM768, certificate verified\n {13}EncryptionOnly was demanded by the connector; it took 84 ms\n {13}certificate SHA-256 (?:ab){32}\n {13}250 2\.0\.0 Ok\n/,
    )
  })

  test('shows why a message waits', async () => {
    const { out } = await api.mailflow('messages', deferred.id)
    assert.match(out, /made by this gateway, made here\n {2}Sender {5}<>/)
    assert.match(
      out,
      /teller@bank\.example: Deferred, decided again at 2026-02-03 12:10:00Z, given up at 2026-02-04 12:00:00Z\n/,
    )
    assert.match(out, /Decision {3}Defer \(OutboundTlsNotMet\)/)
    assert.match(out, /Reply {6}451 4\.7\.321 STARTTLS is not offered\n/)
    assert.match(
      out,
      /Attempt 1 {2}TlsNotMet at .*, mx\.bank\.example, no TLS, nothing was sent\n {13}DomainValidation was demanded;/,
    )
  })

  test('shows what the sender was told, and what became of that', async () => {
    const address = 'c@busy.example'
    const { id } = await received(30, {}, { [address]: { action: 'Bounce', reason: 'Expired' } })
    const dsn = await received(30, { mailFrom: '' }, { 'a@elsewhere.example': { action: 'Bounce' } })
    const sent = new Claims<{ dsn: string }>(api.database.documents, api.database.messagesTable)
    for (const kind of ['delayed', 'failed', 'relayed'] as const)
      await sent.claim(dsnKey(id, address, kind), new Date(now), 60_000, 4_000_000_000)
    await sent.complete(dsnKey(id, address, 'failed'), { dsn: dsn.id })
    const { out } = await api.mailflow('messages', id)
    const told = [...out.matchAll(/^ {2}The sender was told that it (.*)$/gm)].map(([, text]) => text)
    assert.deepEqual(told, [
      'is delayed: under way',
      `failed: ${dsn.id}, Bounced`,
      'was handed on: under way',
    ])
  })

  test('says which message there is none of', async () => {
    const { status, err } = await api.mailflow('messages', '01ARZ3NDEKTSV4RRFFQ69G5FAV')
    assert.deepEqual([status, err], [1, 'mailflow: Not Found: There is no such message.\n'])
  })

  const misused: [string[], RegExp][] = [
    [['--since', 'yesterday'], /--since yesterday: not a time/],
    [['--state', 'Lost'], /--state Lost: the states are Pending, /],
    [['--limit', '0'], /--limit 0: not a number/],
  ]
  for (const [options, message] of misused)
    test(`refuses ${options.join(' ')}`, async () => {
      const { status, err } = await api.mailflow('messages', ...options)
      assert.equal(status, 2)
      assert.match(err, message)
    })

  test("prints the API's own faults by their path", async () => {
    const { status, err } = await api.mailflow('messages', '--since', '40d')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Bad Request: The query is not valid\.\n {2}since: may lie at most 31 days/)
  })
})

describe('retry', () => {
  const jobs = () => api.evaluation.take().flatMap(({ job }) => job.recipients.map(({ address }) => address))

  test('asks for the next attempt at a message', async () => {
    const { id } = await received(1, {}, { 'a@bank.example': {}, 'b@bank.example': {} })
    const { status, out } = await api.mailflow('retry', id)
    assert.equal(status, 0)
    assert.equal(out, 'Asked for the next attempt now, for a@bank.example, b@bank.example.\n')
    assert.deepEqual(jobs(), ['a@bank.example', 'b@bank.example'])
  })

  test('says that a message has nothing to retry', async () => {
    const { id } = await received(1, {}, { 'a@bank.example': { action: 'Bounce', decidedBy: null } })
    const { status, err } = await api.mailflow('retry', id)
    assert.equal(status, 1)
    assert.match(err, /^mailflow: Conflict: No recipient is deferred.*\n {2}a@bank\.example: is Bounced\n/)
  })

  test('asks for all that a connector took part in', async () => {
    const of = { connectors: { inbound: null, outbound: connectors.toBranch } }
    for (let count = 0; count < 3; count++) await received(1, {}, { 'a@branch.example': of })
    const { status, out } = await api.mailflow('retry', '--connector', 'FROM THE BANK')
    assert.equal(status, 0)
    assert.equal(
      out,
      'inbound connector "From the bank": no mail that it took part in is deferred.\n' +
        'outbound connector "From the BANK": asked for the next attempt now, for 3 recipients of 3 messages.\n',
    )
    assert.equal(jobs().length, 3)
  })

  test('goes on while there is more', async () => {
    const [connector] = (await api.ask('GET /outbound-connectors')).body.items
    const asked: string[] = []
    const { url, stop } = await answering(({ method, url = '' }) => {
      const list = { items: url.startsWith('/outbound') ? [connector] : [], nextCursor: null }
      if (method === 'GET') return { body: JSON.stringify(list) }
      const nextCursor = asked.push(url) < 3 ? `c/${asked.length}` : null
      return { status: 202, body: JSON.stringify({ requested: 100, messages: 60, nextCursor }) }
    })
    const { out } = await mailflow(['retry', '--connector', connector.name, '--json'], {
      env: { MAILFLOW_API: url },
    })
    stop()
    const [{ requested, messages }] = JSON.parse(out)
    assert.deepEqual([requested, messages], [300, 180])
    const path = `/outbound-connectors/${connector.id}/retry`
    assert.deepEqual(asked, [path, `${path}?cursor=c%2F1`, `${path}?cursor=c%2F2`])
  })

  test('wants one or the other', async () => {
    for (const args of [[], ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '--connector', 'x']]) {
      const { status, err } = await api.mailflow('retry', ...args)
      assert.equal(status, 2)
      assert.match(err, /retry needs the id of a message, or --connector/)
    }
  })
})

describe('explain', () => {
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

  test('says the verdict first, then who was considered and why', async () => {
    const { status, out } = await explain('--to', 'eve@bank.example')
    assert.equal(status, 0)
    assert.match(
      out,
      /^ann@ours\.example: would be refused \(InboundTlsRequired\)\n {2}Connector "From the bank" requires TLS/,
    )
    assert.match(out, /In session RCPT TO is answered: 530 5\.7\.0 Must issue a STARTTLS command first\n/)
    assert.match(out, /\neve@bank\.example: would be refused/)
    assert.match(
      out,
      /\nInbound connectors, in the order in which they are asked:\n {2}1\. "From the bank" \(Partner, bank\.example\): decides\n/,
    )
    assert.match(
      out,
      /Outbound connectors for eve@bank\.example, .*:\n {2}1\. "To the bank" \(Partner, bank\.example\): decides\n/,
    )
    assert.match(out, /Outbound connectors for ann@ours\.example: none has to do with it\.\n/)
  })

  test('promises no delivery of what would be sent on', async () => {
    await api.ask('PUT /accepted-domains/branch.example', { json: {} })
    const { out } = await explain('--to', 'eve@branch.example', '--tls')
    assert.match(out, /\neve@branch\.example: would be sent on \(ConnectorMatched\)\n/)
    assert.doesNotMatch(out, /deliver/)
  })

  const sessions: [string, string[], object][] = [
    ['in the clear', [], { negotiated: false }],
    ['over TLS', ['--tls'], { negotiated: true }],
    ['over TLS before other options', ['--tls', '--json'], { negotiated: true }],
    ['over TLS 1.2', ['--tls', 'TLSv1.2'], { negotiated: true, protocol: 'TLSv1.2' }],
    ['over TLS 1.3', ['--tls=TLSv1.3'], { negotiated: true, protocol: 'TLSv1.3' }],
  ]
  for (const [what, options, tls] of sessions)
    test(`asks about a session ${what}`, async () => {
      const { status, out } = await explain(...options)
      assert.equal(status, 0)
      assert.deepEqual(JSON.parse(api.lastBody()).tls, tls)
      assert.equal(out.startsWith('{'), options.includes('--json'))
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
    assert.match(out, /not of a public authority/)
  })

  test('needs its three facts', async () => {
    const { status, err } = await api.mailflow('explain', '--from', 'a@bank.example')
    assert.deepEqual([status, err], [2, 'mailflow: explain needs --from, --to and --ip\n'])
  })

  test('refuses a version that there is not', async () => {
    for (const written of [['--tls=TLSv1.1'], ['--tls', 'TLSv1.1']]) {
      const { status, err } = await explain(...written)
      assert.deepEqual([status, err], [2, 'mailflow: --tls TLSv1.1: the versions are TLSv1.2 and TLSv1.3\n'])
    }
  })

  test("prints the API's faults", async () => {
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
