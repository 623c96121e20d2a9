/** `check exchange-online` against a tenant that replies as Exchange Online does. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { mailflow } from '../../../support/cli/mailflow.ts'
import { startTenant, type TenantOptions } from '../../../support/exchange-online.ts'
import { createPki } from '../../../support/pki.ts'

const pki = await createPki()
const identity = await pki.issue({ names: ['localhost'] })
const folder = mkdtempSync(join(tmpdir(), 'mailflow-bypass-'))
after(() => rmSync(folder, { recursive: true }))
const authorities = join(folder, 'ca.pem')
writeFileSync(authorities, pki.ca)

async function against(options: Omit<TenantOptions, 'identity'>, ...args: string[]) {
  const tenant = await startTenant({ identity, ...options })
  try {
    const target = `localhost:${tenant.port}`
    const domain = ['--domain', 'ours.example', '--ca', authorities]
    const result = await mailflow(['check', 'exchange-online', target, ...domain, ...args])
    const verdict = result.out.split('\n').find((line) => /^\w+ +bypass /.test(line)) ?? ''
    return { ...result, verdict, tenant }
  } finally {
    await tenant.stop()
  }
}

const mailbox = ['--recipient', 'user@ours.example']
const send = ['--send', 'user@ours.example']
const rows: [shows: string, TenantOptions | object, args: string[], status: number, verdict: RegExp][] = [
  ['a Partner connector', { hasPartnerConnector: true }, mailbox, 0, /^OK +bypass +locked/],
  ['a Partner connector, with --send', { hasPartnerConnector: true }, send, 0, /^OK +bypass +locked/],
  [
    'Reject Direct Send and a Partner connector',
    { hasPartnerConnector: true, rejectsDirectSend: true },
    mailbox,
    0,
    /^OK +bypass +locked/,
  ],
  ['no lock, without --send', {}, mailbox, 3, /^WARN +bypass +undetermined/],
  ['no lock, with --send', {}, send, 1, /^FAIL +bypass +open: any sender/],
  ['Reject Direct Send alone', { rejectsDirectSend: true }, send, 1, /^FAIL +bypass +open: any sender/],
  [
    'Reject Direct Send alone, without --send',
    { rejectsDirectSend: true },
    mailbox,
    3,
    /^WARN +bypass +undetermined/,
  ],
  ['an unknown mailbox', {}, [], 3, /^WARN +bypass +undetermined/],
  [
    'a recipient of another tenant',
    {},
    ['--recipient', 'user@other.example'],
    3,
    /^WARN +bypass +undetermined/,
  ],
  [
    'an address of the client that is blocked',
    { blocksClient: true },
    send,
    3,
    /^WARN +bypass +undetermined/,
  ],
  [
    'a refusal for DMARC at the end of data',
    { answerToMessage: '550 5.7.509 Access denied, sending domain does not pass DMARC verification' },
    send,
    3,
    /^WARN +bypass +undetermined/,
  ],
]

describe('`check exchange-online` with', () => {
  for (const [shows, options, args, expectedStatus, expected] of rows)
    test(shows, async () => {
      const { status, verdict, out, err } = await against(options, ...args)
      assert.match(verdict, expected, out + err)
      assert.equal(status, expectedStatus)
    })

  test('without --send sends no message and no DATA', async () => {
    const { tenant } = await against({}, ...mailbox)
    assert.equal(tenant.received.length, 0)
    assert.deepEqual(
      tenant.commands.filter((command) => command === 'DATA'),
      [],
    )
  })

  test('with --send sends one message from each sender, over TLS, to the mailbox', async () => {
    const { tenant } = await against({}, ...send, '--sender', 'check@partner.example')
    assert.deepEqual(
      tenant.received.map(({ mail, recipients, tls }) => [mail, recipients, tls !== null]),
      ['user@ours.example', 'check@partner.example'].map((sender) => [
        `MAIL FROM:<${sender}>`,
        ['RCPT TO:<user@ours.example>'],
        true,
      ]),
    )
    assert.match(
      String(tenant.received[0]?.content),
      /^From: <user@ours\.example>\r\nTo: <user@ours\.example>\r\nSubject: .*\r\nDate: .* \+0000\r\n/,
    )
  })

  test('without a server is undetermined, with the failed connection', async () => {
    const tenant = await startTenant({ identity })
    await tenant.stop()
    const { status, out } = await mailflow([
      ...['check', 'exchange-online', `localhost:${tenant.port}`, '--domain', 'ours.example'],
    ])
    assert.equal(status, 1)
    assert.match(out, /^WARN +sender .*Connection refused/m)
  })

  for (const [args, fault] of [
    [[], /an argument is missing/],
    [['mx.example.com'], /a host needs --domain/],
    [['contoso', '--domain', 'a b'], /--domain a b: not a domain/],
    [['contoso', '--send', 'user'], /user: not an address/],
    [['contoso', '--send', 'a@b.example', '--recipient', 'a@b.example'], /--send or --recipient/],
  ] as const)
    test(`refuses the arguments ${args.join(' ') || 'none'}`, async () => {
      const { status, err } = await mailflow(['check', 'exchange-online', ...args])
      assert.equal(status, 2)
      assert.match(err, fault)
    })
})
