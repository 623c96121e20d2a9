/**
 * Whole attempts: policy host, mail servers, certificates and the table of a local DynamoDB are real; the test provides
 * DNS and the clock.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { TlsRequirement } from '../../../../shared/contract/jobs.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { MtaStsSource } from '../../../../shared/net/mta-sts/source.ts'
import type { SmtpRoute } from '../../../../shared/net/next-hops.ts'
import { deliverOverSmtp, type Outcome, type SessionRecord } from '../../../../shared/net/smtp-delivery.ts'
import { PolicyTable } from '../../../../shared/transport/policy-table.ts'
import { fakeResolver } from '../../../support/dns.ts'
import { startDynamoDb, type TestDynamoDb } from '../../../support/dynamodb.ts'
import { message, recipient } from '../../../support/fixtures.ts'
import { createPki, daysFromNow, type Identity, type Pki, selfSigned } from '../../../support/pki.ts'
import {
  type PolicyHost,
  plainText,
  policyText,
  type ResponseHandler,
  redirect,
  startPolicyHost,
  trust,
} from '../../../support/policy-host.ts'
import { smtpOptions } from '../../../support/smtp-options.ts'
import { type Partner, startPartner } from '../../../support/smtp-partner.ts'

const secret = 'The secret is 4711.'
const content = Buffer.from(`From: a@elsewhere.example\r\nSubject: hello\r\n\r\n${secret}\r\n`)
const week = 604_800
const [listed, other] = ['mx.partner.example', 'mx.elsewhere.example']

let pki: Pki
let database: TestDynamoDb
let policyHost: PolicyHost
let answer: ResponseHandler
let clock: Date
let domains = 0
let domain: string
let txt: string | null
let source: MtaStsSource
const partners: Partner[] = []

before(async () => {
  pki = await createPki()
  trust(pki.ca)
  database = await startDynamoDb()
})
after(() => database.stop())

beforeEach(async () => {
  domains += 1
  domain = `partner${domains}.example`
  policyHost = await startPolicyHost(await pki.issue({ names: [`mta-sts.${domain}`] }), (request, response) =>
    answer(request, response),
  )
  answer = plainText(policyText())
  clock = new Date()
  txt = 'v=STSv1; id=a1'
  source = worker()
})

/** Creates another worker, with an empty cache. */
const worker = () =>
  new MtaStsSource({
    store: new PolicyTable(database.documents, database.transportTable),
    resolver: { query: (name, type, signal) => resolver([]).query(name, type, signal) },
    privateNetworks: ['127.0.0.0/8'],
    now: () => clock,
    onFault: () => {},
  })

const addresses: Record<string, string> = { [listed]: '127.3.0.1', [other]: '127.3.0.2' }

const resolver = (exchanges: readonly string[]) =>
  fakeResolver({
    mx: exchanges.length > 0 ? { [domain]: exchanges.map((host, index) => [index, host]) } : {},
    a: {
      [`mta-sts.${domain}`]: [policyHost.address],
      ...Object.fromEntries(Object.entries(addresses).map(([host, address]) => [host, [address]])),
    },
    txt: txt === null ? {} : { [`_mta-sts.${domain}`]: [txt] },
  })

/** Starts a mail server behind port 25 of a host. */
async function serve(host: string, tls?: Identity): Promise<Partner> {
  const partner = await startPartner(tls ? { tls } : {})
  redirect(`${addresses[host]}:25`, partner.port)
  partners.push(partner)
  return partner
}

const goodFor = (host: string) => pki.issue({ names: [host] })

interface Attempted {
  outcome: Outcome
  sessions: SessionRecord[]
}

const attempt = (...exchanges: string[]) => attemptBy({ kind: 'Mx', domain }, exchanges)

async function attemptBy(
  route: SmtpRoute,
  exchanges: string[] = [],
  mtaStsMode: TlsRequirement['mtaStsMode'] = 'Opportunistic',
): Promise<Attempted> {
  const sessions: SessionRecord[] = []
  const outcomes = await deliverOverSmtp(
    route,
    {
      message: message(),
      recipients: [recipient({ address: `b@${domain}` })],
      content,
      tls: {
        level: 'Opportunistic',
        mode: 'Enforce',
        tlsDomain: null,
        certificateAuthorities: [],
        minimumTlsVersion: 'TLSv1.2',
        revocationCheck: 'SoftFail',
        smtpDaneMode: 'Opportunistic',
        mtaStsMode,
        clientCertificate: null,
      },
    },
    smtpOptions({
      resolver: resolver(exchanges),
      privateNetworks: ['127.0.0.0/8'],
      timeouts: { connect: 2_000, greeting: 2_000, command: 2_000, data: 2_000 },
      mtaSts: (of, signal) => source.policyFor(of, signal),
      recordSession: (session) => sessions.push(session),
    }),
  )
  const [outcome] = outcomes.values()
  assert.ok(outcome)
  return { outcome, sessions }
}

const demanded = ({ policy, policySource }: Outcome) => `${policy} by ${policySource}`

async function stopPartners(): Promise<void> {
  await Promise.all(partners.splice(0).map((partner) => partner.stop()))
  await policyHost.stop()
}

describe('an attempt under mtaStsMode Mandatory', () => {
  const attemptMandatory = () => attemptBy({ kind: 'Mx', domain }, [listed], 'Mandatory')
  const missing: [condition: string, prepare: () => void, result: string, text: RegExp][] = [
    [
      'announces no policy',
      () => {
        txt = null
      },
      'validation-failure',
      /publishes no MTA-STS policy$/,
    ],
    [
      'announces a policy that cannot be fetched',
      () => {
        answer = (_, response) => response.writeHead(404).end()
      },
      'sts-policy-fetch-error',
      /could not be fetched \(sts-policy-fetch-error\)$/,
    ],
    [
      'has a policy of mode testing',
      () => {
        answer = plainText(policyText({ mode: 'testing' }))
      },
      'validation-failure',
      /is in mode testing, not enforce$/,
    ],
  ]
  for (const [condition, prepare, result, text] of missing)
    it(`opens no connection when the domain ${condition}`, async (t) => {
      t.after(stopPartners)
      const partner = await serve(listed, await goodFor(listed))
      prepare()
      const { outcome } = await attemptMandatory()
      assert.deepEqual(
        [outcome.outcome, outcome.reply.enhanced, outcome.tlsResult],
        ['TlsNotMet', '4.4.8', result],
      )
      assert.match(outcome.reply.text, text)
      assert.equal(demanded(outcome), 'DomainValidation by Connector')
      assert.equal(partner.connections(), 0)
    })

  it('delivers over verified TLS once the domain has a policy of mode enforce', async (t) => {
    t.after(stopPartners)
    const partner = await serve(listed, await goodFor(listed))
    txt = null
    assert.equal((await attemptMandatory()).outcome.outcome, 'TlsNotMet')
    txt = 'v=STSv1; id=a1'
    const { outcome } = await attemptMandatory()
    assert.deepEqual([outcome.outcome, demanded(outcome)], ['Delivered', 'DomainValidation by MtaSts'])
    assert.ok(!partner.wire().includes(secret))
  })
})

describe('an attempt under an MTA-STS policy of mode enforce', () => {
  it('delivers over verified TLS to an MX host that the policy lists', async (t) => {
    t.after(stopPartners)
    const partner = await serve(listed, await goodFor(listed))
    const { outcome, sessions } = await attempt(listed)
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(demanded(outcome), 'DomainValidation by MtaSts')
    assert.equal(outcome.tls?.verified, true)
    assert.equal(outcome.tlsResult, 'success')
    assert.equal(partner.received[0]?.tls?.serverName, listed)
    assert.equal(sessions[0]?.mtaSts.kind, 'Policy')
    assert.ok(!partner.wire().includes(secret))
  })

  it('does not connect to an MX host that the policy does not list', async (t) => {
    t.after(stopPartners)
    const partner = await serve(other, await goodFor(other))
    const { outcome, sessions } = await attempt(other)
    assert.equal(outcome.outcome, 'TlsNotMet')
    assert.match(
      formatReply(outcome.reply),
      /^451 4\.4\.8 mx\.elsewhere\.example is not among the mail servers/,
    )
    assert.equal(outcome.tlsResult, 'validation-failure')
    assert.equal(partner.connections(), 0)
    assert.equal(sessions[0]?.result, 'validation-failure')
  })

  it('skips an unlisted MX host and delivers to a listed one', async (t) => {
    t.after(stopPartners)
    const unrelated = await serve(other, await goodFor(other))
    const partner = await serve(listed, await goodFor(listed))
    const { outcome } = await attempt(other, listed)
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(outcome.host, listed)
    assert.deepEqual([unrelated.connections(), partner.received.length], [0, 1])
  })

  const badCertificates: [condition: string, identity: () => Promise<Identity>, result: string][] = [
    ['is self-signed', () => selfSigned({ names: [listed] }), 'certificate-not-trusted'],
    [
      'is of an untrusted CA',
      async () => (await createPki('Other CA')).issue({ names: [listed] }),
      'certificate-not-trusted',
    ],
    [
      'has expired',
      () => pki.issue({ names: [listed], notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }),
      'certificate-expired',
    ],
    ['is for another host', () => goodFor(other), 'certificate-host-mismatch'],
    [
      'has the name of the host only as common name',
      () => pki.issue({ names: [], commonName: listed }),
      'certificate-host-mismatch',
    ],
  ]
  for (const [condition, identity, result] of badCertificates)
    it(`sends no message to an MX host whose certificate ${condition}`, async (t) => {
      t.after(stopPartners)
      const partner = await serve(listed, await identity())
      const { outcome } = await attempt(listed)
      assert.equal(outcome.outcome, 'TlsNotMet')
      assert.match(formatReply(outcome.reply), /^451 4\.7\.5 MTA-STS: /)
      assert.equal(outcome.tlsResult, result)
      assert.ok(!partner.commands.some((command) => command.startsWith('MAIL')))
    })

  it('sends no message to an MX host without TLS', async (t) => {
    t.after(stopPartners)
    const partner = await serve(listed)
    const { outcome } = await attempt(listed)
    assert.equal(outcome.outcome, 'TlsNotMet')
    assert.match(formatReply(outcome.reply), /^451 4\.7\.321 /)
    assert.ok(!partner.commands.some((command) => command.startsWith('MAIL')))
  })

  it('delivers to an MX host that a wildcard of the policy matches with one label', async (t) => {
    t.after(stopPartners)
    answer = plainText(policyText({ mx: ['*.elsewhere.example'] }))
    await serve(other, await goodFor(other))
    assert.equal((await attempt(other)).outcome.outcome, 'Delivered')
  })
})

describe('an attempt under an MTA-STS policy', () => {
  it('of mode testing delivers to an unlisted MX host, and records the fault', async (t) => {
    t.after(stopPartners)
    answer = plainText(policyText({ mode: 'testing' }))
    const partner = await serve(other, await selfSigned({ names: [other] }))
    const { outcome, sessions } = await attempt(other)
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(demanded(outcome), 'Opportunistic by Opportunistic')
    assert.equal(outcome.reportOnly?.enhanced, '4.4.8')
    assert.equal(sessions[0]?.result, 'validation-failure')
    assert.equal(partner.received.length, 1)
  })

  it('of mode testing delivers to an MX host with a self-signed certificate, and records the fault', async (t) => {
    t.after(stopPartners)
    answer = plainText(policyText({ mode: 'testing' }))
    await serve(listed, await selfSigned({ names: [listed] }))
    const { outcome } = await attempt(listed)
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(outcome.reportOnly?.enhanced, '4.7.5')
    assert.equal(outcome.tlsResult, 'certificate-not-trusted')
  })

  it('of mode none delivers in the clear and records no fault, as without a policy', async (t) => {
    t.after(stopPartners)
    answer = plainText(policyText({ mode: 'none', mx: [] }))
    await serve(other)
    const { outcome } = await attempt(other)
    assert.equal(outcome.outcome, 'Delivered')
    assert.deepEqual([outcome.tls, outcome.reportOnly], [null, null])
  })
})

describe('an attempt to a smart host', () => {
  it("does not fetch the MTA-STS policy of the recipient's domain", async (t) => {
    t.after(stopPartners)
    const partner = await serve(other)
    redirect(`${addresses[other]}:${partner.port}`, partner.port)
    const { outcome } = await attemptBy({ kind: 'SmartHosts', hosts: [{ host: other, port: partner.port }] })
    assert.equal(outcome.outcome, 'Delivered')
    assert.equal(policyHost.connections(), 0)
  })
})

describe('a stored MTA-STS policy that an attacker suppresses', () => {
  /** How an attacker who controls DNS suppresses the policy, which does not list the attacker's host. */
  const suppressions: [condition: string, arrange: () => Promise<void>][] = [
    [
      'its record is missing',
      async () => {
        txt = null
      },
    ],
    [
      'its record has another id and its policy host is unreachable',
      async () => {
        txt = 'v=STSv1; id=b2'
        await policyHost.stop()
      },
    ],
  ]
  for (const [condition, arrange] of suppressions)
    it(`still prevents connections to unlisted hosts when ${condition}`, async (t) => {
      t.after(stopPartners)
      await serve(listed, await goodFor(listed))
      assert.equal((await attempt(listed)).outcome.outcome, 'Delivered')
      await arrange()
      source = worker()
      const unrelated = await serve(other, await goodFor(other))
      const { outcome } = await attempt(other)
      assert.equal(outcome.reply.enhanced, '4.4.8')
      assert.equal(unrelated.connections(), 0)
    })

  it('no longer applies when it has expired, and the fault is recorded', async (t) => {
    t.after(stopPartners)
    await serve(listed, await goodFor(listed))
    await attempt(listed)
    await policyHost.stop()
    clock = new Date(clock.getTime() + week * 1000)
    source = worker()
    await serve(other)
    const { outcome, sessions } = await attempt(other)
    assert.equal(outcome.outcome, 'Delivered')
    const mtaSts = sessions[0]?.mtaSts
    assert.equal(mtaSts?.kind === 'None' && mtaSts.fault?.result, 'sts-policy-fetch-error')
  })
})

describe('a changed MTA-STS policy', () => {
  it('applies to the attempt that first finds its new id', async (t) => {
    t.after(stopPartners)
    await serve(listed, await goodFor(listed))
    await attempt(listed)
    const moved = await serve(other, await goodFor(other))
    assert.equal((await attempt(other)).outcome.reply.enhanced, '4.4.8')
    txt = 'v=STSv1; id=b2'
    answer = plainText(policyText({ mx: [other] }))
    clock = new Date(clock.getTime() + 1_000)
    assert.equal((await attempt(other)).outcome.outcome, 'Delivered')
    assert.equal(moved.received.length, 1)
    assert.equal((await attempt(listed)).outcome.reply.enhanced, '4.4.8')
  })
})
