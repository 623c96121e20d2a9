/** Tests the commands that change one connector, and that a plan is written only at the version it was made from. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { encodeTime } from 'ulid'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { type HttpApi, mailflow, startApi } from '../../support/cli/mailflow.ts'
import { inboundInput } from '../../support/connectors.ts'
import { circumstances, message, recipient } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

let api: HttpApi
const folder = mkdtempSync(join(tmpdir(), 'mailflow-edit-'))
const fingerprint = (digit: string) => digit.repeat(64)

const bank = {
  connectorType: 'Partner',
  senderDomains: ['bank.example'],
  tlsSenderCertificateNames: ['mx.bank.example'],
  certificateFingerprints: [fingerprint('a')],
  restrictDomainsToCertificate: true,
}
const toBank = {
  connectorType: 'Partner',
  recipientDomains: ['bank.example'],
  tlsSettings: 'DomainValidation',
  tlsDomain: 'mx.bank.example',
}

before(async () => {
  api = await startApi()
})
after(async () => {
  await api.stop()
  rmSync(folder, { recursive: true })
})
/** Whether no test has changed the connectors since they were created. */
let isUnchanged = false
beforeEach(async () => {
  isUnchanged &&= writes().length === 0
  api.requests.length = 0
  if (isUnchanged) return
  await api.clear()
  await api.call('POST /inbound-connectors', { json: { name: 'From the bank', ...bank } })
  await api.call('POST /outbound-connectors', { json: { name: 'To the bank', ...toBank } })
  await api.call('POST /inbound-connectors', {
    json: { name: 'Pair', ...bank, senderDomains: ['pair.example'] },
  })
  await api.call('POST /outbound-connectors', {
    json: { name: 'pair', ...toBank, recipientDomains: ['pair.example'] },
  })
  api.requests.length = 0
  isUnchanged = true
})

const writes = () => api.requests.filter((request) => !request.startsWith('GET'))
type Found = Record<string, unknown>
async function connectorOf(path: string, name: string): Promise<Found | undefined> {
  const { body } = await api.call(`GET ${path}`)
  return body.items.find((item: Found) => item.name === name)
}
const inbound = (name = 'From the bank') => connectorOf('/inbound-connectors', name)
const outbound = (name = 'To the bank') => connectorOf('/outbound-connectors', name)
const connectors = (...args: string[]) => api.mailflow('connectors', ...args)
const onTerminal = (answer: string, ...args: string[]) => {
  const questions: string[] = []
  const result = mailflow(['connectors', ...args], {
    env: { MAILFLOW_API: api.url },
    async prompt(question) {
      questions.push(question)
      return answer
    },
  })
  return result.then((ended) => ({ ...ended, questions }))
}

const pem = (await createPki('Bank CA')).ca
const otherPem = (await createPki('Other CA')).ca

describe('connectors set', () => {
  const pemFile = join(folder, 'ca.pem')
  writeFileSync(pemFile, `# comment\n${pem}\n${otherPem}`)

  const rows: { name: string; args: string[]; path?: string; fields: object }[] = [
    { name: 'a text', args: ['comment=Renewed, in 2026'], fields: { comment: 'Renewed, in 2026' } },
    { name: 'an empty text', args: ['comment='], fields: { comment: '' } },
    { name: 'a text that is JSON', args: ['comment=25'], fields: { comment: '25' } },
    { name: 'a value with =', args: ['comment=a=b'], fields: { comment: 'a=b' } },
    {
      name: 'a field in the letter case of Exchange',
      args: ['MessageRateLimit=7'],
      fields: { messageRateLimit: 7 },
    },
    {
      name: 'null for a list',
      args: ['restrictDomainsToCertificate=false', 'certificateFingerprints=null'],
      fields: { restrictDomainsToCertificate: false, certificateFingerprints: [] },
    },
    { name: 'a number', args: ['messageRateLimit=100'], fields: { messageRateLimit: 100 } },
    { name: 'null', args: ['messageRateLimit=null'], fields: { messageRateLimit: null } },
    { name: 'a choice', args: ['minimumTlsVersion=TLSv1.3'], fields: { minimumTlsVersion: 'TLSv1.3' } },
    {
      name: 'a list',
      args: ['senderDomains=bank.example, Branch.example'],
      fields: { senderDomains: ['bank.example', 'branch.example'] },
    },
    { name: 'a JSON list', args: ['senderDomains=["a.example"]'], fields: { senderDomains: ['a.example'] } },
    {
      name: 'an added entry',
      args: [`certificateFingerprints+=${fingerprint('B').replace(/..(?!$)/g, '$&:')}`],
      fields: { certificateFingerprints: [fingerprint('a'), fingerprint('b')] },
    },
    {
      name: 'an entry that is there already',
      args: [`certificateFingerprints+=${fingerprint('A')}`, 'comment=x'],
      fields: { certificateFingerprints: [fingerprint('a')], comment: 'x' },
    },
    {
      name: 'an entry that replaces another',
      args: [`certificateFingerprints+=${fingerprint('b')}`, `certificateFingerprints-=${fingerprint('A')}`],
      fields: { certificateFingerprints: [fingerprint('b')] },
    },
    {
      name: 'two fields that are valid only together',
      args: ['restrictDomainsToCertificate=false', 'tlsSenderCertificateNames=', 'certificateFingerprints='],
      fields: {
        restrictDomainsToCertificate: false,
        tlsSenderCertificateNames: [],
        certificateFingerprints: [],
      },
    },
    {
      name: 'certificates of a file',
      args: [`certificateAuthorities=@${pemFile}`],
      fields: { certificateAuthorities: [`${pem}\n`, `${otherPem}\n`] },
    },
    {
      name: 'smart hosts',
      path: '/outbound-connectors',
      args: ['route=SmartHosts', 'smartHosts=mail.bank.example:2525,192.0.2.1,[2001:db8::1]:26,2001:db8::2'],
      fields: {
        route: 'SmartHosts',
        smartHosts: [
          { host: 'mail.bank.example', port: 2525 },
          { host: '192.0.2.1', port: 25 },
          { host: '2001:db8::1', port: 26 },
          { host: '2001:db8::2', port: 25 },
        ],
      },
    },
  ]
  for (const { name, args, path = '/inbound-connectors', fields } of rows)
    test(`sets ${name}, and no other field`, async () => {
      const connector = path.startsWith('/in') ? 'From the bank' : 'To the bank'
      const earlier = await connectorOf(path, connector)
      const { status, err } = await connectors('set', connector.toUpperCase(), ...args, '--yes')
      assert.equal(status, 0, err)
      const { version, updatedAt, warnings, ...rest } = { ...earlier, ...fields } as Found
      const now = await connectorOf(path, connector)
      assert.deepEqual({ ...now, ...rest }, now)
      assert.deepEqual(Object.keys(now ?? {}).toSorted(), Object.keys(earlier ?? {}).toSorted())
    })

  const refusals: { args: string[]; status: number; err: RegExp }[] = [
    { args: ['From the bank'], status: 2, err: /connectors set requires FIELD=VALUE/ },
    {
      args: ['mode=Enforce'],
      status: 2,
      err: /connectors set requires a NAME before FIELD=VALUE, or --all/,
    },
    { args: ['From the bank', 'mode'], status: 2, err: /"mode" is not FIELD=VALUE/ },
    { args: ['From the bank', 'comment=a', 'Comment=b'], status: 2, err: /Comment is given twice/ },
    {
      args: ['From the bank', 'tls=1'],
      status: 2,
      err: /"tls" is not a field of an inbound connector; the fields are name, /,
    },
    {
      args: ['From the bank', 'tlsSettings=null'],
      status: 2,
      err: /"tlsSettings" is not a field of an inbound/,
    },
    { args: ['From the bank', 'constructor=1'], status: 2, err: /"constructor" is not a field/ },
    { args: ['From the bank', 'id=1'], status: 2, err: /"id" is not a field/ },
    { args: ['From the bank', 'mode+=Enforce'], status: 2, err: /mode\+=: mode is not a list/ },
    {
      args: ['From the bank', 'senderDomains-=other.example'],
      status: 2,
      err: /senderDomains-=other\.example: senderDomains of "From the bank" does not have this value/,
    },
    {
      args: ['From the bank', 'mode=Report', 'senderDomains=a b'],
      status: 1,
      err: /would not be valid\. Nothing was written\n {2}mode: must be .*\n {2}senderDomains\[0\]: /,
    },
    { args: ['From the bank', 'certificateAuthorities=@/none'], status: 1, err: /cannot read \/none: / },
    { args: ['Unknown', 'mode=Enforce'], status: 1, err: /no connector "Unknown"/ },
    {
      args: ['To the bank', 'mode=Enforce', '--direction', 'inbound'],
      status: 1,
      err: /no inbound connector "To the bank"/,
    },
    {
      args: ['To the bank', 'mode=Enforce', '--direction', 'in'],
      status: 2,
      err: /--direction in: not a direction/,
    },
    {
      args: ['PAIR', 'mode=ReportOnly'],
      status: 1,
      err: /an inbound and an outbound connector have the name "PAIR"; give --direction Inbound, Outbound or Both/,
    },
    {
      args: ['Pair', 'tlsDomain=null', '--direction', 'Both'],
      status: 2,
      err: /"tlsDomain" is not a field of an inbound connector/,
    },
    { args: ['To the bank', 'name=PAIR'], status: 1, err: /Another connector has this name/ },
  ]
  for (const { args, status, err } of refusals)
    test(`refuses ${args.join(' ') || 'nothing'}, and writes nothing`, async () => {
      const written = await outbound()
      const result = await connectors('set', ...args, '--yes')
      assert.equal(result.status, status, result.err)
      assert.match(result.err, err)
      assert.deepEqual((await outbound())?.version, written?.version)
    })

  test('with --direction Both changes the connectors of both directions', async () => {
    assert.equal(
      (await connectors('set', 'pair', 'mode=ReportOnly', '--direction', 'Both', '--yes')).status,
      0,
    )
    assert.deepEqual(
      [(await inbound('Pair'))?.mode, (await outbound('pair'))?.mode],
      ['ReportOnly', 'ReportOnly'],
    )
  })

  test('names the direction in the question when both connectors have the name', async () => {
    const { questions } = await onTerminal('no', 'delete', 'Pair', '--direction', 'Both')
    assert.deepEqual(questions, [
      'Remove 2 entries (inbound connector Pair, outbound connector pair)? Type yes: ',
    ])
  })

  test('writes a warning that several connectors share once', async () => {
    const { err } = await connectors('set', '--all', 'mode=ReportOnly', '--dry-run', '--direction', 'Inbound')
    const line =
      'warning: inbound connectors "From the bank", "Pair": mode: no requirement is enforced: violations are only recorded'
    assert.deepEqual(
      err.split('\n').filter((text) => text.includes('mode:')),
      [line],
    )
    assert.ok(err.endsWith(`${line}\n`), 'expected warnings are last')
  })

  test('with --all changes every connector, and shows each', async () => {
    const { status, out } = await connectors('set', '--all', 'mode=ReportOnly', '--yes')
    assert.equal(status, 0)
    assert.equal(out.match(/mode: Enforce → ReportOnly/g)?.length, 4)
    assert.match(out, /Applied: 0 new, 4 changed \(4 with weaker requirements\), 0 removed\.\n$/)
    const again = await connectors('set', '--all', 'mode=ReportOnly', '--yes')
    assert.deepEqual([again.status, writes().length], [0, 4])
    assert.match(again.out, /No differences\.\n$/)
  })

  test('takes the id of a connector', async () => {
    const { id } = (await outbound()) ?? {}
    assert.equal((await connectors('set', String(id), 'comment=by id', '--yes')).status, 0)
    assert.equal((await outbound())?.comment, 'by id')
  })

  test('shows the difference and asks on a terminal, and writes nothing without a yes', async () => {
    const declined = await onTerminal(
      'n',
      'set',
      'To the bank',
      'tlsSettings=EncryptionOnly',
      'tlsDomain=null',
    )
    assert.deepEqual(
      [declined.status, declined.questions, writes()],
      [1, ['Weaken the requirements of 1 entry (To the bank)? Type yes: '], []],
    )
    assert.match(
      declined.out,
      /~ To the bank: changed\n {6}tlsSettings: DomainValidation → EncryptionOnly\n {6}tlsDomain: mx\.bank\.example → null\n {6}tlsSettings is weaker than before\n/,
    )
    const accepted = await onTerminal(
      'yes',
      'set',
      'To the bank',
      'tlsSettings=EncryptionOnly',
      'tlsDomain=null',
    )
    assert.deepEqual([accepted.status, writes().length], [0, 1])
  })

  test('needs --yes without a terminal', async () => {
    const { status, err } = await connectors('set', 'To the bank', 'comment=x')
    assert.equal(status, 1)
    assert.match(
      err,
      /Change 1 connector \(To the bank\)\? Without a terminal, give --yes\. Nothing was written/,
    )
    assert.deepEqual(writes(), [])
  })

  test('with --dry-run writes nothing, and exits with 3', async () => {
    const { status, out } = await connectors('set', 'To the bank', 'comment=x', '--dry-run')
    assert.deepEqual([status, writes()], [3, []])
    assert.match(out, /comment: "" → x\n/)
  })

  test('with --dry-run writes the warnings of the change, which are those of the API and of the change itself', async () => {
    const args = ['set', 'From the bank', 'senderIpAddresses=0.0.0.0/0', '--direction', 'Inbound']
    const { id, createdAt, updatedAt, version, warnings, ...fields } = (await inbound()) ?? assert.fail()
    api.requests.length = 0
    const dry = await connectors(...args, '--dry-run')
    assert.deepEqual([dry.status, writes()], [3, []])
    assert.match(
      dry.err,
      /^warning: inbound connector "From the bank": senderIpAddresses\[0\]: 0\.0\.0\.0\/0 is wide/m,
    )
    const { body: checked } = await api.call('POST /inbound-connectors/check', {
      json: { ...fields, senderIpAddresses: ['0.0.0.0/0'], id },
    })
    assert.deepEqual(
      dry.err.trim().split('\n'),
      checked.warnings.map(
        ({ path, message }: Found) => `warning: inbound connector "From the bank": ${path}: ${message}`,
      ),
    )
    assert.equal((await connectors(...args, '--yes')).err, dry.err)
  })
})

describe('connectors enable and disable', () => {
  test('say what happens to mail', async () => {
    const disabled = await connectors('disable', 'From the bank', '--yes')
    assert.match(
      disabled.out,
      /enabled: true → false\n {6}It no longer requires TLS and a listed certificate of mail from bank\.example; another\s+connector may\.\n/,
    )
    assert.equal((await inbound())?.enabled, false)
    const enabled = await connectors('enable', 'From the bank', '--yes')
    assert.match(
      enabled.out,
      /enabled: false → true\n {6}Mail from bank\.example without TLS or without a listed certificate is refused\.\n/,
    )
    assert.equal((await inbound())?.enabled, true)
    const outward = await connectors('disable', 'To the bank', '--yes')
    assert.match(outward.out, /is no longer sent through this connector \(Mx\)\. It no longer forces TLS/)
    const again = await connectors('disable', 'To the bank', '--yes')
    assert.match(again.out, /No differences\.\n$/)
    const reporting = await connectors('set', 'To the bank', 'enabled=true', 'mode=ReportOnly', '--yes')
    assert.match(
      reporting.out,
      /Mail to bank\.example is sent through this connector \(Mx\)\. What it requires/,
    )
    await connectors('set', 'To the bank', 'enabled=false', 'mode=Enforce', '--yes')
    const back = await connectors('enable', 'To the bank', '--yes')
    assert.match(
      back.out,
      /Where a server does not meet DomainValidation\s+for mx\.bank\.example, the mail is deferred\./,
    )
  })
})

describe('the effect of a mode', () => {
  const rows: { name: string; args: string[]; effect: RegExp }[] = [
    {
      name: 'of an inbound Partner connector',
      args: ['From the bank'],
      effect:
        /It no longer requires TLS and a listed certificate of mail from bank\.example; another connector may;\s+violations are only recorded\./,
    },
    {
      name: 'of an outbound connector',
      args: ['To the bank'],
      effect:
        /It no longer forces TLS \(DomainValidation for mx\.bank\.example\): what it requires is only recorded\./,
    },
  ]
  for (const { name, args, effect } of rows)
    test(`${name} is shown`, async () => {
      const { out } = await connectors('set', ...args, 'mode=ReportOnly', '--yes')
      assert.match(out, effect)
      const back = await connectors('set', ...args, 'mode=Enforce', '--yes')
      assert.match(back.out, /ReportOnly → Enforce\n {6}Mail (from|to) bank\.example .*(refused|deferred)\./s)
    })
})

for (const field of ['smtpDaneMode', 'mtaStsMode'])
  test(`a change of ${field} from Mandatory to Opportunistic is shown as weaker, and a removal as TLS that is no longer forced`, async () => {
    const set = (...args: string[]) => connectors('set', 'To the bank', ...args, '--yes')
    await set(`${field}=Mandatory`, 'tlsSettings=null', 'tlsDomain=null')
    const { out } = await set('mode=ReportOnly')
    assert.match(
      out,
      new RegExp(`It no longer forces TLS \\(${field} Mandatory\\): what it requires is only recorded`),
    )
    const back = await set('mode=Enforce')
    assert.match(
      back.out.replace(/\s+/g, ' '),
      new RegExp(`Where a server does not meet ${field} Mandatory, the mail is deferred`),
    )
    const weaker = await set(`${field}=Opportunistic`)
    assert.match(weaker.out, new RegExp(`${field} is weaker than before`))
  })

test('a change of an inbound connector says how many messages it holds, and no other waiting mail', async () => {
  const { id } = (await inbound()) ?? {}
  const trace = new Trace(api.database.documents, api.database.messagesTable)
  const receivedAt = new Date(Date.now() - 3_600_000)
  for (const [index, reason] of (
    ['InboundTlsRequired', 'InboundDmarcRequired', 'RetryLater'] as const
  ).entries()) {
    const held = message({
      id: `${encodeTime(receivedAt.getTime(), 10)}${String(index).padStart(16, '0')}`,
      receivedAt: receivedAt.toISOString(),
    })
    await trace.recordMessage(held, circumstances.at, 90)
    await trace.recordVerdict(held, deferral(reason, String(id)), circumstances, 4_000_000_000, null)
  }
  const { out } = await connectors('set', 'From the bank', 'mode=ReportOnly', '--dry-run')
  assert.match(
    out,
    /\nInbound connector "From the bank" holds 2 messages \(\w{26}, \w{26}\), decided again at the next retry\.\n {2}They are then delivered, .*\n {2}npx mailflow messages return \w{26}\n/,
  )
})

function deferral(reason: Verdict['reason'], inboundId: string): Verdict {
  return {
    action: 'Defer',
    recipient: recipient({ address: 'ann@ours.example' }),
    reason,
    explanation: '',
    connectors: { inbound: inboundId, outbound: null },
    decidedBy: null,
    reportOnly: null,
    lowered: [],
    newRequirement: null,
    reply: { code: 451, enhanced: '4.7.0', text: 'later' },
    until: new Date(),
    expiresAt: new Date(),
    notifyDelay: false,
  }
}

test('a stored connector that is an open relay is readable, can be disabled, and cannot be enabled again', async () => {
  isUnchanged = false
  const repository = new ConnectorRepository(api.database.documents, api.database.connectorsTable)
  const input = inboundInput({
    name: 'Open relay',
    connectorType: 'OnPremises',
    senderIpAddresses: ['0.0.0.0/0'],
    enabled: false,
  })
  await repository.inbound.create({ ...input, enabled: true }, 'administrator')
  assert.equal((await connectors('list')).status, 0)
  const changed = await connectors('set', 'Open relay', 'comment=x', '--yes')
  assert.deepEqual([changed.status, writes()], [1, []])
  assert.match(changed.err, /senderIpAddresses: the ranges together are wider than an IPv4 \/8/)
  assert.equal((await connectors('disable', 'Open relay', '--yes')).status, 0)
  assert.equal((await connectors('enable', 'Open relay', '--yes')).status, 1)
})

describe('connectors delete', () => {
  test('shows the effect, asks, and deletes', async () => {
    const { status, out, questions } = await onTerminal('yes', 'delete', 'From the bank')
    assert.deepEqual([status, questions], [0, ['Remove 1 entry (From the bank)? Type yes: ']])
    assert.match(out, /- From the bank: removed\n {6}It no longer requires TLS and a listed certificate/)
    assert.equal(await inbound(), undefined)
  })

  test('deletes one direction of two connectors with the same name only when it is told which', async () => {
    assert.equal((await connectors('delete', 'Pair', '--yes')).status, 1)
    assert.equal((await connectors('delete', 'Pair', '--yes', '--direction', 'Outbound')).status, 0)
    assert.deepEqual([await outbound('pair'), (await inbound('Pair'))?.name], [undefined, 'Pair'])
  })
})

describe('a plan', () => {
  const file = join(folder, 'connectors.yaml')
  writeFileSync(
    file,
    'inboundConnectors:\n  - name: From the bank\n    connectorType: Partner\n    senderDomains: [bank.example]\n',
  )
  const version = async () => String((await api.call('GET /configuration')).body.version)
  const otherChange = async () => {
    isUnchanged = false
    const { id } = (await outbound()) ?? {}
    const headers = { 'if-match': '*' }
    await api.call(`PATCH /outbound-connectors/${id}`, { json: { comment: 'other' }, headers })
  }
  const commands = [
    { name: 'connectors apply', args: ['apply', '-f', file] },
    { name: 'connectors set', args: ['set', 'From the bank', 'mode=ReportOnly'] },
    { name: 'connectors disable', args: ['disable', 'From the bank'] },
    { name: 'connectors delete', args: ['delete', 'From the bank'] },
  ]
  for (const { name, args } of commands) {
    test(`of ${name} --dry-run is written at the version that it prints`, async () => {
      const { out } = await connectors(...args, '--dry-run')
      assert.ok(out.includes(`--if-version ${await version()},`), out)
      const { status, err } = await connectors(...args, '--yes', '--if-version', await version())
      assert.equal(status, 0, err)
      assert.equal(writes().length, 1)
    })

    test(`of ${name} is refused after another change, with the new differences`, async () => {
      const planned = await version()
      await otherChange()
      const { status, out, err } = await connectors(...args, '--yes', '--if-version', planned)
      assert.deepEqual([status, writes()], [1, []])
      assert.match(out, / [~-] From the bank: /)
      assert.ok(
        err.startsWith(`mailflow: the configuration changed: it has version ${await version()}, and `),
        err,
      )
    })

    test(`of ${name} is refused when another change comes between the differences and the first write`, async () => {
      let readings = 0
      api.meanwhile.before = async (request) => {
        // The first two readings surround the plan, and the third precedes the first write.
        if (request !== 'GET /configuration' || ++readings !== 3) return
        await otherChange()
      }
      const { status, out, err } = await connectors(...args, '--yes')
      api.meanwhile.before = null
      assert.deepEqual([status, writes()], [1, []])
      assert.equal(out.match(/ [~-] From the bank: /g)?.length, 2, 'the differences are shown again')
      assert.match(err, /the configuration changed: .*Nothing was written\n/)
    })
  }

  test('is made again when another change comes while the configuration is read', async () => {
    let isChanged = false
    api.meanwhile.before = async (request) => {
      if (isChanged || !request.startsWith('GET /outbound-connectors')) return
      isChanged = true
      await otherChange()
    }
    const { status } = await connectors('set', '--all', 'mode=ReportOnly', '--yes')
    api.meanwhile.before = null
    assert.equal(status, 0)
    assert.deepEqual([(await outbound())?.comment, (await outbound())?.mode], ['other', 'ReportOnly'])
  })

  test('with a version that is no number is refused', async () => {
    const { status, err } = await connectors('delete', 'From the bank', '--if-version', 'latest')
    assert.equal(status, 2)
    assert.match(err, /--if-version latest: not a version/)
  })
})
