/** Sentences about connectors, and about changes of their stages. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  inboundSentences,
  levelIn,
  levelOut,
  outboundSentences,
} from '../../../../../../functions/console/app/screens/partners/connector-text.ts'
import {
  isWeakening,
  stageEffects,
} from '../../../../../../functions/console/app/screens/partners/stage-change.ts'
import {
  stageOf,
  stages,
  valuesOfStage,
} from '../../../../../../functions/console/app/screens/partners/stages.ts'
import { requiredClientLevel } from '../../../../../../shared/policy/required-client-level.ts'
import { inboundOf, outboundOf } from './connectors.ts'

describe('levels', () => {
  test('of clients are those that the program records', () => {
    const names = ['mx.bank.example']
    for (const fields of [
      { requireTls: false },
      {},
      { restrictDomainsToCertificate: true, tlsSenderCertificateNames: names },
      { restrictDomainsToCertificate: true, certificateFingerprints: ['00'] },
    ]) {
      const connector = inboundOf(fields)
      assert.equal(levelIn(connector), requiredClientLevel(connector as never))
    }
    assert.equal(levelIn(inboundOf({ minimumTlsVersion: 'TLSv1.3' })), 'EncryptionOnly, TLS 1.3')
  })

  test('of next hops name each policy that is demanded', () => {
    assert.equal(levelOut(outboundOf({ tlsSettings: null })), 'Opportunistic')
    assert.equal(levelOut(outboundOf({ tlsSettings: null, smtpDaneMode: 'Mandatory' })), 'Dane')
    const strict = {
      smtpDaneMode: 'Mandatory',
      mtaStsMode: 'Mandatory',
      minimumTlsVersion: 'TLSv1.3',
    } as const
    assert.equal(levelOut(outboundOf(strict)), 'EncryptionOnly, TLS 1.3, DANE, MTA-STS')
  })
})

describe('requirements', () => {
  test('of an inbound connector are sentences', () => {
    assert.deepEqual(inboundSentences(inboundOf()), [
      'Mail from bank.example must arrive over TLS 1.2 or later.',
      'Other mail is refused.',
    ])
    const strict = inboundOf({
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mx.bank.example'],
      certificateAuthorities: ['PEM'],
      requireDmarc: true,
      messageRateLimit: 1,
      associatedAcceptedDomains: ['ours.example'],
      onViolation: 'Defer',
    })
    assert.deepEqual(inboundSentences(strict).slice(1), [
      'The client must present a certificate for mx.bank.example.',
      'The mail must pass DMARC.',
      'Only 1 certificate authority of this connector is trusted.',
      'At most 1 message a minute are accepted.',
      'It applies only to recipients in ours.example.',
      'Other mail is held until the connector is corrected, or an administrator releases it.',
    ])
  })

  test('of a connector that is not enforced have no consequence yet', () => {
    assert.equal(
      inboundSentences(inboundOf({ mode: 'ReportOnly' })).at(-1),
      'Once the connector is enforced, other mail is refused.',
    )
    assert.match(outboundSentences(outboundOf({ enabled: false })).at(-1) ?? '', /^Once the connector is/)
  })

  test('of the organisation’s servers say how they are identified', () => {
    const connector = inboundOf({
      connectorType: 'OnPremises',
      senderDomains: ['*'],
      senderIpAddresses: ['192.0.2.1'],
      certificateFingerprints: ['00', '01'],
    })
    assert.deepEqual(inboundSentences(connector).slice(0, 2), [
      'Mail from every domain must arrive over TLS 1.2 or later.',
      'Your servers are identified by 2 pinned certificates and the addresses 192.0.2.1, and may relay.',
    ])
  })

  test('of an outbound connector are sentences', () => {
    assert.deepEqual(
      outboundSentences(outboundOf({ tlsSettings: 'DomainValidation', tlsDomain: '*.bank.example' })),
      [
        'Mail to bank.example goes to the MX hosts of the domain.',
        'The server must negotiate TLS 1.2 or later.',
        'It must present a valid certificate of a trusted authority for *.bank.example.',
        'The public authorities are trusted.',
        'Where a server does not meet this, mail is deferred. It bounces after 24 hours.',
      ],
    )
    assert.deepEqual(
      outboundSentences(
        outboundOf({ tlsSettings: null, route: 'SmartHosts', smartHosts: [{ host: 'a.example', port: 26 }] }),
      ),
      [
        'Mail to bank.example goes through a.example:26.',
        'TLS is used where it works. Otherwise mail is sent in the clear.',
        'If the domain publishes TLSA records (DANE) or an MTA-STS policy, they apply.',
      ],
    )
  })
})

describe('a change of the stage', () => {
  test('says what is refused, and what is no longer required', () => {
    assert.deepEqual(stageEffects(inboundOf({ mode: 'ReportOnly' }), 'Enforce'), [
      'Mail from bank.example without TLS is refused.',
    ])
    for (const before of [inboundOf({ mode: 'ReportOnly' }), inboundOf()])
      assert.deepEqual(stageEffects(before, 'Hold'), ['Mail from bank.example without TLS is held.'])
    assert.deepEqual(stageEffects(inboundOf({ onViolation: 'Defer' }), 'Enforce'), [
      'Mail from bank.example without TLS is refused.',
    ])
    assert.match(
      stageEffects(inboundOf(), 'ReportOnly').join(' '),
      /no longer requires TLS .* accepted in the clear/,
    )
    assert.match(stageEffects(inboundOf({ enabled: false }), 'ReportOnly').join(' '), /mail is not affected/)
    assert.match(
      stageEffects(inboundOf({ connectorType: 'OnPremises' }), 'Disabled').join(' '),
      /may no longer relay/,
    )
  })

  test('says which mail is deferred, and which may be sent in the clear', () => {
    assert.deepEqual(stageEffects(outboundOf({ mode: 'ReportOnly' }), 'Hold'), [
      'Mail to bank.example is sent through this connector (Mx). Where a server does not meet EncryptionOnly, the mail is deferred.',
    ])
    assert.deepEqual(stageEffects(outboundOf(), 'Enforce'), [
      'Where a server does not meet EncryptionOnly, the mail is bounced.',
    ])
    assert.match(stageEffects(outboundOf(), 'ReportOnly').join(' '), /may be sent in the clear/)
    assert.match(stageEffects(outboundOf(), 'Disabled').join(' '), /may be sent in the clear/)
    assert.doesNotMatch(stageEffects(outboundOf({ mode: 'ReportOnly' }), 'Disabled').join(' '), /clear/)
    assert.match(stageEffects(outboundOf({ allAcceptedDomains: true }), 'Disabled').join(' '), /deferred/)
  })

  test('writes the fields of the stage', () => {
    for (const direction of ['inbound', 'outbound'] as const)
      for (const stage of stages) {
        const values = { enabled: true, mode: 'Enforce', ...valuesOfStage(direction, stage) }
        assert.equal(stageOf(direction, values), stage)
      }
    assert.deepEqual(valuesOfStage('inbound', 'Disabled'), { enabled: false })
    assert.equal(stageOf('inbound', inboundOf()), 'Enforce')
    assert.equal(stageOf('outbound', outboundOf()), 'Hold')
  })

  test('weakens in one direction', () => {
    assert.equal(isWeakening(inboundOf(), 'Hold'), false)
    assert.equal(isWeakening(outboundOf(), 'ReportOnly'), true)
    assert.equal(isWeakening(inboundOf(), 'ReportOnly'), true)
    assert.equal(isWeakening(inboundOf({ mode: 'ReportOnly' }), 'Enforce'), false)
    assert.equal(isWeakening(inboundOf({ mode: 'ReportOnly' }), 'Disabled'), true)
  })
})
