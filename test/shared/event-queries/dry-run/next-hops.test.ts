/**
 * Attempts over real sessions, under many requirements, to servers that behave in many ways. From the event of the attempt
 * under one requirement, a dry run has the outcome that the attempt has under another, or names a fact that the event does
 * not hold.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import tls from 'node:tls'
import { attemptContext } from '../../../../functions/deliver-message/deliver-job.ts'
import type { OutboundConnector } from '../../../../shared/connectors/schema.ts'
import type { AttemptContext, DeliveryJob, TlsRequirement } from '../../../../shared/contract/jobs.ts'
import { type Attempt, newRecipient } from '../../../../shared/contract/message.ts'
import type { Revocation } from '../../../../shared/contract/revocation.ts'
import { dryRun } from '../../../../shared/event-queries/dry-run/dry-run.ts'
import type { DryRunResult } from '../../../../shared/event-queries/dry-run/dry-run-result.ts'
import type { NextHop } from '../../../../shared/net/next-hops.ts'
import { deliverToHops } from '../../../../shared/net/smtp-delivery.ts'
import { evaluate } from '../../../../shared/policy/evaluate.ts'
import { type DaneState, type MtaStsState, noMtaSts } from '../../../../shared/policy/hop-facts.ts'
import { opportunistic, requirementOf } from '../../../../shared/policy/outbound.ts'
import type { Snapshot } from '../../../../shared/policy/snapshot.ts'
import { message, outbound, receivedAt, snapshot } from '../../../support/fixtures.ts'
import { createHostileCertificates, host, keyDigest } from '../../../support/hostile-certificates.ts'
import { type HostileServer, startHostileServer } from '../../../support/hostile-server.ts'
import { smtpOptions } from '../../../support/smtp-options.ts'
import { type Misbehaviour, misbehaviours } from '../../net/levels/misbehaviours.ts'
import { factsOfMessage } from './past-events.ts'

const setup = await createHostileCertificates()
// Affects the whole process; this file has its own process.
tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...setup.publicRoots])

const domain = 'partner.example'
const address = `b@${domain}`

// Servers

interface Server {
  behaviour: Misbehaviour
  /** Of the certificate. */
  revocation?: Revocation['status']
}

const refusing: Misbehaviour = { conduct: () => ({ data: '550 5.7.1 Not wanted' }) }
const servers: Record<string, Server> = {
  ...Object.fromEntries(
    (
      [
        'does nothing wrong',
        'offers no STARTTLS',
        'answers STARTTLS with 454',
        'alerts handshake_failure',
        'has TLS 1.2 at most',
        'is self-signed',
        'is expired',
        'is for another name',
        'has its name in the CN only',
        'is for *.partner.example',
        "is of the partner's own CA",
        'is of another public CA and has another key',
        'requires a client certificate',
        'refuses EHLO over TLS temporarily',
      ] as const
    ).map((name) => [name, { behaviour: misbehaviours[name] }]),
  ),
  'refuses the message': { behaviour: refusing },
  'has a revoked certificate': { behaviour: {}, revocation: 'Revoked' },
  'has a certificate of unknown revocation': { behaviour: {}, revocation: 'Unknown' },
}

// What the domain publishes, and what the sender requests

interface Publication {
  dane?: (server: Server) => DaneState
  mtaSts?: MtaStsState
  authentic?: boolean
  requireTls?: boolean
  header?: string
}

const records = (data: string, usage = 3): DaneState => ({
  kind: 'Records',
  baseDomain: host,
  names: [host, domain],
  records: [{ usage, selector: 1, matchingType: 1, data }],
})
const matching = ({ behaviour: { certificate = 'good' } }: Server) =>
  records(keyDigest(setup.underPublic[certificate]))
const policy = (mode: 'enforce' | 'testing', mx = host): MtaStsState => ({
  kind: 'Policy',
  policy: { id: '1', mode, mx: [mx], maxAge: 86_400 },
})
const publications: Record<string, Publication> = {
  'nothing is published': {},
  'TLSA records match': { dane: matching, authentic: true },
  'TLSA records do not match': { dane: () => records('00'.repeat(32)), authentic: true },
  'TLSA records are unusable': { dane: () => records('00'.repeat(32), 1), authentic: true },
  'an MTA-STS policy lists the host': { mtaSts: policy('enforce') },
  'an MTA-STS policy lists another host': { mtaSts: policy('enforce', 'other.example') },
  'an MTA-STS policy is tested': { mtaSts: policy('testing') },
  'both match': { dane: matching, authentic: true, mtaSts: policy('enforce') },
  'REQUIRETLS and an authentic host': { authentic: true, requireTls: true },
  'REQUIRETLS and an unproven host': { requireTls: true },
  'TLS-Required: No and an MTA-STS policy': { mtaSts: policy('enforce'), header: 'TLS-Required: No\r\n' },
}

// Requirements

const requirements: Record<string, Partial<OutboundConnector> | null> = {
  'no connector': null,
  opportunistic: {},
  'no policies': { smtpDaneMode: 'None', mtaStsMode: 'None' },
  EncryptionOnly: { tlsSettings: 'EncryptionOnly' },
  'EncryptionOnly, or it bounces': { tlsSettings: 'EncryptionOnly', onTlsFailure: 'Bounce' },
  'TLS 1.3': { tlsSettings: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' },
  CertificateValidation: { tlsSettings: 'CertificateValidation' },
  DomainValidation: { tlsSettings: 'DomainValidation', tlsDomain: host },
  'another name': { tlsSettings: 'DomainValidation', tlsDomain: 'mx.another.example' },
  'own CA': {
    tlsSettings: 'DomainValidation',
    tlsDomain: host,
    certificateAuthorities: [setup.ownAuthority.ca],
  },
  HardFail: { tlsSettings: 'DomainValidation', tlsDomain: host, revocationCheck: 'HardFail' },
  'no revocation check': { tlsSettings: 'DomainValidation', tlsDomain: host, revocationCheck: 'None' },
  'report only': { tlsSettings: 'DomainValidation', tlsDomain: host, mode: 'ReportOnly' },
  'DANE is mandatory': { smtpDaneMode: 'Mandatory' },
  'MTA-STS is mandatory': { mtaStsMode: 'Mandatory' },
  'both are mandatory': {
    smtpDaneMode: 'Mandatory',
    mtaStsMode: 'Mandatory',
    tlsSettings: 'CertificateValidation',
  },
}

const settings = { defaultRoute: 'Mx' } as const

function connectorOf(fields: Partial<OutboundConnector> | null): OutboundConnector | null {
  return fields && outbound({ name: 'Partner', recipientDomains: [domain], ...fields })
}

const snapshotOf = (connector: OutboundConnector | null): Snapshot =>
  snapshot({ outbound: connector ? [connector] : [], acceptedDomains: [] })

/** From the organisation, so that the arrival has no influence. */
const mail = ({ requireTls = false }: Publication) => {
  const sent = message({ source: null, mailFrom: 'a@ours.example', direction: 'Originating' })
  return { ...sent, envelope: { ...sent.envelope, requireTls } }
}

async function attemptUnder(
  connector: OutboundConnector | null,
  publication: Publication,
  server: Server,
  { port }: HostileServer,
): Promise<{ attempt: Attempt; context: AttemptContext }> {
  const hop: NextHop = {
    ...{ host, ip: '127.0.0.1', port, foundBy: 'Mx' },
    authentic: publication.authentic ?? false,
    dane: publication.dane?.(server) ?? { kind: 'None' },
  }
  const requirement = connector ? requirementOf(connector) : opportunistic
  const content = Buffer.from(`${publication.header ?? ''}From: a@ours.example\r\n\r\ntext\r\n`)
  const outgoing = {
    message: mail(publication),
    recipients: [newRecipient(address)],
    content,
    tls: requirement,
  }
  const outcomes = await deliverToHops([hop], outgoing, {
    ...smtpOptions(),
    mtaSts: async () => publication.mtaSts ?? noMtaSts,
    checkRevocation: async () => ({ status: server.revocation ?? 'Good', detail: '' }),
  })
  const outcome = outcomes.get(address) ?? assert.fail('no outcome')
  return {
    attempt: { ...outcome, number: 1, at: receivedAt.toISOString(), durationMs: 0 },
    context: contextOf(connector, requirement),
  }
}

function contextOf(connector: OutboundConnector | null, requirement: TlsRequirement): AttemptContext {
  const route = { kind: 'Mx', domain } as const
  const job = { route, tls: requirement, ...(connector && { connector }) }
  return attemptContext(job as unknown as DeliveryJob)
}

// Results

interface Expected {
  outcome: string
  reason: string
  connector: string | null
  level: string
  tlsResult: string | undefined
}

function expectedOf(
  connector: OutboundConnector | null,
  publication: Publication,
  attempt: Attempt,
): Expected {
  const [verdict] = evaluate({
    snapshot: snapshotOf(connector),
    settings,
    message: mail(publication),
    recipients: [{ ...newRecipient(address), attempts: 1, lastAttempt: attempt }],
    now: receivedAt,
  })
  const isDelivered = attempt.outcome === 'Delivered'
  return {
    outcome: isDelivered ? 'Delivered' : verdict?.action === 'Bounce' ? 'Bounced' : 'Deferred',
    reason: isDelivered ? (connector ? 'ConnectorMatched' : 'DefaultRoute') : (verdict?.reason ?? ''),
    connector: connector?.id ?? null,
    level: attempt.policy,
    tlsResult: attempt.outcome === 'TlsNotMet' ? (attempt.tlsResult ?? undefined) : undefined,
  }
}

const counts = { determined: 0, undetermined: 0 }

/** Requirements under which a session without a requirement shows everything, except a revocation. */
const determinedRequirements = [
  'no connector',
  'opportunistic',
  'no policies',
  'EncryptionOnly',
  'EncryptionOnly, or it bounces',
  'TLS 1.3',
  'CertificateValidation',
  'DomainValidation',
  'another name',
  'no revocation check',
  'report only',
]

interface Case {
  isSame: boolean
  mustBeDetermined: boolean
  server: Server
}

function assertResult(
  result: DryRunResult,
  expected: Expected,
  { isSame, mustBeDetermined, server }: Case,
): void {
  if (result.outcome === 'Undetermined') {
    counts.undetermined += 1
    assert.ok(!isSame && !mustBeDetermined, result.missing)
    return
  }
  counts.determined += 1
  if (result.unlessRevoked && server.revocation === 'Revoked') return
  if (result.outcome === 'Sent') {
    assert.ok(!isSame)
    assert.notEqual(expected.reason, 'OutboundTlsNotMet')
    return
  }
  const { outcome, reason, connector, level, tlsResult } = result
  assert.deepEqual({ outcome, reason, connector }, pick(expected))
  if (level !== null) assert.equal(level, expected.level)
  if (tlsResult !== undefined) assert.equal(tlsResult, expected.tlsResult)
  if (isSame) assert.deepEqual([level, tlsResult], [expected.level, expected.tlsResult])
}

const pick = ({ outcome, reason, connector }: Expected) => ({ outcome, reason, connector })

for (const [name, server] of Object.entries(servers))
  test(`a dry run has the outcome of a real attempt when the server ${name}`, {
    timeout: 120_000,
  }, async () => {
    const { conduct = () => ({}), certificate = 'good', tls: options } = server.behaviour
    const running = await startHostileServer((number) => ({
      tls: { ...setup.underPublic[certificate], ...options },
      ...conduct(number),
    }))
    try {
      for (const [published, publication] of Object.entries(publications)) {
        const attempts = await Promise.all(
          Object.entries(requirements).map(async ([requirement, fields]) => {
            const connector = connectorOf(fields)
            return {
              requirement,
              connector,
              ...(await attemptUnder(connector, publication, server, running)),
            }
          }),
        )
        for (const past of attempts) {
          const facts = factsOfMessage(mail(publication), address, { attempt: past })
          for (const { requirement, connector, attempt } of attempts) {
            const result = dryRun(facts, snapshotOf(connector), settings)
            const expected = expectedOf(connector, publication, attempt)
            const isSame = requirement === past.requirement
            const mustBeDetermined =
              published === 'nothing is published' &&
              past.requirement === 'no connector' &&
              determinedRequirements.includes(requirement)
            try {
              assertResult(result, expected, { isSame, mustBeDetermined, server })
            } catch (error) {
              const circumstances = `${published}, from "${past.requirement}" to "${requirement}"`
              throw new Error(
                `${circumstances}: ${(error as Error).message}\n${JSON.stringify({ facts, result, expected })}`,
              )
            }
          }
        }
      }
    } finally {
      await running.stop()
    }
  })

test('most results are determined', () => {
  assert.ok(counts.determined > 25_000 && counts.undetermined < 20_000, JSON.stringify(counts))
})
