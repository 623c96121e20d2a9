import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Message, Recipient } from '../../../shared/contract/message.ts'
import { evaluate } from '../../../shared/policy/evaluate.ts'
import {
  attempt,
  inbound,
  message,
  minutesLater,
  outbound,
  recipient,
  snapshot,
} from '../../support/fixtures.ts'

const refused = attempt({
  outcome: 'PermanentFailure',
  reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
})

interface Case {
  ret?: 'FULL' | 'HDRS' | null
  envelope?: Partial<Message['envelope']>
  of?: Partial<Message>
  connectors?: Parameters<typeof snapshot>[0]
  recipient?: Partial<Recipient>
}

/** Whether a bounce of mail from elsewhere to our own domain may bring it back; null when it is no bounce. */
function returns({ ret = 'FULL', envelope, of, connectors = {}, recipient: to }: Case): boolean | null {
  const plain = message()
  const mail: Message = {
    ...plain,
    ...of,
    envelope: { ...plain.envelope, dsn: { ret, envid: null }, ...envelope },
  }
  const [verdict] = evaluate({
    snapshot: snapshot(connectors),
    settings: { defaultRoute: 'Mx' },
    message: mail,
    recipients: [recipient({ lastAttempt: refused, ...to })],
    now: minutesLater(1),
  })
  return verdict?.action === 'Bounce' ? (verdict.mayReturnContent ?? false) : null
}

const partner = (fields = {}) =>
  inbound({ senderDomains: ['elsewhere.example'], requireTls: false, ...fields })
const toOurs = (fields = {}) => outbound({ recipientDomains: ['ours.example'], ...fields })

describe('the whole message may come back', () => {
  const rows: [when: string, given: Case, may: boolean][] = [
    ['when RET=FULL asks for it and nothing protects it', {}, true],
    [
      'when its connectors demand no TLS',
      { connectors: { inbound: [partner()], outbound: [toOurs()] } },
      true,
    ],
    ['unless RET=HDRS', { ret: 'HDRS' }, false],
    ['unless RET is left out', { ret: null }, false],
    ['unless it asked for REQUIRETLS', { envelope: { requireTls: true } }, false],
    [
      'unless its Partner connector requires TLS',
      { connectors: { inbound: [partner({ requireTls: true })] } },
      false,
    ],
    [
      'unless its Partner connector would require TLS',
      { connectors: { inbound: [partner({ requireTls: true, mode: 'ReportOnly' })] } },
      false,
    ],
    [
      'unless it is our own organisation’s, whose server comes by TLS',
      {
        of: { attributedTo: 'id-own' },
        connectors: {
          inbound: [
            inbound({
              name: 'Own',
              connectorType: 'OnPremises',
              senderDomains: ['*'],
              senderIpAddresses: ['192.0.2.1'],
              requireTls: true,
            }),
          ],
        },
      },
      false,
    ],
    ['unless it came by a connector that is gone', { of: { attributedTo: 'id-gone' } }, false],
    ...(['EncryptionOnly', 'CertificateValidation'] as const).map((tlsSettings): [string, Case, boolean] => [
      `unless an outbound connector demands ${tlsSettings}`,
      { connectors: { outbound: [toOurs({ tlsSettings })] } },
      false,
    ]),
    [
      'unless an outbound connector would demand TLS',
      { connectors: { outbound: [toOurs({ tlsSettings: 'EncryptionOnly', mode: 'ReportOnly' })] } },
      false,
    ],
    ...(['EncryptionOnly', 'DomainValidation', 'Dane'] as const).map((policy): [string, Case, boolean] => [
      `unless the last attempt was under ${policy}, by whomever`,
      { recipient: { lastAttempt: { ...refused, policy } } },
      false,
    ]),
  ]
  for (const [when, given, may] of rows) test(when, () => assert.equal(returns(given), may))
})
