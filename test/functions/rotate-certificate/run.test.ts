/** Runs of rotate-certificate with emulators of Secrets Manager and DynamoDB, and fakes of ACM, event bus and topic. */
import assert from 'node:assert/strict'
import { createPrivateKey, hash, randomUUID, X509Certificate } from 'node:crypto'
import { after, test } from 'node:test'
import { ExportCertificateCommand, GetCertificateCommand } from '@aws-sdk/client-acm'
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import { AcmCertificates } from '../../../functions/rotate-certificate/acm.ts'
import type { CertificateChange } from '../../../functions/rotate-certificate/certificate-changes.ts'
import {
  CertificateSecretStore,
  ConcurrentUpdateError,
} from '../../../functions/rotate-certificate/certificate-secret-store.ts'
import { NotificationItem } from '../../../functions/rotate-certificate/notification-item.ts'
import type { TlsaZone } from '../../../functions/rotate-certificate/publish-tlsa.ts'
import { type Dependencies, type RotationRun, rotate } from '../../../functions/rotate-certificate/run.ts'
import type { TlsaLookup } from '../../../functions/rotate-certificate/tlsa-status.ts'
import { CreatedSecrets, secretsServer } from '../../../infra/local/aws/secrets.ts'
import { PublishedCertificatesItem } from '../../../shared/connectors-table/published-certificates.ts'
import type { Announcement } from '../../../shared/queues/topic-publisher.ts'
import { startDynamoDb } from '../../support/dynamodb.ts'
import { testAccount } from '../../support/lambda.ts'
import { listen } from '../../support/listen.ts'
import { createPki, daysFromNow, type Identity } from '../../support/pki.ts'

const hostname = 'mx.ours.example'
const pki = await createPki()
const middle = await pki.subordinate('Middle', { notAfter: daysFromNow(90) })
const issue = (commonName: string, more: object = {}) =>
  middle.issue({ names: [hostname], commonName, notAfter: daysFromNow(60), ...more })
const [one, two, three, wrong] = await Promise.all([
  issue('one'),
  issue('two'),
  issue('three'),
  issue('wrong', { names: ['mail.ours.example'] }),
])
const secretOf = ({ cert, key }: Identity) => ({ certificate: cert, privateKey: key })
const day = 86_400_000
const idleRun: RotationRun = {
  changed: false,
  refused: [],
  notifications: [],
  waiting: null,
  tlsaFault: null,
}

const dynamodb = await startDynamoDb()
const localSecrets = new CreatedSecrets(null)
const server = await listen(secretsServer(null, localSecrets))
const secrets = new SecretsManagerClient({ endpoint: server.url, ...testAccount })
after(() => Promise.all([dynamodb.stop(), server.stop()]))

/** Creates a deployment with its own secret, no stored items, and a clock that can be set. */
async function deployment(secret: object | null, more: Partial<Dependencies> = {}) {
  const name = `tls-${randomUUID()}`
  const arn = `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-AbCdEf`
  localSecrets.create(name, secret && JSON.stringify(secret))
  for (const sk of ['published', 'told'])
    await dynamodb.documents.send(
      new DeleteCommand({ TableName: dynamodb.connectorsTable, Key: { pk: 'certificates', sk } }),
    )
  const events: CertificateChange[] = []
  const notices: Announcement[] = []
  const clock = { now: Date.now() }
  const published = new PublishedCertificatesItem(dynamodb.documents, dynamodb.connectorsTable)
  const dependencies: Dependencies = {
    secret: new CertificateSecretStore(secrets, arn),
    authority: null,
    published,
    notifications: new NotificationItem(dynamodb.documents, dynamodb.connectorsTable),
    putEvent: async (changes) => void events.push(changes),
    notifyPartners: async (notice) => void notices.push(notice),
    checkWithOpenSsl() {},
    lookUpTlsa: async () => ({ kind: 'None' }),
    tlsaZone: null,
    hostname,
    noticeMs: 7 * day,
    now: () => new Date(clock.now),
    ...more,
  }
  return {
    arn,
    name,
    clock,
    events,
    notices,
    dependencies,
    run: () => rotate(dependencies),
    storedSecret: () => JSON.parse(localSecrets.get(name)?.text ?? 'null'),
    put: (text: object) =>
      secrets.send(new PutSecretValueCommand({ SecretId: arn, SecretString: JSON.stringify(text) })),
    states: async () =>
      ((await published.read())?.certificates ?? []).map(({ subject, state }) => `${state} ${subject}`),
    publishedTlsa: async () => (await published.read())?.nextTlsa,
    types: () => events.map(({ detailType }) => detailType),
  }
}

/** A fake ACM whose current certificate can be set as `state.identity`; counts exports. */
function acm(identity: Identity) {
  const state = { identity, exports: 0 }
  const authority = new AcmCertificates(
    {
      send: (async (command: unknown) => {
        const [leaf = '', chain = ''] = state.identity.cert.split(/(?<=-----END CERTIFICATE-----\n)/)
        if (command instanceof GetCertificateCommand) return { Certificate: leaf, CertificateChain: chain }
        assert.ok(command instanceof ExportCertificateCommand)
        state.exports += 1
        const passphrase = Buffer.from(command.input.Passphrase ?? '').toString()
        assert.match(passphrase, /^[\w-]{40,128}$/)
        const key = createPrivateKey(state.identity.key).export({
          type: 'pkcs8',
          format: 'pem',
          cipher: 'aes-256-cbc',
          passphrase,
        })
        return { Certificate: leaf, CertificateChain: chain, PrivateKey: key }
      }) as never,
    },
    ['arn:aws:acm:us-east-1:000000000000:certificate/1'],
  )
  return { authority, state }
}

test('the first run publishes the certificates of the secret, and sends no notice', async () => {
  const { run, states, events, notices, storedSecret } = await deployment(secretOf(one))
  assert.deepEqual(await run(), idleRun)
  assert.deepEqual(await states(), ['Current CN=one'])
  assert.deepEqual([events, notices], [[], []])
  assert.deepEqual(storedSecret(), secretOf(one))
})

test('a next certificate that the administrator put into the secret is announced once, and switched with a notice at its date', async () => {
  const { run, states, types, notices, put, clock, storedSecret } = await deployment({
    ...secretOf(one),
    note: 'ours',
  })
  await run()
  const servedFrom = new Date(clock.now + 3 * day).toISOString()
  await put({ ...secretOf(one), note: 'ours', next: { ...secretOf(two), servedFrom } })
  assert.deepEqual((await run()).notifications, ['Certificate Announced'])
  assert.deepEqual((await run()).notifications, [])
  assert.deepEqual(await states(), ['Current CN=one', 'Next CN=two'])
  clock.now = Date.parse(servedFrom)
  assert.deepEqual(await run(), {
    ...idleRun,
    changed: true,
    notifications: ['Certificate Switched'],
  })
  assert.deepEqual(await run(), idleRun)
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  assert.deepEqual(
    [storedSecret().certificate, storedSecret().next, storedSecret().note],
    [two.cert, null, 'ours'],
  )
  assert.deepEqual(types(), ['Certificate Announced', 'Certificate Switched'])
  const [announced, switched] = notices
  assert.equal(announced?.subject, `${hostname}: new TLS certificate from ${servedFrom.slice(0, 10)}`)
  assert.match(announced?.text ?? '', /What to do, before \d{4}-\d\d-\d\d \d\d:\d\d UTC:\n- Nothing, if /)
  assert.match(announced?.text ?? '', /Root +Test CA\n/)
  assert.match(
    switched?.text ?? '',
    /^The mail server mx\.ours\.example has presented a new certificate since /,
  )
  assert.doesNotMatch(JSON.stringify([notices, types()]), /PRIVATE|MII|MIG/)
})

test('notices of a rotation of the EC certificate do not mention the RSA certificate, which stays', async () => {
  const rsa = await issue('rsa', { rsa: true })
  const withRsa = (ec: Identity) => ({
    certificate: `${rsa.cert}\n${ec.cert}`,
    privateKey: `${rsa.key}\n${ec.key}`,
  })
  const { run, events, notices, put, clock } = await deployment({
    ...withRsa(one),
    servedFrom: new Date(Date.now() - 30 * day).toISOString(),
  })
  await run()
  const servedFrom = new Date(clock.now + 3 * day).toISOString()
  const set = { ...withRsa(one), next: { ...withRsa(two), servedFrom } }
  await put(set)
  assert.deepEqual((await run()).notifications, ['Certificate Announced'])
  const former = { certificate: three.cert, servedUntil: new Date(clock.now - 40 * day).toISOString() }
  await put({ ...set, deprecated: [former] })
  assert.deepEqual((await run()).notifications, [])
  clock.now = Date.parse(servedFrom)
  assert.deepEqual((await run()).notifications, ['Certificate Switched'])
  for (const { detail } of events) {
    const { certificates } = detail as { certificates: { keyType: string }[] }
    assert.deepEqual(
      certificates.map(({ keyType }) => keyType),
      ['EC'],
    )
    assert.equal(detail.servedFrom, servedFrom)
  }
  assert.equal(notices.length, 2)
  for (const { text } of notices) assert.doesNotMatch(text, /RSA/)
})

test('an empty secret is filled from ACM; a renewal is announced and switched, and its key is exported once', async () => {
  const { authority, state } = acm(one)
  const { run, states, clock, storedSecret } = await deployment(null, { authority })
  assert.equal((await run()).changed, true)
  assert.deepEqual([storedSecret().certificate.trim(), state.exports], [one.cert.trim(), 1])
  assert.ok(createPrivateKey(storedSecret().privateKey).equals(createPrivateKey(one.key)))
  assert.deepEqual((await run()).changed, false)
  state.identity = two
  assert.deepEqual((await run()).notifications, ['Certificate Announced'])
  await run()
  assert.equal(state.exports, 2)
  clock.now += 7 * day
  assert.deepEqual((await run()).notifications, ['Certificate Switched'])
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  assert.equal(state.exports, 2)
})

test('a refused next certificate causes one event in all runs, and no notice to partners', async () => {
  const { run, put, types, notices, states, clock } = await deployment(secretOf(one))
  await run()
  await put({
    ...secretOf(one),
    next: { ...secretOf(wrong), servedFrom: new Date(clock.now + day).toISOString() },
  })
  const { refused, changed } = await run()
  assert.deepEqual(
    [refused.map(({ certificates, reason }) => [certificates, reason]), changed],
    [[['Next', 'Name']], false],
  )
  clock.now += 2 * day
  assert.equal((await run()).refused.length, 1)
  assert.deepEqual([types(), notices], [['Certificate Refused'], []])
  assert.deepEqual(await states(), ['Current CN=one'])
})

test('a current certificate for another name or with another key is refused and not published', async () => {
  const { run, put, states, types, storedSecret } = await deployment(secretOf(one))
  await run()
  const bad = { certificate: two.cert, privateKey: one.key }
  for (const certificates of [secretOf(wrong), bad]) {
    await put(certificates)
    assert.deepEqual(
      (await run()).refused.map(({ certificates }) => certificates),
      ['Current'],
    )
    assert.deepEqual([storedSecret(), await states()], [certificates, ['Current CN=one']])
  }
  await put(secretOf(two))
  assert.deepEqual((await run()).notifications, ['Certificate Switched'])
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  assert.deepEqual(types(), ['Certificate Refused', 'Certificate Refused', 'Certificate Switched'])
})

test('a next certificate without a date is refused and stays in the secret, although ACM offers another', async () => {
  const invalidNext = { ...secretOf(one), next: secretOf(two), deprecated: [] }
  const { authority } = acm(three)
  const { run, storedSecret } = await deployment(invalidNext, { authority })
  const { changed, refused } = await run()
  assert.deepEqual([changed, refused.map(({ certificates }) => certificates)], [false, ['Next']])
  assert.deepEqual(storedSecret(), invalidNext)
})

test('an announced certificate that the administrator replaces is announced; one that is removed is withdrawn', async () => {
  const { run, put, clock } = await deployment(secretOf(one))
  await run()
  const servedFrom = new Date(clock.now + day).toISOString()
  await put({ ...secretOf(one), next: { ...secretOf(two), servedFrom } })
  await run()
  await put({ ...secretOf(one), next: { ...secretOf(three), servedFrom } })
  assert.deepEqual((await run()).notifications, ['Certificate Announced'])
  await put(secretOf(one))
  assert.deepEqual((await run()).notifications, ['Certificate Withdrawn'])
})

test('six concurrent runs write the secret once, and send one notice', async () => {
  const { authority, state } = acm(one)
  const { run, storedSecret, types, notices, states, clock } = await deployment(secretOf(one), { authority })
  await run()
  state.identity = two
  const announcing = await Promise.all(Array.from({ length: 6 }, run))
  assert.equal(announcing.filter(({ changed }) => changed).length, 1)
  clock.now += 7 * day
  const switching = await Promise.all(Array.from({ length: 6 }, run))
  assert.equal(switching.filter(({ changed }) => changed).length, 1)
  await run()
  assert.deepEqual(storedSecret().deprecated.length, 1)
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  assert.deepEqual([types(), notices.length], [['Certificate Announced', 'Certificate Switched'], 2])
})

test('a run does not overwrite what an administrator wrote to the secret during the run', async () => {
  const { authority } = acm(two)
  const { dependencies, put, storedSecret, name } = await deployment(secretOf(one), { authority })
  const { secret } = dependencies
  let isFirst = true
  const interrupted: Dependencies = {
    ...dependencies,
    secret: {
      read: () => secret.read(),
      async replace(before, text) {
        if (isFirst) await put(secretOf(three))
        isFirst = false
        await secret.replace(before, text)
      },
    },
  }
  await rotate(interrupted)
  assert.equal(storedSecret().certificate, three.cert)
  assert.deepEqual(localSecrets.get(name)?.stages.includes('AWSCURRENT'), true)
})

test('CertificateSecretStore.replace rejects when the secret has changed since it was read', async () => {
  const { arn, put, storedSecret } = await deployment(secretOf(one))
  const store = new CertificateSecretStore(secrets, arn)
  const before = await store.read()
  await put(secretOf(two))
  await assert.rejects(store.replace(before, JSON.stringify(secretOf(three))), ConcurrentUpdateError)
  assert.equal(storedSecret().certificate, two.cert)
  await store.replace(await store.read(), JSON.stringify(secretOf(three)))
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: arn }))
  assert.equal(JSON.parse(SecretString).certificate, three.cert)
})

test('a notice that a run could not send is sent by a run after the lease of the claim', async () => {
  const sentNotices: Announcement[] = []
  let fails = true
  const { run, put, clock } = await deployment(secretOf(one), {
    async notifyPartners(notice) {
      if (fails) throw new Error('the topic is away')
      sentNotices.push(notice)
    },
  })
  await run()
  await put({
    ...secretOf(one),
    next: { ...secretOf(two), servedFrom: new Date(clock.now + day).toISOString() },
  })
  await assert.rejects(run(), /the topic is away/)
  fails = false
  assert.deepEqual((await run()).notifications, [])
  clock.now += 3_600_000
  assert.deepEqual((await run()).notifications, ['Certificate Announced'])
  assert.equal(sentNotices.length, 1)
})

const keyDigestOf = ({ cert }: Identity) =>
  hash('sha256', new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
const recordFieldsOf = (identity: Identity) => ({
  usage: 3,
  selector: 1,
  matchingType: 1,
  data: keyDigestOf(identity),
})
const recordOf = (identity: Identity) => `3 1 1 ${keyDigestOf(identity)}`

/** A lookup whose records can be set as `lookup.keys`: the identities whose keys have a record 3 1 1. */
function tlsaRecordsOf(...identities: Identity[]) {
  const state = { keys: identities, fails: false }
  const lookUpTlsa = async (): Promise<TlsaLookup> =>
    state.fails
      ? { kind: 'Failed', detail: 'ESERVFAIL', isResolverValidating: true }
      : { kind: 'Records', records: state.keys.map(recordFieldsOf), ttlSeconds: 3600 }
  return { state, lookUpTlsa }
}

test('a renewed certificate of ACM waits until the record of its key has been visible for two TTLs', async () => {
  const { authority, state } = acm(one)
  const { state: records, lookUpTlsa } = tlsaRecordsOf(one)
  const { run, clock, storedSecret, types, publishedTlsa, states } = await deployment(secretOf(one), {
    authority,
    lookUpTlsa,
  })
  const start = clock.now
  const hours = async (count: number) => {
    clock.now += count * 3_600_000
    return (await run()).waiting?.state
  }
  await run()
  state.identity = two
  assert.equal(await hours(1), 'Missing')
  const planned = new Date(start + 7 * day + 3_600_000).toISOString()
  assert.equal(storedSecret().next.servedFrom, planned)
  assert.deepEqual((await publishedTlsa())?.since, new Date(clock.now).toISOString())
  assert.equal(await hours(6 * 24), 'Missing')
  const expiry = new X509Certificate(one.cert).validToDate.toISOString()
  assert.deepEqual([storedSecret().next.servedFrom, storedSecret().next.plannedFrom], [expiry, planned])
  assert.equal(await hours(5 * 24), 'Missing')
  records.fails = true
  assert.equal(await hours(1), 'Unknown')
  records.fails = false
  records.keys = [one, two]
  const seen = clock.now + 3_600_000
  assert.equal(await hours(1), undefined)
  const usableFrom = new Date(seen + 7_200_000).toISOString()
  assert.equal(storedSecret().next.servedFrom, usableFrom)
  assert.equal((await publishedTlsa())?.usableFrom, usableFrom)
  await hours(1)
  assert.deepEqual(await states(), ['Current CN=one', 'Next CN=two'])
  await hours(1)
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  assert.deepEqual([storedSecret().next, await publishedTlsa()], [null, undefined])
  assert.deepEqual(types(), ['Certificate Announced', 'Certificate Switched'])
})

test('a certificate whose record is never published is served from the expiry of the current one', async () => {
  const { authority, state } = acm(one)
  const { lookUpTlsa } = tlsaRecordsOf(one)
  const { run, clock, states, storedSecret } = await deployment(secretOf(one), { authority, lookUpTlsa })
  await run()
  state.identity = two
  await run()
  clock.now += 6.5 * day
  assert.equal((await run()).changed, true)
  assert.equal((await run()).changed, false)
  const expiry = new X509Certificate(one.cert).validToDate.getTime()
  assert.equal(Date.parse(storedSecret().next.servedFrom), expiry)
  clock.now = expiry - 1000
  assert.deepEqual((await run()).waiting?.state, 'Missing')
  clock.now = expiry
  await run()
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
})

test('a run that stops after the secret is written continues at the next run', async () => {
  const { authority, state } = acm(one)
  const { state: records, lookUpTlsa } = tlsaRecordsOf(one)
  const { run, dependencies, clock, storedSecret, publishedTlsa } = await deployment(secretOf(one), {
    authority,
    lookUpTlsa,
  })
  await run()
  state.identity = two
  await run()
  clock.now += 6.5 * day
  const stopping = {
    ...dependencies,
    published: {
      ...dependencies.published,
      readRevision: () => dependencies.published.readRevision(),
      write: () => Promise.reject(new Error('stopped')),
    },
  }
  await assert.rejects(rotate(stopping), /stopped/)
  const held = storedSecret().next
  assert.ok(held.plannedFrom)
  assert.equal((await run()).changed, false)
  assert.deepEqual(storedSecret().next, held)
  records.keys = [one, two]
  await assert.rejects(rotate(stopping), /stopped/)
  assert.equal((await publishedTlsa())?.state, 'Missing')
  clock.now += 3_600_000
  await run()
  // The record counts as visible from the first run that stored it.
  assert.equal((await publishedTlsa())?.usableFrom, new Date(clock.now + 7_200_000).toISOString())
})

/** A zone in memory, and a lookup that finds its records. */
function zoneInMemory() {
  const state = { values: [] as readonly string[], failsAfterWrite: false, status: 'SIGNING' }
  const zone: TlsaZone = {
    id: 'Z1',
    signingStatus: async () => state.status,
    read: async () => (state.values.length === 0 ? null : { ttlSeconds: 3600, values: state.values }),
    async write(_name, { values }) {
      state.values = values
      if (state.failsAfterWrite) throw new Error('stopped')
    },
  }
  const lookUpTlsa = async (): Promise<TlsaLookup> => {
    const records = state.values.map((value) => ({
      usage: 3,
      selector: 1,
      matchingType: 1,
      data: value.slice('3 1 1 '.length),
    }))
    return records.length === 0 ? { kind: 'None' } : { kind: 'Records', records, ttlSeconds: 3600 }
  }
  return { state, tlsaZone: zone, lookUpTlsa }
}

test('with a zone, a rotation adds the next record, waits two TTLs, switches and removes the old record, although runs stop', async () => {
  const { authority, state } = acm(one)
  const { state: zone, ...tlsa } = zoneInMemory()
  const { run, clock, states, storedSecret } = await deployment(secretOf(one), {
    authority,
    noticeMs: 0,
    ...tlsa,
  })
  const keys = () => zone.values.map((value) => [one, two].findIndex((each) => value === recordOf(each)))
  const hour = async () => {
    clock.now += 3_600_000
    return run()
  }
  await run()
  assert.deepEqual(keys(), [0])
  state.identity = two
  zone.failsAfterWrite = true
  assert.equal((await hour()).tlsaFault, 'stopped')
  assert.ok(storedSecret().next.plannedFrom)
  zone.failsAfterWrite = false
  const seen = clock.now + 3_600_000
  assert.equal((await hour()).tlsaFault, null)
  assert.deepEqual(keys(), [0, 1])
  assert.equal(Date.parse(storedSecret().next.servedFrom), seen + 7_200_000)
  await hour()
  assert.deepEqual(await states(), ['Current CN=one', 'Next CN=two'])
  await hour()
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
  await hour()
  await hour()
  assert.deepEqual(keys(), [0, 1])
  zone.failsAfterWrite = true
  await hour()
  zone.failsAfterWrite = false
  assert.equal((await hour()).tlsaFault, null)
  assert.deepEqual(keys(), [1])
})

test('the record of a next key stays while the secret cannot be read, and is removed when the certificate is withdrawn', async () => {
  const { state: zone, ...tlsa } = zoneInMemory()
  const previousGateway = `3 1 1 ${'f'.repeat(64)}`
  zone.values = [previousGateway]
  const next = { ...secretOf(two), servedFrom: daysFromNow(10).toISOString() }
  const { run, put } = await deployment({ ...secretOf(one), next }, tlsa)
  await run()
  const both = [previousGateway, recordOf(one), recordOf(two)]
  assert.deepEqual(zone.values, both)
  await put({ ...secretOf(one), next: { ...next, certificate: 'not a certificate' } })
  await run()
  assert.deepEqual(zone.values, both)
  await put({ ...secretOf(one), next })
  await run()
  await put(secretOf(one))
  await run()
  assert.deepEqual(zone.values, [previousGateway, recordOf(one)])
})

test('a zone that is not signed is reported, and the rotation of the certificates goes on', async () => {
  const { authority, state } = acm(one)
  const { state: zone, ...tlsa } = zoneInMemory()
  zone.status = 'NOT_SIGNING'
  const { run, states } = await deployment(secretOf(one), { authority, noticeMs: 0, ...tlsa })
  await run()
  state.identity = two
  assert.match((await run()).tlsaFault ?? '', /Route 53 does not sign the zone Z1 \(NOT_SIGNING\)/)
  await run()
  assert.deepEqual(await states(), ['Current CN=two', 'Deprecated CN=one'])
})

test('a certificate of ACM that OpenSSL rejects is refused, and the secret is unchanged', async () => {
  const { authority } = acm(two)
  const { run, storedSecret } = await deployment(secretOf(one), {
    authority,
    checkWithOpenSsl({ certificate }) {
      if (certificate.includes(two.cert.slice(100, 200))) throw new Error('key too small')
    },
  })
  const { refused, changed } = await run()
  assert.deepEqual(
    [refused, changed],
    [[{ certificates: 'Offered', reason: 'Unusable', detail: 'key too small' }], false],
  )
  assert.deepEqual(storedSecret(), secretOf(one))
})
