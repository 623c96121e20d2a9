/**
 * The recorded certificates of a delivery, and the event of a change, with the function's clients and over the network.
 */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  certificateWatch,
  ObservedCertificates,
} from '../../../functions/deliver-message/observed-certificates.ts'
import { type EventEntry, eventsServer } from '../../../infra/local/aws/events.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import type { Observation } from '../../../shared/tls/observed/observation.ts'
import type { TlsaRecord } from '../../../shared/tls/requirement.ts'
import { ObservedList } from '../../../shared/transport/observed-list.ts'
import { type DeliverMessage, smartHost, startDeliverMessage } from '../../support/deliver-message.ts'
import type { TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeSecrets, startSecrets } from '../../support/fake-secrets.ts'
import { type Listening, listen } from '../../support/listen.ts'
import { observedCertificate } from '../../support/observed.ts'
import { createPki, fingerprintOf, type Identity } from '../../support/pki.ts'
import { startPartner } from '../../support/smtp-partner.ts'
import {
  at,
  connector as connectorRequirement,
  established,
  noStartTls,
  session,
  stsPolicy,
  wrongName,
} from '../../support/tls-sessions.ts'

const connector = { id: 'c1', name: 'To the partner' }

describe('the certificate of a delivery session', () => {
  const { keyType: _type, publicKeyFingerprint256: _key, ...summary } = observedCertificate('a')
  const partnerTls = established({
    names: { subjectAltNames: ['mx.partner.example', 'agreed.example'], commonName: null },
    certificates: [summary],
    chain: ['AAAA'],
    fingerprint256: summary.fingerprint256,
  })
  for (const [name, jobConnector, sessionFields, expected] of [
    [
      'under a connector that verified it',
      connector,
      { connector: connectorRequirement() },
      'verified by Connector',
    ],
    [
      'under a connector that requires encryption',
      connector,
      { connector: connectorRequirement({ level: 'EncryptionOnly', tlsDomain: null }) },
      'not verified',
    ],
    ['under a connector without TLS requirements', connector, {}, 'not verified'],
    ['without a connector and policy', null, {}, 'nothing'],
    [
      'without a connector, under an MTA-STS policy in mode enforce',
      null,
      { mtaSts: stsPolicy('enforce') },
      'verified by MtaSts',
    ],
    [
      'without a connector, under an MTA-STS policy in mode testing',
      null,
      { mtaSts: stsPolicy('testing') },
      'nothing',
    ],
    ['when the server offers no STARTTLS', connector, { tls: noStartTls }, 'nothing'],
    [
      'under a connector that requires another name',
      connector,
      { connector: connectorRequirement(), tls: { ...partnerTls, names: wrongName.names } },
      'nothing',
    ],
    ['when it cannot be parsed', connector, { tls: established() }, 'nothing'],
  ] as const)
    test(`is ${expected === 'nothing' ? 'not recorded' : `recorded as ${expected}`} ${name}`, () => {
      const newObservations = new ObservedCertificates()
      const watch = certificateWatch(newObservations, { connector: jobConnector ?? undefined }, () => at)
      watch.session(session({ tls: partnerTls, ...sessionFields }))
      const results = newObservations.take().map(({ endpoint, verifiedBy }) => {
        assert.deepEqual(endpoint, {
          kind: 'PartnerServer',
          connector: jobConnector,
          domain: 'partner.example',
          host: 'mx.partner.example',
        })
        return verifiedBy === null ? 'not verified' : `verified by ${verifiedBy}`
      })
      assert.deepEqual(results, expected === 'nothing' ? [] : [expected])
    })

  test('is recorded as verified by Dane without a connector, when TLSA records match', async () => {
    const { cert } = await (await createPki()).issue({ names: ['mx.partner.example'] })
    const { raw } = new X509Certificate(cert)
    const data = createHash('sha256').update(raw).digest('hex')
    const names = ['mx.partner.example']
    const records: TlsaRecord[] = [{ usage: 3, selector: 0, matchingType: 1, data }]
    const hop = {
      authentic: true,
      dane: { kind: 'Records' as const, baseDomain: 'mx.partner.example', names, records },
    }
    const tls = { ...partnerTls, chain: [raw.toString('base64')] }
    const newObservations = new ObservedCertificates()
    certificateWatch(newObservations, {}, () => at).session(session({ hop, tls }))
    assert.deepEqual(
      newObservations
        .take()
        .map(({ endpoint: { connector: jobConnector, domain }, verifiedBy }) => [
          jobConnector,
          domain,
          verifiedBy,
        ]),
      [[null, 'partner.example', 'Dane']],
    )
  })

  test('is recorded for at most 200 hosts in a batch', () => {
    const newObservations = new ObservedCertificates()
    const watch = certificateWatch(newObservations, { connector }, () => at)
    for (let index = 0; index < 300; index++)
      watch.session(session({ tls: partnerTls, hop: { host: `mx${index}.partner.example` } }))
    assert.equal(newObservations.take().length, 200)
    assert.deepEqual(newObservations.take(), [])
  })
})

describe('deliver-message', () => {
  const results: EventEntry[] = []
  const bus = eventsServer((entry) => results.push(entry))
  let events: Listening
  let secrets: FakeSecrets
  let unit: DeliverMessage
  let database: TestDynamoDb

  before(async () => {
    events = await listen(bus)
    secrets = await startSecrets()
    unit = await startDeliverMessage({
      AWS_ENDPOINT_URL_EVENTBRIDGE: events.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    })
    database = unit.database
  })
  after(async () => {
    await unit.stop()
    await secrets.stop()
    await events.stop()
  })

  let jobs = 0
  /** Sends one message to a server with this certificate. */
  async function deliverTo(identity: Identity, fields: Partial<DeliveryJob> = {}): Promise<void> {
    const partner = await startPartner({ tls: identity })
    try {
      const job = unit.job(++jobs, unit.store(Buffer.from('Subject: x\r\n\r\nbody\r\n')), {
        route: smartHost('127.0.0.1', partner.port),
        tls: { ...opportunistic, level: 'EncryptionOnly' },
        ...fields,
      })
      assert.deepEqual(await unit.deliver(job), [])
      assert.equal(partner.received.length, 1)
    } finally {
      await partner.stop()
    }
  }

  const observationsOf = async (connectorId: string): Promise<Observation[]> =>
    (
      await Array.fromAsync(new ObservedList(database.documents, database.transportTable).all(new Date()))
    ).filter(({ connector }) => connector?.id === connectorId)

  test("records the partner server's certificate, and sends an event when issuer and key change", async () => {
    const [firstPki, secondPki] = [await createPki(), await createPki()]
    const [first, second] = [
      await firstPki.issue({ names: ['mx.partner.example'] }),
      await secondPki.issue({ names: ['mx.partner.example'] }),
    ]
    await deliverTo(first, { connector })
    assert.equal(results.length, 0)
    await deliverTo(second, { connector })
    const [observation, ...others] = await observationsOf('c1')
    assert.deepEqual(others, [])
    assert.deepEqual(
      observation?.certificates.map(({ fingerprint256 }) => fingerprint256),
      [fingerprintOf(second), fingerprintOf(first)],
    )
    const [event, ...more] = results.splice(0)
    assert.deepEqual(more, [])
    assert.deepEqual([event?.Source, event?.DetailType], ['mailflow', 'Partner Certificate Changed'])
    const detail = JSON.parse(event?.Detail ?? '')
    assert.deepEqual(
      [detail.connector, detail.host, detail.what.includes('Key'), detail.to.fingerprint256],
      [connector, '127.0.0.1', true, fingerprintOf(second)],
    )
    assert.deepEqual(observation?.changes[0]?.to, detail.to)
  })

  test('records the client certificate that it presents, without the private key', async () => {
    const pki = await createPki()
    const ownCertificate = await pki.issue({ names: ['mail.ours.example'] })
    secrets.keepIdentity('ours', ownCertificate)
    const tls = { ...opportunistic, level: 'EncryptionOnly', clientCertificate: 'ours' } as const
    const mutual = { id: 'c3', name: 'Mutual' }
    await deliverTo(await pki.issue({ names: ['mx.partner.example'] }), { connector: mutual, tls })
    const own = (await observationsOf('c3')).filter(({ kind }) => kind === 'Own')
    assert.deepEqual(
      own.map(({ host, certificates }) => [host, certificates[0]?.fingerprint256, certificates[0]?.keyType]),
      [['mailflow/client-certificates/ours', fingerprintOf(ownCertificate), 'EC']],
    )
    assert.doesNotMatch(JSON.stringify(own), /PRIVATE|BEGIN/)
  })

  test('delivers, and records the change of a certificate, when EventBridge is down', async () => {
    const pki = await createPki()
    const another = { id: 'c2', name: 'Another' }
    await deliverTo(await pki.issue({ names: ['mx.partner.example'] }), { connector: another })
    await events.stop()
    await deliverTo(await pki.issue({ names: ['mx.partner.example'] }), { connector: another })
    assert.equal((await observationsOf('c2'))[0]?.changes.length, 1)
    assert.equal(results.length, 0)
  })
})
