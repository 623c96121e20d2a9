/**
 * Tests the expiry watch end to end. A delivery observes a certificate that expires soon; the API shows it, and one
 * notice is sent. A certificate of another authority causes an event.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { mailflow } from '../support/cli/mailflow.ts'
import { Api, messageIdIn, type RunnerProcess, sendMessage, waitForResult } from '../support/local/runner.ts'
import { shareRunner } from '../support/local/shared-runner.ts'
import { createPki, daysFromNow, fingerprintOf, type Identity, type Pki } from '../support/pki.ts'
import { type Partner, startPartner } from '../support/smtp-partner.ts'

let first: Pki
let second: Pki
let old: Identity
let renewed: Identity
const servers: Partner[] = []
const shared = shareRunner()
let runner: RunnerProcess
let api: Api
let connector: string

const names = ['mailbox.hosted.example']

before(
  async () => {
    first = await createPki('First Authority')
    second = await createPki('Second Authority')
    old = await first.issue({ names, notBefore: daysFromNow(-300), notAfter: daysFromNow(10.5) })
    renewed = await second.issue({ names, notAfter: daysFromNow(300) })
    for (const tls of [old, renewed]) servers.push(await startPartner({ tls }))
    runner = await shared.enter()
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/hosted.example', {})
    connector = await api.create('outbound', {
      name: 'To the hoster',
      connectorType: 'Partner',
      recipientDomains: ['hosted.example'],
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: servers[0]?.port }],
      tlsSettings: 'CertificateValidation',
      certificateAuthorities: [first.ca, second.ca],
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  for (const server of servers) await server.stop()
  await shared.leave()
})

async function deliverOne(): Promise<void> {
  const content = 'From: <a@elsewhere.example>\r\nSubject: x\r\n\r\nbody\r\n'
  const reply = await sendMessage(runner.endpoints, 'a@elsewhere.example', 'ann@hosted.example', content)
  await api.settled(messageIdIn(reply), ['Delivered'])
}

interface ObservedHost {
  host: string
  certificates: {
    fingerprint256: string
    issuer: string
    use: string
    daysLeft: number
    verifiedBy: string
  }[]
  changes: { what: string[] }[]
}

const observed = (query = '') =>
  api.call<{ items: ObservedHost[] }>('GET', `/certificates/observed?connector=${connector}${query}`)

/** Observations are written at the end of the delivery's batch, after the trace. */
const untilObserved = (identity: Identity) =>
  waitForResult(async () => {
    const [observedHost] = (await observed()).items
    return observedHost?.certificates[0]?.fingerprint256 === fingerprintOf(identity) ? observedHost : null
  })

async function runExpiryWatch(): Promise<{ published: number; alreadyPublished: number }> {
  const name = runner.endpoints.functions.find((candidate) => candidate.startsWith('ExpiryWatchFunction'))
  const url = `${runner.endpoints.lambda}/2015-03-31/functions/${name}/invocations`
  const response = await fetch(url, { method: 'POST', body: '{}' })
  assert.equal(response.headers.get('x-amz-function-error'), null)
  return (await response.json()) as { published: number; alreadyPublished: number }
}

const logOf = (name: string): string => readFileSync(join(runner.endpoints.logs, `${name}.log`), 'utf8')

test("a partner's certificate that expires in 10 days is in the API, and causes one notice in two runs", async () => {
  await deliverOne()
  const observedHost = await untilObserved(old)
  assert.equal(observedHost.host, '127.0.0.1')
  const [{ use, daysLeft, issuer, verifiedBy } = assert.fail('no certificate was observed')] =
    observedHost.certificates
  assert.deepEqual([use, daysLeft, verifiedBy], ['InUse', 10, 'Connector'])
  assert.match(issuer, /First Authority/)
  assert.deepEqual((await observed('&expiringWithinDays=5')).items, [])
  assert.equal((await observed('&expiringWithinDays=10')).items.length, 1)

  assert.equal((await runExpiryWatch()).published, 1)
  const secondRun = await runExpiryWatch()
  assert.deepEqual([secondRun.published, secondRun.alreadyPublished], [0, 1])
  const heading = 'mailflow: 10 days left: certificate of connector "To the hoster"'
  await runner.stderrLine(/10 days left: certificate of connector "To the hoster"/)
  const notices = logOf('notices')
  assert.equal(notices.split(heading).length - 1, 1)
  for (const expected of [fingerprintOf(old), 'First Authority', 'mail through the connector is deferred'])
    assert.ok(notices.includes(expected), expected)
})

test('a renewed certificate of another authority causes an event, and no further notice of the old one', async () => {
  await api.change(`/outbound-connectors/${connector}`, {
    smartHosts: [{ host: '127.0.0.1', port: servers[1]?.port }],
  })
  await deliverOne()
  const { certificates, changes } = await untilObserved(renewed)
  assert.deepEqual(
    certificates.map(({ use }) => use),
    ['InUse', 'Superseded'],
  )
  assert.deepEqual(
    changes.map(({ what }) => what),
    [['Issuer', 'Key']],
  )
  await runner.stderrLine(/event: Partner Certificate Changed/)
  const [event, ...others] = logOf('events')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ detailType }) => detailType === 'Partner Certificate Changed')
  assert.deepEqual(others, [])
  assert.deepEqual(
    [event.detail.connector, event.detail.from.fingerprint256, event.detail.to.fingerprint256],
    [{ id: connector, name: 'To the hoster' }, fingerprintOf(old), fingerprintOf(renewed)],
  )
  assert.deepEqual((await observed('&expiringWithinDays=10')).items, [])
  const { published, alreadyPublished } = await runExpiryWatch()
  assert.deepEqual([published, alreadyPublished], [0, 0])

  const { status, out } = await mailflow(['certificates', 'observed', '--api', runner.endpoints.api])
  assert.equal(status, 0)
  assert.match(
    out,
    new RegExp(`server +To the hoster +127\\.0\\.0\\.1 .*Issuer, Key.*${fingerprintOf(renewed)}`),
  )
})

test('a run of the expiry watch records the certificate of the ingress as observed', async () => {
  interface Published {
    certificates: { state: string; fingerprint256: string }[]
  }
  const published = await waitForResult(() => api.call<Published>('GET', '/certificates').catch(() => null))
  await runExpiryWatch()
  const { items } = await api.call<{ items: (ObservedHost & { kind: string })[] }>(
    'GET',
    '/certificates/observed',
  )
  const own = items.filter(({ kind }) => kind === 'Own').flatMap(({ certificates }) => certificates)
  const current = published.certificates.filter(({ state }) => state === 'Current')
  assert.deepEqual(
    own.map(({ fingerprint256 }) => fingerprint256).sort(),
    current.map(({ fingerprint256 }) => fingerprint256).sort(),
  )
  assert.ok(own.length > 0)
})
