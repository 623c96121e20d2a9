/**
 * Runs docs/cutover.md: each `npx mailflow` line as written, in order, against the runner, on an export of Exchange
 * Online. At the headings mail is sent over SMTP. At the end, each message was delivered, refused or returned, once.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DesiredEntry } from '../../cli/connectors/entry-kinds.ts'
import { readConfiguration } from '../../cli/connectors/read-configuration.ts'
import { type CommandResult, mailflow } from '../support/cli/mailflow.ts'
import { type CutoverDeployment, startCutoverDeployment } from '../support/local/cutover-deployment.ts'
import { messageIdIn, type Trace, waitForResult } from '../support/local/runner.ts'
import { cmdletsIn } from '../support/powershell.ts'

const root = join(import.meta.dirname, '../..')
const page = readFileSync(join(root, 'docs/cutover.md'), 'utf8')

/** The commands below each heading, with the exit status in their comment. */
const steps = page.split(/^##+ /m).map((section) => ({
  heading: section.split('\n', 1)[0] ?? '',
  lines: [...section.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block
      .trimEnd()
      .split('\n')
      .map((line) => ({ line, status: Number(/ # exit status (\d)$/.exec(line)?.[1] ?? 0) })),
  ),
}))

let deployment: CutoverDeployment

before(
  async () => {
    deployment = await startCutoverDeployment()
    process.chdir(deployment.folder)
  },
  { timeout: 120_000 },
)

after(async () => {
  process.chdir(root)
  assert.equal(await deployment?.stop(), 0, 'SIGTERM is a clean stop')
})

/** Runs a line of the page, which has words, quoted words and `> FILE`, and answers its question. */
async function runLine(line: string): Promise<CommandResult> {
  const [, command = '', file] = /^npx mailflow (.*?)(?: > (\S+))?(?: # .*)?$/.exec(line) ?? []
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const env = { MAILFLOW_API: deployment.runner.endpoints.api }
  const result = await mailflow(words, { env, prompt: async () => 'yes' })
  if (file !== undefined) writeFileSync(file, result.out)
  return result
}

/** The ingress may decide a session by connectors that it read up to one second earlier. */
const waitForIngress = () => delay(1100)

type Recipient = Trace['recipients'][number] & {
  verdict: { reportOnly: string | null }
  attempts: { reportOnly: string | null }[]
}

async function settled(id: string, state: string): Promise<Recipient> {
  const [recipient] = (await deployment.api.settled(id, [state])).recipients
  return recipient as Recipient
}

/** From outside to a mailbox of the tenant. */
const inbound = {
  'the bank with its certificate': ['a@bank.example', () => deployment.certificates.bank, null],
  'the bank with the certificate of an impostor': [
    'a@bank.example',
    () => deployment.certificates.impostor,
    'InboundCertificateRestriction',
  ],
  'the bank in the clear': ['a@bank.example', () => undefined, 'InboundTlsRequired'],
  'Northwind in the clear': ['a@northwind.example', () => undefined, 'InboundTlsRequired'],
  'Fabrikam from an unlisted address': ['a@fabrikam.example', () => ({}), 'InboundAddressRestriction'],
} as const
type Inbound = keyof typeof inbound

const receive = (name: Inbound) => {
  const [from, tls] = inbound[name]
  return deployment.send(from, 'ann@ours.example', tls())
}

async function assertDeliveredInbound(...names: Inbound[]): Promise<void> {
  for (const name of names) {
    const { verdict } = await settled(messageIdIn(await receive(name)), 'Delivered')
    assert.equal(verdict.reportOnly, inbound[name][2], name)
  }
}

const sendTo = (domain: string) =>
  deployment.send('ann@ours.example', `bob@${domain}`, deployment.certificates.ourServer)

/** The bank's server meets the requirement; those of Tailspin (no TLS) and Fabrikam (unknown authority) do not. */
async function assertDeliveredOutbound(): Promise<void> {
  const expected = { 'bank.example': true, 'tailspin.example': null, 'fabrikam.example': false }
  for (const [domain, verified] of Object.entries(expected)) {
    const { attempts } = await settled(messageIdIn(await sendTo(domain)), 'Delivered')
    assert.equal(attempts[0]?.tls?.verified ?? null, verified, domain)
    assert.equal(attempts[0]?.reportOnly === null, verified === true, domain)
  }
}

const flowsReportOnly = async () => {
  await assertDeliveredInbound(...(Object.keys(inbound) as Inbound[]))
  await assertDeliveredOutbound()
}

/** Every connector and domain of the file is at the gateway, with the same fields. */
async function assertGatewayHas(file: string): Promise<void> {
  const options = { defaultRoute: 'Mx', prune: false } as const
  const { out } = await runLine('npx mailflow connectors export')
  const atGateway = readConfiguration(out, 'export', options)
  const inFile = readConfiguration(readFileSync(file, 'utf8'), file, options)
  for (const section of ['acceptedDomains', 'inboundConnectors', 'outboundConnectors'] as const) {
    const byKey = (entries: readonly DesiredEntry[] | null) =>
      Object.fromEntries((entries ?? []).map(({ key, fields }) => [key, fields]))
    const expected = byKey(inFile[section])
    const found = Object.entries(byKey(atGateway[section])).filter(([key]) => key in expected)
    assert.deepEqual(Object.fromEntries(found), expected)
  }
}

/** Ids of messages that wait. */
let waiting: string[] = []

async function sendWaiting(replies: readonly Promise<string>[], reasons: readonly string[]): Promise<void> {
  waiting = (await Promise.all(replies)).map(messageIdIn)
  const recipients = await Promise.all(waiting.map((id) => settled(id, 'Deferred')))
  assert.deepEqual(
    recipients.map(({ verdict }) => verdict.reason),
    reasons,
  )
}

const allSettled = (state: string) => Promise.all(waiting.map((id) => settled(id, state)))

interface Check {
  heading: string
  /** The beginning of the command. */
  command: string
  /** What the command prints. */
  says?: RegExp[]
  /** What the mail does after the command. */
  afterwards?: () => Promise<unknown>
}

const checks: Check[] = [
  {
    heading: '1. Export and import',
    command: 'connectors import-exchange',
    says: [/12 inbound connectors, 12 outbound connectors.* 8 × Disabled, 2 × Weaker/],
  },
  {
    heading: '2. Apply',
    command: 'connectors export',
    async afterwards() {
      await assertGatewayHas('exchange.yaml')
      await waitForIngress()
      await flowsReportOnly()
    },
  },
  {
    heading: '3. To one partner',
    command: 'connectors set',
    says: [/Where a server does not meet[\s\S]* the mail is deferred/],
    afterwards: assertDeliveredOutbound,
  },
  {
    heading: '3. To one partner',
    command: 'messages',
    says: [/TLSv1\.3, verified/],
    async afterwards() {
      const { bankOptions, certificates, servers } = deployment
      const ids: string[] = []
      for (const tls of [certificates.impostor, undefined]) {
        if (tls === undefined) delete bankOptions.tls
        else bankOptions.tls = tls
        await sendWaiting([sendTo('bank.example')], ['OutboundTlsNotMet'])
        ids.push(...waiting)
      }
      waiting = ids
      assert.ok(!servers.bank.wire().includes('secret'), 'nothing was sent in the clear')
      bankOptions.tls = certificates.bank
    },
  },
  {
    heading: 'Way back: outbound',
    command: 'retry',
    afterwards: () => allSettled('Delivered'),
  },
  {
    heading: '4. From all partners',
    command: 'messages --since',
    says: [/report only: requirement not met/],
  },
  {
    heading: '5. Enforce one partner',
    command: 'connectors validate',
    says: [/1 × InboundCertificateRestriction/, /1 × InboundTlsRequired/],
  },
  { heading: '5. Enforce one partner', command: 'certificates observed', says: [/mx\.bank\.example/] },
  {
    heading: '5. Enforce one partner',
    command: 'connectors set',
    async afterwards() {
      await waitForIngress()
      await sendWaiting(
        [receive('the bank with the certificate of an impostor'), receive('the bank in the clear')],
        ['InboundCertificateRestriction', 'InboundTlsRequired'],
      )
      await assertDeliveredInbound('the bank with its certificate', 'Northwind in the clear')
    },
  },
  { heading: '5. Enforce one partner', command: 'messages', says: [/InboundCertificateRestriction/] },
  { heading: 'Way back: inbound', command: 'connectors set', says: [/holds 2 messages/] },
  {
    heading: 'Way back: inbound',
    command: 'retry',
    afterwards: () => allSettled('Delivered'),
  },
  {
    heading: 'Refuse',
    command: 'connectors set',
    async afterwards() {
      await waitForIngress()
      assert.match(await receive('the bank with the certificate of an impostor'), /^550 5\.7\.51 /)
      assert.match(await receive('the bank in the clear'), /^530 5\.7\.0 /)
      await assertDeliveredInbound('the bank with its certificate', 'Northwind in the clear')
      deployment.bankOptions.tls = deployment.certificates.impostor
      await sendWaiting([sendTo('bank.example')], ['OutboundTlsNotMet'])
    },
  },
  {
    heading: 'Everything back',
    command: 'connectors apply',
    says: [/2 changed \(2 with weaker requirements\)/],
    afterwards: () => assertGatewayHas('before.yaml'),
  },
  {
    heading: 'Everything back',
    command: 'retry',
    /** The connector only reports now, but waiting mail keeps its requirement. */
    afterwards: () =>
      waitForResult(async () => {
        const [recipient] = await allSettled('Deferred')
        return (recipient?.attempts.length ?? 0) >= 2 ? recipient : null
      }),
  },
  { heading: 'Everything back', command: 'messages --state', says: [/OutboundTlsNotMet/] },
  {
    heading: 'Everything back',
    command: 'messages return',
    async afterwards() {
      await allSettled('Bounced')
      deployment.bankOptions.tls = deployment.certificates.bank
      await waitForIngress()
      await flowsReportOnly()
    },
  },
]

const pending = new Set(checks)

for (const { heading, lines } of steps)
  for (const { line, status } of lines)
    test(`${heading}: ${line}`, { timeout: 120_000 }, async () => {
      const result = await runLine(line)
      const output = result.out + result.err
      assert.equal(result.status, status, output)
      const check = [...pending].find(
        (each) => each.heading === heading && line.startsWith(`npx mailflow ${each.command}`),
      )
      if (check === undefined) return
      pending.delete(check)
      for (const pattern of check.says ?? []) assert.match(output, pattern)
      await check.afterwards?.()
    })

test('every check was made at its line of the page', () => assert.deepEqual([...pending], []))

test('each message was delivered, refused or returned, and none twice', async () => {
  const results = await waitForResult(() => {
    const current = deployment.results()
    return current.includes('') ? null : current
  })
  const counts = [...Map.groupBy(results, (result) => result)].map(([result, { length }]) => [result, length])
  assert.deepEqual(Object.fromEntries(counts), { delivered: results.length - 3, refused: 2, returned: 1 })
})

test('the PowerShell lines have cmdlets and parameters that exist', () => {
  const blocks = [...page.matchAll(/```powershell\n(.*?)```/gs)].map(([, block = '']) => block)
  const inline = [...page.matchAll(/`(Set-\w+ [^`]*)`/g)].map(([, command = '']) => command)
  const found = cmdletsIn([...blocks, ...inline].join('\n'))
  assert.ok(found.length > 10)
  assert.deepEqual(
    found.filter(({ unknown }) => unknown.length > 0),
    [],
  )
})
