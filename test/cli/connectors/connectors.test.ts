/** Tests apply, export, list and get of connectors against the API. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { parse } from 'yaml'
import type { ConfigurationWarning } from '../../../cli/connectors/configuration-warnings.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { ContentAddressedStore } from '../../../shared/messages/content-addressed-store.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { KeptRequirement, keptRequirementOf } from '../../../shared/policy/kept-requirement.ts'
import { assertFitsTerminal } from '../../support/cli/fits-terminal.ts'
import { type HttpApi, mailflow, startAnsweringServer, startApi } from '../../support/cli/mailflow.ts'
import { outboundInput } from '../../support/connectors.ts'
import { circumstances, message, recipient } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

let api: HttpApi
const folder = mkdtempSync(join(tmpdir(), 'mailflow-connectors-'))
before(async () => {
  api = await startApi()
})
after(async () => {
  await api.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  await api.clear()
  api.requests.length = 0
})

const file = (content: string, name = 'connectors.yaml'): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
/** Applies a file, also where it weakens a requirement. */
const apply = (content: string, ...options: string[]) =>
  api.mailflow('connectors', 'apply', '-f', file(content), '--yes', ...options)
const applyWithoutYes = (content: string, ...options: string[]) =>
  api.mailflow('connectors', 'apply', '-f', file(content), ...options)
const writes = () => api.requests.filter((request) => !request.startsWith('GET'))

const bank = `
acceptedDomains: [ours.example]
inboundConnectors:
  - name: From the bank
    connectorType: Partner
    senderDomains: [bank.example]
outboundConnectors:
  - name: To the bank
    connectorType: Partner
    recipientDomains: [bank.example]
    tlsSettings: DomainValidation
    tlsDomain: mx.bank.example
`
const changed = bank.replace('DomainValidation', 'EncryptionOnly').replace(/ *tlsDomain.*\n/, '')

describe('connectors apply', () => {
  test('creates new entries, and finds no differences when it runs again', async () => {
    const first = await apply(bank)
    assert.equal(first.status, 0, first.err)
    assert.match(first.out, /\+ ours\.example: new/)
    assert.match(first.out, /\+ To the bank: new\n.*\n.*\n {6}route: Mx\n {6}tlsSettings: DomainValidation\n/)
    assert.match(first.out, /Applied: 3 new, 0 changed, 0 removed\.\n$/)
    assert.deepEqual(writes(), [
      'PUT /accepted-domains/ours.example',
      'POST /inbound-connectors',
      'POST /outbound-connectors',
    ])
    const again = await apply(bank)
    assert.deepEqual([again.status, writes().length], [0, 3], 'nothing is written again')
    assert.match(again.out, /= To the bank: unchanged\n\nNo differences\.\n$/)
  })

  const narrowed: [string, (ca: string) => string, string, RegExp][] = [
    [
      'the connector no longer covers a domain',
      () => 'recipientDomains: [bank.example, branch.example]',
      'recipientDomains: [bank.example]',
      /\n {6}branch\.example: no longer covered by this connector\n/,
    ],
    [
      'without certificateAuthorities the public authorities suffice',
      (ca) => `recipientDomains: [bank.example]
    certificateAuthorities: [${JSON.stringify(ca)}]`,
      'recipientDomains: [bank.example]',
      /\n {6}certificateAuthorities is weaker than before\n/,
    ],
  ]
  for (const [title, before, after, says] of narrowed)
    test(`reports a weaker requirement: ${title}`, async () => {
      const file = (fields: string) => `
outboundConnectors:
  - name: To the bank
    connectorType: Partner
    tlsSettings: CertificateValidation
    ${fields}
`
      const strict = before((await createPki()).ca)
      await apply(file(strict))
      const { out } = await apply(file(after), '--dry-run')
      assert.match(out, says)
      assert.match(out, /1 changed \(1 with weaker requirements\)/)
      await apply(file(after))
      assert.doesNotMatch((await apply(file(strict), '--dry-run')).out, /weaker/)
    })

  const limits: [string, number | null, number | null, boolean][] = [
    ['raised', 600, 6000, true],
    ['lifted', 600, null, true],
    ['lowered', 600, 60, false],
    ['set', null, 600, false],
  ]
  for (const [title, before, after, isLess] of limits)
    test(`${isLess ? 'reports' : 'does not report'} a weaker requirement when messageRateLimit is ${title}`, async () => {
      const file = (limit: number | null) => `
inboundConnectors:
  - name: From the bank
    connectorType: Partner
    senderDomains: [bank.example]
    messageRateLimit: ${limit}
`
      await apply(file(before))
      const { out } = await apply(file(after), '--dry-run')
      assert.match(out, new RegExp(`messageRateLimit: ${before} → ${after}`))
      assert.equal(out.includes('messageRateLimit is weaker than before'), isLess)
    })

  test('shows old and new values of changed fields, and which requirement is weaker', async () => {
    await apply(bank)
    const { status, out } = await apply(changed)
    assert.equal(status, 0)
    assert.match(out, /~ To the bank: changed\n {6}tlsSettings: DomainValidation → EncryptionOnly/)
    assert.match(out, /tlsDomain: mx\.bank\.example → null/)
    assert.match(out, /tlsSettings is weaker than before/)
    assert.match(out, /Applied: 0 new, 1 changed \(1 with weaker requirements\), 0 removed\.\n$/)
    const { body } = await api.call('GET /outbound-connectors')
    assert.deepEqual(
      body.items.map(({ tlsSettings, version }: Record<string, unknown>) => [tlsSettings, version]),
      [['EncryptionOnly', 2]],
    )
  })

  test('matches connectors by name without regard to letter case', async () => {
    await apply(bank)
    const { out } = await apply(bank.replace('name: To the bank', 'name: TO THE BANK'))
    assert.match(out, /~ TO THE BANK: changed\n {6}name: To the bank → TO THE BANK\n/)
  })

  test('writes nothing with --dry-run, and exits with 3 when there are differences', async () => {
    const dry = await apply(bank, '--dry-run')
    assert.deepEqual([dry.status, writes()], [3, []])
    assert.match(
      dry.out,
      /Dry run, nothing was written: 3 new, 0 changed, 0 removed\.\nTo write exactly this: .* --if-version \d+, without --dry-run\.\n$/,
    )
    await apply(bank)
    assert.equal((await apply(bank, '--dry-run')).status, 0)
    assert.equal((await apply(changed, '--dry-run')).status, 3)
  })

  const without = 'acceptedDomains: []\ninboundConnectors: []\noutboundConnectors: []\n'

  test('keeps and lists entries that are not in the file', async () => {
    await apply(bank)
    const { status, out } = await apply(without, '--dry-run')
    assert.equal(status, 0, 'nothing would be written')
    assert.match(out, /\? To the bank: not in the file, kept \(--prune removes it\)/)
    assert.match(out, /No differences; 3 not in the file, kept\.\n$/)
  })

  test('removes entries with --prune after all other changes, and shows the effect on mail', async () => {
    await apply(bank)
    api.requests.length = 0
    const dry = await apply(without, '--prune', '--dry-run')
    assert.equal(dry.status, 3)
    assert.match(
      dry.out,
      /- From the bank: removed\n {6}It no longer requires TLS of mail from bank\.example/,
    )
    assert.match(
      dry.out,
      /It no longer forces TLS\s+\(DomainValidation for mx\.bank\.example\): mail may be sent in the clear/,
    )
    assert.match(dry.out, /- ours\.example.*\n {6}Mail from outside for this domain will be refused/)
    const changedFile = without.replace(
      'outboundConnectors: []',
      'outboundConnectors:\n  - {name: New, connectorType: Partner, recipientDomains: [new.example]}',
    )
    const { status, out } = await apply(changedFile, '--prune')
    assert.equal(status, 0)
    assert.match(out, /Applied: 1 new, 0 changed, 3 removed\.\n$/)
    assert.deepEqual(
      writes().map((request) => request.split(/[ /]/).slice(0, 3).join(' ')),
      [
        'POST  outbound-connectors',
        'DELETE  accepted-domains',
        'DELETE  inbound-connectors',
        'DELETE  outbound-connectors',
      ],
    )
  })

  test('with --mode gives every connector of the file this mode', async () => {
    assert.equal((await apply(bank, '--mode', 'ReportOnly')).status, 0)
    const modes = async () =>
      Promise.all(
        ['inbound', 'outbound'].map(
          async (kind) => (await api.call(`GET /${kind}-connectors`)).body.items[0].mode,
        ),
      )
    assert.deepEqual(await modes(), ['ReportOnly', 'ReportOnly'])
    const enforced = await apply(bank, '--mode', 'enforce')
    assert.match(enforced.out, /mode: ReportOnly → Enforce/)
    assert.deepEqual(await modes(), ['Enforce', 'Enforce'])
    const wrong = await apply(bank, '--mode', 'Off')
    assert.deepEqual(
      [wrong.status, wrong.err],
      [2, 'mailflow: --mode Off: not a mode; the modes are Enforce and ReportOnly\n'],
    )
  })

  test('asks before it weakens a requirement, but not before another change', async () => {
    await apply(bank)
    api.requests.length = 0
    const weaker = await applyWithoutYes(changed)
    assert.deepEqual(
      [weaker.status, weaker.err, writes()],
      [
        1,
        'mailflow: Weaken the requirements of 1 entry (To the bank)? Without a terminal, give --yes. Nothing was written\n',
        [],
      ],
    )
    const reportOnly = await applyWithoutYes(bank, '--mode', 'ReportOnly')
    assert.match(reportOnly.err, /Weaken the requirements of 2 entries \(From the bank, To the bank\)\?/)
    assert.equal((await applyWithoutYes(bank.replace('ours.example', 'other.example'))).status, 0)
  })

  test('with --prune asks before it removes, and writes nothing without a yes', async () => {
    await apply(bank)
    api.requests.length = 0
    const entries = '3 entries (ours.example, From the bank, To the bank)'
    const answered = (answer: string) =>
      mailflow(['connectors', 'apply', '-f', file(without), '--prune'], {
        env: { MAILFLOW_API: api.url },
        async prompt(text) {
          assert.equal(text, `Remove ${entries}? Type yes: `)
          return answer
        },
      })
    const silent = await applyWithoutYes(without, '--prune')
    assert.deepEqual(
      [silent.status, silent.err, writes()],
      [1, `mailflow: Remove ${entries}? Without a terminal, give --yes. Nothing was written\n`, []],
    )
    const refused = await answered('y')
    assert.deepEqual(
      [refused.status, refused.err, writes()],
      [1, 'mailflow: "y" is not yes. Nothing was written\n', []],
    )
    assert.equal((await answered('yes')).status, 0)
    assert.equal(writes().length, 3)
  })

  test('refuses --prune for the file of `connectors get`, which is applied otherwise', async () => {
    await apply(bank)
    const { out } = await api.mailflow('connectors', 'get', 'To the bank')
    api.requests.length = 0
    const { status, err } = await apply(out, '--prune')
    assert.deepEqual([status, api.requests], [1, []])
    assert.match(
      err,
      /connectors\.yaml:3: the file is a part of the configuration, so --prune would remove the rest/,
    )
    assert.equal((await apply(out.replace('EncryptionOnly', 'DomainValidation'))).status, 0)
    assert.match((await apply(out.replace('true', 'false'))).err, /:3: partial is not true/)
  })

  test('shows that removing a report-only outbound connector changes the route and no requirement', async () => {
    await apply(bank.replace('name: To the bank', 'name: To the bank\n    mode: ReportOnly'))
    const { out } = await apply(without, '--prune', '--dry-run')
    assert.match(
      out,
      /- To the bank: removed\n {6}Mail to bank\.example is no longer sent through this connector \(Mx\)\.\n/,
    )
  })

  test('does not change a section that is missing from the file, even with --prune', async () => {
    await apply(bank)
    api.requests.length = 0
    const { status, out } = await apply('outboundConnectors: []\n', '--prune')
    assert.equal(status, 0)
    assert.doesNotMatch(out, /From the bank|ours\.example/)
    assert.deepEqual(writes().length, 1)
  })

  test('does not overwrite a concurrent change', async () => {
    await apply(bank)
    const { body } = await api.call('GET /outbound-connectors')
    const { id, createdAt, updatedAt, version, validation, ...fields } = body.items[0]
    api.meanwhile.before = async (request) => {
      if (!request.startsWith('PUT')) return
      api.meanwhile.before = null
      const json = { ...fields, comment: 'mine' }
      await api.call(`PUT /outbound-connectors/${id}`, { json, headers: { 'if-match': '*' } })
    }
    const { status, err } = await apply(changed)
    assert.equal(status, 1)
    assert.match(err, /outbound connector "To the bank": another client changed it in the meantime/)
    assert.match(err, /Written before this error: 0 changes of 1\./)
    const now = await api.call(`GET /outbound-connectors/${id}`)
    assert.deepEqual([now.body.comment, now.body.tlsSettings], ['mine', 'DomainValidation'])
  })

  test('reports how many changes were written when the gateway refuses one', async () => {
    api.meanwhile.before = async (request) => {
      if (!request.startsWith('POST /outbound')) return
      api.meanwhile.before = null
      await api.call('POST /outbound-connectors', {
        json: { name: 'to the bank', connectorType: 'Partner', recipientDomains: ['other.example'] },
      })
    }
    const { status, err } = await apply(bank)
    assert.equal(status, 1)
    assert.match(err, /another client changed it/)
    assert.match(err, /name: is taken; letter case is ignored/)
    assert.match(err, /Written before this error: 2 changes of 3\./)
  })

  test('reads JSON from standard input with -f -', async () => {
    const around = { env: { MAILFLOW_API: api.url }, input: JSON.stringify(parse(bank)) }
    const { status, err } = await mailflow(['connectors', 'apply', '-f', '-'], around)
    assert.equal(status, 0, err)
    assert.equal((await apply(bank, '--dry-run')).status, 0)
  })

  test('names the remedy for a file in UTF-16, as Windows PowerShell writes it', async () => {
    const name = join(folder, 'utf-16.yaml')
    writeFileSync(name, `\ufeff${bank}`, 'utf16le')
    const { status, err } = await api.mailflow('connectors', 'apply', '-f', name)
    assert.equal(status, 1)
    assert.match(err, /utf-16\.yaml is not UTF-8 text\n {2}Before version 7\.4, ">" of PowerShell /)
  })

  test('sends no request when the file has faults', async () => {
    const { status, err } = await apply(bank.replace('Partner', 'Partners'))
    assert.deepEqual([status, api.requests], [1, []])
    assert.match(err, /connectors\.yaml:5: inbound connector "From the bank": connectorType: /)
  })

  test('prints its report as JSON with --json', async () => {
    await apply(bank)
    const { status, out } = await apply(changed, '--dry-run', '--json')
    const { applied, changes, warnings } = JSON.parse(out)
    assert.deepEqual([status, applied, warnings], [3, false, []])
    assert.deepEqual(changes.at(-1), {
      kind: 'Replace',
      of: 'outboundConnectors',
      name: 'To the bank',
      fields: [
        { field: 'tlsSettings', from: 'DomainValidation', to: 'EncryptionOnly' },
        { field: 'tlsDomain', from: 'mx.bank.example', to: null },
      ],
      effects: ['tlsSettings is weaker than before'],
      isWeaker: true,
    })
  })

  test('shows certificates by subject and fingerprint, and of a long list only the changed items', async () => {
    const { ca } = await createPki('Bank CA')
    const many = Array.from({ length: 30 }, (_, number) => `partner${number}.example`)
    const content = (domains: string[], authorities: string[]) =>
      JSON.stringify({
        inboundConnectors: [
          {
            name: 'Many',
            connectorType: 'Partner',
            senderDomains: domains,
            certificateAuthorities: authorities,
          },
        ],
      })
    await apply(content(many, []))
    const { out } = await apply(content([...many.slice(1), 'new.example'], [ca]))
    assert.match(out, /senderDomains:\n {8}- partner0\.example\n {8}\+ new\.example\n/)
    assert.match(out, /certificateAuthorities: none → certificate CN=Bank CA \(SHA-256 [0-9a-f]{16}…\)/)
    assert.match((await apply(content([...many.slice(1), 'new.example'], [ca]))).out, /No difference/)
  })
})

describe('the warnings of connectors apply', () => {
  const odd = `
acceptedDomains: [ours.example]
inboundConnectors:
  - { name: From A, connectorType: Partner, senderDomains: [a.example] }
  - { name: From the world, connectorType: Partner, senderDomains: ["*"], senderIpAddresses: [192.0.0.0/8] }
outboundConnectors:
  - { name: To B, connectorType: Partner, recipientDomains: [b.example], tlsSettings: EncryptionOnly }
  - { name: To ours, connectorType: Partner, recipientDomains: [ours.example], tlsSettings: CertificateValidation }
`

  test('are the warnings of the API about the applied connectors, except about overlaps that are intended', async () => {
    const dry = JSON.parse((await apply(odd, '--dry-run', '--json')).out).warnings
    const { warnings } = JSON.parse((await apply(odd, '--json')).out)
    assert.deepEqual(dry, warnings)
    const saved: ConfigurationWarning[] = []
    for (const direction of ['inbound', 'outbound'])
      for (const { id, createdAt, updatedAt, version, validation, ...json } of (
        await api.call(`GET /${direction}-connectors`)
      ).body.items) {
        const headers = { 'if-match': '*' }
        const { body } = await api.call(`PUT /${direction}-connectors/${id}`, { json, headers })
        for (const warning of body.warnings)
          saved.push({ of: `${direction} connector`, name: json.name, ...warning })
      }
    const sorted = (warnings: object[]) => warnings.map((warning) => JSON.stringify(warning)).sort()
    assert.notEqual(warnings.length, 0)
    const asMeant = saved.filter((warning) => !sorted(warnings).includes(JSON.stringify(warning)))
    assert.equal(asMeant.length, saved.length - warnings.length)
    assert.deepEqual(
      asMeant.filter(({ message }) => !/takes precedence over .* more specific than [^,]*$/.test(message)),
      [],
    )
  })

  test('are absent when the file contains both connectors of a pair, although they are written one after the other', async () => {
    const pair = bank.replace('[ours.example]', '[]')
    assert.equal((await apply(pair)).err, '')
    assert.equal((await apply(pair)).err, '')
  })

  const stranded = /^warning: accepted domain "ours\.example": no outbound connector routes its mail/m
  const mailboxes = `
  - name: Mailboxes
    connectorType: OnPremises
    allAcceptedDomains: true
    route: SmartHosts
    smartHosts: [{ host: mailbox.ours.example }]
    tlsSettings: EncryptionOnly
`

  test('name an accepted domain to which no outbound connector routes mail', async () => {
    assert.match((await apply(bank, '--dry-run')).err, stranded)
    assert.doesNotMatch((await apply(bank + mailboxes, '--dry-run')).err, stranded)
    assert.match((await apply(`${bank}${mailboxes}    enabled: false\n`, '--dry-run')).err, stranded)
  })

  test('name an accepted domain whose outbound connector is removed', async () => {
    await apply(bank + mailboxes)
    assert.match((await apply('outboundConnectors: []\n', '--prune', '--dry-run')).err, stranded)
  })

  test('name an outbound connector whose inbound counterpart is removed', async () => {
    await apply(bank)
    const { err } = await apply('inboundConnectors: []\n', '--prune', '--dry-run')
    assert.match(
      err,
      /^warning: outbound connector "To the bank": recipientDomains: the other direction, mail from bank\.example, is accepted/,
    )
  })

  test('are not repeated by the next run for unchanged connectors', async () => {
    const half = bank.replace(/inboundConnectors:.*?(?=outboundConnectors)/s, '')
    assert.notEqual((await apply(half)).err, '')
    assert.equal((await apply(half)).err, '')
  })
})

describe('connectors export', () => {
  test('writes a file that changes nothing when it is applied', async () => {
    await apply(bank)
    const { out } = await api.mailflow('connectors', 'export')
    assert.doesNotMatch(out, /\b(id|version|createdAt|updatedAt|validation|enabled):/)
    assert.match(out, /requireTls: true/, 'fields that decide security are written, default or not')
    const { status, out: diff } = await apply(out, '--prune', '--dry-run')
    assert.equal(status, 0)
    assert.match(diff, /No differences\.\n$/)
  })

  test('writes a valid file for a gateway without connectors and accepted domains', async () => {
    const { out } = await api.mailflow('connectors', 'export')
    assert.deepEqual(parse(out), { acceptedDomains: [], inboundConnectors: [], outboundConnectors: [] })
    assert.equal((await apply(out, '--prune', '--dry-run')).status, 0)
  })
})

test('after `apply` of an import from Exchange, neither the import nor an export has differences', async () => {
  const fixtures = ['inbound', 'outbound'].map((name) =>
    join(import.meta.dirname, `../../fixtures/exchange-${name}.json`),
  )
  const imported = await mailflow(['connectors', 'import-exchange', ...fixtures])
  const applied = await apply(imported.out)
  assert.equal(applied.status, 0, applied.err)
  assert.match(applied.out, /Applied: 21 new, 0 changed, 0 removed\.\n$/)
  const exported = await api.mailflow('connectors', 'export')
  for (const content of [
    exported.out,
    imported.out,
    (await mailflow(['connectors', 'import-exchange', ...fixtures])).out,
  ]) {
    const { status, out } = await apply(content, '--dry-run', '--prune')
    assert.equal(status, 0, out)
    assert.match(out, /No differences\.\n$/)
  }
})

describe('connectors list and get', () => {
  test('lists inbound and outbound connectors with their requirements', async () => {
    await apply(bank)
    const { out } = await api.mailflow('connectors', 'list')
    assert.deepEqual(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
      [
        ['Direction', 'Name', 'Type', 'State', 'Domains', 'Requires'],
        ['inbound', 'From the bank', 'Partner', 'enforced', 'bank.example', 'TLS'],
        [
          'outbound',
          'To the bank',
          'Partner',
          'enforced',
          'bank.example',
          'DomainValidation mx.bank.example',
        ],
      ],
    )
    const json = JSON.parse((await api.mailflow('connectors', 'list', '--json')).out)
    assert.deepEqual(
      [json.inboundConnectors[0].name, json.outboundConnectors[0].version],
      ['From the bank', 1],
    )
  })

  test('shows in the column Requires relay, deferral and TLS version', async () => {
    await apply(`
inboundConnectors:
  - { name: Mailboxes, connectorType: OnPremises, senderDomains: ['*'], requireTls: false,
      senderIpAddresses: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4] }
  - { name: Pinned, connectorType: OnPremises, senderDomains: ['*'], certificateFingerprints: [${'ab'.repeat(32)}],
      tlsSenderCertificateNames: [mail.ours.example] }
  - { name: Held, connectorType: Partner, senderDomains: [bank.example], onViolation: Defer }
outboundConnectors:
  - { name: Newer, connectorType: Partner, recipientDomains: [bank.example], tlsSettings: EncryptionOnly,
      minimumTlsVersion: TLSv1.3 }
  - { name: Proven, connectorType: Partner, recipientDomains: [bank.example], smtpDaneMode: Mandatory,
      mtaStsMode: Mandatory }
`)
    const { out } = await api.mailflow('connectors', 'list')
    const requirements = out
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(/ {2,}/).at(-1))
    assert.deepEqual(requirements, [
      'TLS, else deferred',
      'nothing; relays if identified by: 192.0.2.1, 192.0.2.2, 192.0.2.3 and 1 more',
      'TLS; relays if identified by: mail.ours.example, 1 pinned certificate',
      'EncryptionOnly, TLSv1.3',
      'DANE, MTA-STS',
    ])
    await assertFitsTerminal(['connectors', 'list'], { env: { MAILFLOW_API: api.url } }, [
      'Mailboxes',
      'Pinned',
      'Newer',
    ])
  })

  test('prints "No connectors found." for a gateway without connectors', async () => {
    assert.equal((await api.mailflow('connectors', 'list')).out, 'No connectors found.\n')
  })

  test('gets a connector by its name in any letter case, or by its id', async () => {
    await apply(bank)
    const byName = await api.mailflow('connectors', 'get', 'to THE bank')
    assert.deepEqual(parse(byName.out).outboundConnectors[0].tlsDomain, 'mx.bank.example')
    const id = /# id (\w{26}), version 1/.exec(byName.out)?.[1] ?? ''
    const byId = await api.mailflow('connectors', 'get', id, '--json')
    assert.deepEqual(JSON.parse(byId.out)[0].id, id)
  })

  test('gets a connector with its warnings', async () => {
    await apply(bank)
    await api.mailflow('connectors', 'set', 'To the bank', 'mode=ReportOnly', '--yes')
    const { out } = await api.mailflow('connectors', 'get', 'To the bank')
    assert.match(out, /\n {2}# warning: mode: \w/)
  })

  test('ends with an error that names an unknown connector', async () => {
    const { status, err } = await api.mailflow('connectors', 'get', 'Unknown')
    assert.equal(status, 1)
    assert.match(err, /^mailflow: no connector "Unknown"\n/)
  })

  test('lists all connectors when the API returns several pages', async () => {
    const { outbound } = new ConnectorRepository(api.database.documents, api.database.connectorsTable)
    for (let count = 0; count < 205; count++)
      await outbound.create(outboundInput({ name: `Partner ${count}` }), 'administrator')
    const { out } = await api.mailflow('connectors', 'list', '--json')
    assert.equal(JSON.parse(out).outboundConnectors.length, 205)
  })
})

describe('`connectors apply` while mail waits under a connector that it lowers', () => {
  const stricter = bank.replace(
    'tlsSettings: DomainValidation',
    'tlsSettings: DomainValidation\n    minimumTlsVersion: TLSv1.3',
  )
  const removed = bank.slice(0, bank.indexOf('outboundConnectors:')).concat('outboundConnectors: []\n')
  let serial = 0
  let id: string
  let address: string

  beforeEach(async () => {
    // An earlier test leaves more connectors than one `clear` removes.
    await api.clear()
    await apply(bank)
    const [connector] = (await api.call('GET /outbound-connectors')).body.items
    id = connector.id
    address = `b${serial}@bank.example`
    const trace = new Trace(api.database.documents, api.database.messagesTable)
    const store = new ContentAddressedStore(
      api.database.documents,
      api.database.messagesTable,
      'requirement',
      KeptRequirement,
    )
    const receivedAt = new Date(Date.now() - 3_600_000)
    const mail = message({
      id: `${encodeTime(receivedAt.getTime(), 10)}${String(serial++).padStart(16, '0')}`,
      receivedAt: receivedAt.toISOString(),
    })
    const requirement = keptRequirementOf(connector)
    assert.ok(requirement)
    const digest = await store.store(requirement, receivedAt, 90)
    const verdict: Verdict = {
      action: 'Defer',
      recipient: recipient({ address }),
      reason: 'OutboundTlsNotMet',
      explanation: '',
      connectors: { inbound: null, outbound: id },
      decidedBy: null,
      reportOnly: null,
      lowered: [],
      newRequirement: null,
      reply: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
      until: new Date(),
      expiresAt: new Date(),
      notifyDelay: false,
    }
    await trace.recordMessage(mail, circumstances.at, 90)
    await trace.recordVerdict(mail, verdict, circumstances, 4_000_000_000, digest)
    api.requests.length = 0
    api.evaluation.take()
  })

  const question = '1 message waits under outbound connector "To the bank", which is lowered (tlsSettings)'
  const requested = () =>
    api.evaluation.take().flatMap(({ job }) => job.recipients.map((each) => each.address))
  const onTerminal = (content: string, answer: string, questions: string[], ...options: string[]) =>
    mailflow(['connectors', 'apply', '-f', file(content), '--yes', ...options], {
      env: { MAILFLOW_API: api.url },
      async prompt(text) {
        questions.push(text)
        return answer
      },
    })

  test('without a terminal and without --waiting ends with one line, and writes nothing', async () => {
    const { status, err } = await apply(changed)
    assert.deepEqual(
      [status, err, writes()],
      [1, `mailflow: ${question}; give --waiting hold or return. Nothing was written\n`, []],
    )
  })

  test('shows the question in a dry run', async () => {
    const { status, out, err } = await apply(changed, '--dry-run')
    assert.deepEqual([status, err, writes()], [3, '', []])
    assert.ok(out.includes(`${question}; --waiting is then required.\n`), out)
    const json = JSON.parse((await apply(changed, '--dry-run', '--json')).out)
    assert.deepEqual(json.waiting, [{ name: 'To the bank', lowered: ['tlsSettings'], messages: 1 }])
  })

  test('asks on a terminal, and sends the answer', async () => {
    const questions: string[] = []
    const { status } = await onTerminal(changed, 'hold', questions)
    assert.deepEqual(
      [status, questions],
      [0, [`${question}.\nhold (it keeps its requirement) or return (it bounces now)? `]],
    )
    assert.deepEqual(writes(), [`PUT /outbound-connectors/${id}?waiting=hold`])
    assert.deepEqual(requested(), [])
  })

  test('writes nothing after another answer', async () => {
    const { status, err } = await onTerminal(changed, 'yes', [])
    assert.deepEqual(
      [status, err, writes()],
      [1, 'mailflow: "yes" is not hold or return. Nothing was written\n', []],
    )
  })

  test('with --waiting return requests this, and does not ask', async () => {
    const questions: string[] = []
    const { status, out } = await onTerminal(changed, '', questions, '--waiting', 'return')
    assert.deepEqual([status, questions, requested()], [0, [], [address]])
    assert.ok(
      out.includes('outbound connector "To the bank": requested a return for 1 recipient of 1 message.\n'),
      out,
    )
  })

  test('removes a connector with --prune only after a choice, and requests the return', async () => {
    const refused = await apply(removed, '--prune')
    assert.deepEqual([refused.status, writes()], [1, []])
    assert.match(refused.err, /"To the bank", which is removed; give --waiting/)
    const { status, out } = await apply(removed, '--prune', '--waiting', 'return')
    assert.deepEqual([status, requested()], [0, [address]])
    assert.match(out, /requested a return for 1 recipient of 1 message/)
  })

  test('continues with the cursor of the response until a response has none', async () => {
    const [connector] = (await api.call('GET /outbound-connectors')).body.items
    const requests: string[] = []
    const { url, stop } = await startAnsweringServer(({ method, url: target = '' }) => {
      const items = target.startsWith('/outbound') ? [connector] : target.startsWith('/messages') ? [{}] : []
      if (target === '/configuration')
        return { body: JSON.stringify({ version: 1, defaultRoute: 'Mx', deliversInVpc: true }) }
      if (method === 'GET') return { body: JSON.stringify({ items, nextCursor: null }) }
      requests.push(`${method} ${target}`)
      const nextCursor = requests.length < 3 ? `c${requests.length}` : null
      const waiting = { requested: 100, messages: 60, nextCursor }
      return { body: JSON.stringify(method === 'PUT' ? { waiting } : waiting) }
    })
    const outboundOnly = changed.slice(changed.indexOf('outboundConnectors:'))
    const { out } = await mailflow(
      ['connectors', 'apply', '-f', file(outboundOnly), '--waiting', 'return', '--yes'],
      { env: { MAILFLOW_API: url } },
    )
    stop()
    const path = `/outbound-connectors/${id}`
    assert.deepEqual(requests, [
      `PUT ${path}?waiting=return`,
      `POST ${path}/return?cursor=c1`,
      `POST ${path}/return?cursor=c2`,
    ])
    assert.match(out, /requested a return for 300 recipients of 180 messages/)
  })

  test('needs no choice when the change raises the requirement', async () => {
    assert.equal((await apply(stricter)).status, 0)
    assert.deepEqual(writes(), [`PUT /outbound-connectors/${id}`])
  })

  test('refuses another choice', async () => {
    for (const choice of ['keep', 'release']) {
      const { status, err } = await apply(changed, '--waiting', choice)
      const text = `mailflow: --waiting ${choice}: not a choice; the choices are hold, return\n`
      assert.deepEqual([status, err], [2, text])
    }
  })
})
