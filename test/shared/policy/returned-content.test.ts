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

/** Whether the DSN for mail to an accepted domain may return the content; null if the mail does not bounce. */
function mayReturn({ ret = 'FULL', envelope, of, connectors = {}, recipient: fields }: Case): boolean | null {
  const base = message()
  const mail: Message = {
    ...base,
    ...of,
    envelope: { ...base.envelope, dsn: { ret, envid: null }, ...envelope },
  }
  const [verdict] = evaluate({
    snapshot: snapshot(connectors),
    settings: { defaultRoute: 'Mx' },
    message: mail,
    recipients: [recipient({ lastAttempt: refused, ...fields })],
    now: minutesLater(1),
  })
  return verdict?.action === 'Bounce' ? (verdict.mayReturnContent ?? false) : null
}

const partner = (fields = {}) =>
  inbound({ senderDomains: ['elsewhere.example'], requireTls: false, ...fields })
const toAcceptedDomain = (fields = {}) => outbound({ recipientDomains: ['ours.example'], ...fields })

describe('a failure DSN may return the whole message', () => {
  const rows: [when: string, given: Case, may: boolean][] = [
    ['with RET=FULL if no connector matches it', {}, true],
    [
      'with RET=FULL if its connectors require no TLS',
      { connectors: { inbound: [partner()], outbound: [toAcceptedDomain()] } },
      true,
    ],
    ['not with RET=HDRS', { ret: 'HDRS' }, false],
    ['not without RET', { ret: null }, false],
    ['not with REQUIRETLS', { envelope: { requireTls: true } }, false],
    [
      'not if its Partner connector requires TLS',
      { connectors: { inbound: [partner({ requireTls: true })] } },
      false,
    ],
    [
      'not if its report-only Partner connector requires TLS',
      { connectors: { inbound: [partner({ requireTls: true, mode: 'ReportOnly' })] } },
      false,
    ],
    [
      "not if it comes from the organisation's server, whose connector requires TLS",
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
    ['not if it is attributed to a deleted connector', { of: { attributedTo: 'id-gone' } }, false],
    ...(['EncryptionOnly', 'CertificateValidation'] as const).map((tlsSettings): [string, Case, boolean] => [
      `not if its outbound connector requires ${tlsSettings}`,
      { connectors: { outbound: [toAcceptedDomain({ tlsSettings })] } },
      false,
    ]),
    [
      'not if its report-only outbound connector requires TLS',
      { connectors: { outbound: [toAcceptedDomain({ tlsSettings: 'EncryptionOnly', mode: 'ReportOnly' })] } },
      false,
    ],
    ...(['EncryptionOnly', 'DomainValidation', 'Dane'] as const).map((policy): [string, Case, boolean] => [
      `not if its last attempt was under the TLS level ${policy}`,
      { recipient: { lastAttempt: { ...refused, policy } } },
      false,
    ]),
  ]
  for (const [when, given, expected] of rows) test(when, () => assert.equal(mayReturn(given), expected))
})
