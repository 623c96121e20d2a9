/**
 * Tests a rotation through the local stack. The administrator puts the next certificate into the secret, and it is
 * published. The ingress switches at the announced time under load. No private key is in a log, notice or response.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { LocalAuthority } from '../../infra/local/certificates.ts'
import type { IngressCertificates, PublishedCertificates } from '../../shared/contract/certificates.ts'
import { Wire } from '../support/ingress/ingress.ts'
import { Api, type RunnerProcess, startRunner, waitForResult } from '../support/local/runner.ts'
import { createPki } from '../support/pki.ts'
import { within } from '../support/within.ts'

const hostname = 'mail.example.com'
const SecretId = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mailflow/tls-AbCdEf'

let runner: RunnerProcess
let api: Api
let secrets: SecretsManagerClient
/** Private keys of every certificate that was in the secret. */
const keys = new Set<string>()

before(
  async () => {
    runner = await startRunner({ names: {} })
    api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    secrets = new SecretsManagerClient({
      region: 'us-east-1',
      credentials,
      endpoint: runner.endpoints.secrets,
    })
  },
  { timeout: 120_000 },
)

after(async () => {
  assert.equal(await runner?.stop(), 0, 'SIGTERM is a clean stop')
})

async function held(): Promise<IngressCertificates> {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }))
  const set: IngressCertificates = JSON.parse(SecretString)
  for (const key of [set.privateKey, set.next?.privateKey]) if (key) keys.add(key)
  return set
}

const put = (set: object) =>
  secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(set) }))

async function rotate(): Promise<{ notifications: string[]; refused: { reason: string }[] }> {
  const name = runner.endpoints.functions.find((candidate) => candidate.startsWith('RotationFunction'))
  const url = `${runner.endpoints.lambda}/2015-03-31/functions/${name}/invocations`
  return (await fetch(url, { method: 'POST', body: '{}' })).json() as never
}

async function states(): Promise<string[]> {
  const { certificates } = await api.call<PublishedCertificates>('GET', '/certificates')
  return certificates.map(({ state, serial }) => `${state} ${serial}`)
}

/** Returns the certificates of the page for partners with their states. */
async function statesOnPage(): Promise<string[]> {
  const { certificates }: PublishedCertificates = JSON.parse(await pageOf('certificates.json'))
  return certificates.map(({ state, serial }) => `${state} ${serial}`)
}

/** @returns the presented serial number, and the times at which the handshake began and ended */
async function sendOne(): Promise<{ begun: number; ended: number; serial: string }> {
  const wire = await Wire.greet(Number(runner.endpoints.smtp.split(':')[1]))
  await wire.command('STARTTLS')
  const begun = Date.now()
  const socket = await wire.secure({
    ca: readFileSync(runner.endpoints.authority, 'utf8'),
    rejectUnauthorized: true,
    servername: hostname,
  })
  const ended = Date.now()
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? ''
  await wire.command('EHLO client.example')
  assert.match(await wire.send('Subject: x\r\n\r\nx\r\n'), /^250 /)
  await wire.command('QUIT')
  return { begun, ended, serial }
}

/** Of concurrent sessions. */
const maxOpen = 10

async function underLoad(isEnough: () => boolean) {
  const sessions: ReturnType<typeof sendOne>[] = []
  let open = 0
  for (let isLast = false; !isLast; await delay(50)) {
    // A slow machine begins fewer in a second.
    if (open >= maxOpen) continue
    isLast = isEnough()
    open += 1
    sessions.push(sendOne().finally(() => (open -= 1)))
  }
  const settled = await Promise.allSettled(sessions)
  assert.deepEqual(
    settled.filter(({ status }) => status === 'rejected'),
    [],
  )
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

const pageOf = async (path: string) => (await fetch(new URL(path, runner.endpoints.pages))).text()

/** Returns the time at which the ingress logged the switch; infinity before the switch. */
function switchedIn(log: string): number {
  const line = log.split('\n').findLast((text) => text.includes('"certificates switched'))
  return line === undefined ? Number.POSITIVE_INFINITY : Date.parse(JSON.parse(line).timestamp)
}

const ingressLog = () => readFileSync(`${runner.endpoints.logs}/ingress.log`, 'utf8')

test('under load the ingress switches to the next certificate at its date, and page, API and secret then have it as current', {
  timeout: 120_000,
}, async () => {
  const folder = runner.endpoints.authority.replace(/\/authority\.pem$/, '')
  const old = (await sendOne()).serial
  assert.deepEqual(await states(), [`Current ${old}`])
  const before = await held()
  // The runner's authority stores the certificate of each name; this certificate is a new one for the same name.
  const renewed = await (await LocalAuthority.open(folder)).issueUncached(hostname)
  const servedFrom = Date.now() + 8_000
  await put({ ...before, next: { ...renewed, servedFrom: new Date(servedFrom).toISOString() } })
  await held()
  assert.deepEqual((await rotate()).notifications, ['Certificate Announced'])
  const announcedStates = await states()
  const [, next = ''] = announcedStates.find((state) => state.startsWith('Next'))?.split(' ') ?? []
  assert.deepEqual(announcedStates, [`Current ${old}`, `Next ${next}`])
  const switching = underLoad(() => Date.now() > switchedIn(ingressLog()) + 1000)
  const sessions = await within(60_000, switching, 'the switch')
  const switchedAt = switchedIn(ingressLog())
  assert.ok(switchedAt >= servedFrom)
  for (const { begun, ended, serial } of sessions) {
    if (ended < servedFrom) assert.equal(serial, old)
    if (begun > switchedAt) assert.equal(serial, next)
  }
  assert.ok(sessions.some(({ begun }) => begun > switchedAt))
  // The ingress switches at the date, before the secret changes.
  for (const published of [await states(), await statesOnPage()])
    assert.deepEqual(published, [`Current ${next}`, `Deprecated ${old}`])
  assert.deepEqual((await rotate()).notifications, ['Certificate Switched'])
  assert.deepEqual(await states(), [`Current ${next}`, `Deprecated ${old}`])
  assert.deepEqual([(await held()).certificate, (await held()).next], [renewed.certificate, null])
  await runner.stderrLine(/new TLS certificate is in use/)
})

test('a next certificate for another name is refused with the reason Name, and the old certificate is served beyond the date', {
  timeout: 60_000,
}, async () => {
  const { serial } = await sendOne()
  const unrelated = await (await createPki()).issue({ names: ['mail.elsewhere.example'] })
  const next = {
    certificate: unrelated.cert,
    privateKey: unrelated.key,
    servedFrom: new Date(Date.now() + 2000).toISOString(),
  }
  const before = await held()
  await put({ ...before, next })
  await held()
  const { notifications, refused } = await rotate()
  assert.deepEqual([notifications, refused.map(({ reason }) => reason)], [['Certificate Refused'], ['Name']])
  const refusal =
    /certificates are refused.*"reason":"Name".*is for mail\.elsewhere\.example, not for mail\.example\.com/
  await waitForResult(() => refusal.exec(ingressLog()))
  const servedFrom = Date.parse(next.servedFrom)
  const sessions = await underLoad(() => Date.now() > servedFrom + 1000)
  assert.deepEqual([...new Set(sessions.map((session) => session.serial))], [serial])
  assert.equal((await states())[0], `Current ${serial}`)
  await put({ ...before, next: null })
})

test('after the rotation, no private key is in any log, notice, event or response', async () => {
  const secretWords = [...keys].flatMap((key) =>
    key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-')),
  )
  const texts = [
    ...globSync(`${runner.endpoints.logs}/*`).map((file) => readFileSync(file, 'utf8')),
    JSON.stringify(await api.call('GET', '/certificates')),
    ...(await Promise.all(['', 'certificates.json'].map(pageOf))),
    runner.stderrLines.join('\n'),
    runner.output.join('\n'),
  ].join('\n')
  assert.ok(texts.includes('Certificate Announced'))
  assert.equal(keys.size, 3)
  for (const word of ['PRIVATE KEY', ...secretWords]) assert.ok(!texts.includes(word), `a key is in the logs`)
})
