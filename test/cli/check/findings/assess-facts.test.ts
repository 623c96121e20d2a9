/** Tests findings about facts that no local server produces. */
import assert from 'node:assert/strict'
import 'reflect-metadata'
import { webcrypto, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { X509CertificateGenerator } from '@peculiar/x509'
import type { Facts, ServerFacts, SessionAttempt } from '../../../../cli/check/facts/facts.ts'
import { assessFacts } from '../../../../cli/check/findings/assess-facts.ts'
import { findingsText } from '../../../../cli/check/findings-text.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import type { EstablishedTls } from '../../../../shared/tls/assess-server-tls.ts'
import { signatureName } from '../../../../shared/tls/signature-name.ts'

const at = new Date('2026-02-03T11:00:00Z')

const tls: EstablishedTls = {
  kind: 'Established',
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: 'X25519',
  trusted: true,
  trustedBy: [],
  trustError: null,
  names: { subjectAltNames: [], commonName: null },
  fingerprint256: null,
  chain: ['MAo='],
  certificates: [],
}

const opening = (fields: Partial<SessionAttempt> = {}): SessionAttempt => ({
  ip: '192.0.2.1',
  reached: 'Secured',
  greeting: '220 mx.bank.example ESMTP',
  connectMs: 3,
  chunking: null,
  outcome: { kind: 'Tls', tls },
  ...fields,
})

const unreached = (ip: string, enhanced: string, text: string): SessionAttempt =>
  opening({
    ip,
    reached: 'Dialled',
    greeting: null,
    connectMs: null,
    outcome: { kind: 'Failed', reply: reply(451, enhanced, text) },
  })

const linesOf = (server: Partial<ServerFacts>): string[] => {
  const facts: Facts = {
    at,
    expected: null,
    certificates: null,
    server: {
      target: { host: 'mx.bank.example', port: 25 },
      addresses: { kind: 'Found', ips: ['192.0.2.1', '2001:db8::1'] },
      attempts: [opening()],
      probes: null,
      ...server,
    },
  }
  return findingsText(assessFacts(facts)).trimEnd().split('\n')
}

describe('the findings of `check`', () => {
  const rows: [string, Partial<ServerFacts>, string[]][] = [
    [
      'warn about one unreachable address of two',
      {
        attempts: [unreached('192.0.2.1', '4.4.315', 'Connection timed out'), opening({ ip: '2001:db8::1' })],
      },
      [
        'OK    address     mx.bank.example is 192.0.2.1, 2001:db8::1',
        'WARN  connection  192.0.2.1, port 25: Connection timed out → Check the address and the firewalls; many networks block outgoing port 25',
        'OK    connection  connected to 2001:db8::1, port 25, in 3 ms',
      ],
    ],
    [
      'fail when no address is reachable',
      {
        attempts: [
          unreached('192.0.2.1', '4.4.316', 'Connection refused'),
          unreached('2001:db8::1', '4.4.317', 'Next hop is unreachable: ENETUNREACH'),
        ],
      },
      [
        'OK    address     mx.bank.example is 192.0.2.1, 2001:db8::1',
        'WARN  connection  192.0.2.1, port 25: Connection refused → No server accepts connections on port 25: check the port, the server and its firewall',
        'FAIL  connection  2001:db8::1, port 25: Next hop is unreachable: ENETUNREACH → Check the address and the firewalls; many networks block outgoing port 25',
        '',
        '1 OK, 1 WARN, 1 FAIL',
      ],
    ],
    [
      'name the MX hosts when HOST is a mail domain without an address',
      {
        target: { host: 'bank.example', port: 25 },
        addresses: {
          kind: 'Failed',
          cause: 'no such name',
          mxHosts: ['mx1.bank.example', 'mx2.bank.example'],
        },
        attempts: [],
      },
      [
        'FAIL  address  no address found for bank.example: no such name → This is a mail domain; check its MX hosts mx1.bank.example, mx2.bank.example instead',
      ],
    ],
    [
      'explain that port 465 uses implicit TLS when the server sends no greeting there',
      {
        target: { host: '192.0.2.1', port: 465 },
        addresses: { kind: 'Given' },
        attempts: [
          opening({
            reached: 'Connected',
            greeting: null,
            outcome: { kind: 'Failed', reply: reply(451, '4.4.315', 'Connection timed out') },
          }),
        ],
      },
      [
        'OK    connection  connected to 192.0.2.1, port 465, in 3 ms',
        'FAIL  greeting    Connection timed out → Port 465 uses TLS from the first octet (implicit TLS); use port 25 for mail between servers',
      ],
    ],
  ]
  for (const [title, server, expected] of rows)
    test(title, () => assert.deepEqual(linesOf(server).slice(0, expected.length), expected))

  for (const [chunking, line] of [
    [{ kind: 'Accepted' }, /^OK +chunking +announced; mail is sent by BDAT$/],
    [
      { kind: 'NotTested' },
      /^WARN +chunking +announced, but the server did not reply to BDAT → Mail is sent by/,
    ],
  ] as const)
    test(`show CHUNKING that is ${chunking.kind}`, () =>
      assert.match(
        linesOf({ attempts: [opening({ chunking })] }).find((each) => each.includes('chunking')) ?? '',
        line,
      ))

  test('fail when the server presents no readable certificate', () => {
    const bare = opening({ outcome: { kind: 'Tls', tls: { ...tls, chain: [] } } })
    const line = linesOf({ attempts: [bare] }).find((each) => each.includes(' certificate '))
    assert.match(
      line ?? '',
      /^FAIL .*the server presented no readable certificate → Install a PEM certificate/,
    )
  })

  test('warn when the check could not test TLS 1.0 and 1.1', () => {
    const extra = { legacyTls: { kind: 'NotTested', cause: '421 too many' }, staple: null } as const
    assert.ok(
      linesOf({ probes: extra }).includes(
        'WARN  older       not tested: 421 too many → Run the check again later; some servers limit connections',
      ),
    )
  })

  test('fail for a key exchange without forward secrecy', () => {
    const weak = { ...tls, protocol: 'TLSv1.2', cipher: 'TLS_RSA_WITH_AES_256_GCM_SHA384', group: null }
    const line = linesOf({ attempts: [opening({ outcome: { kind: 'Tls', tls: weak } })] }).find((each) =>
      each.includes('cipher'),
    )
    assert.match(line ?? '', /^FAIL .*no forward secrecy → .*Prefer ECDHE$/)
  })
})

describe('the name of an RSASSA-PSS signature includes the digest', () => {
  for (const hash of ['SHA-1', 'SHA-256', 'SHA-512'])
    test(hash, async () => {
      const signingAlgorithm = { name: 'RSA-PSS', hash, saltLength: 32 }
      const generated = {
        ...signingAlgorithm,
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      }
      const keys = (await webcrypto.subtle.generateKey(generated, true, [
        'sign',
        'verify',
      ])) as webcrypto.CryptoKeyPair
      const written = await X509CertificateGenerator.createSelfSigned({
        name: 'CN=x',
        keys,
        signingAlgorithm,
      })
      const certificate = new X509Certificate(Buffer.from(written.rawData))
      assert.equal(signatureName(certificate), `rsassaPss with ${hash}`)
    })
})
