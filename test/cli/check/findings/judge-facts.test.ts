/** What is said of facts that no server on this machine shows. */
import assert from 'node:assert/strict'
import 'reflect-metadata'
import { webcrypto, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { X509CertificateGenerator } from '@peculiar/x509'
import type { Facts, Opening, ServerFacts } from '../../../../cli/check/facts/facts.ts'
import { signatureName } from '../../../../cli/check/findings/algorithm-names.ts'
import { judgeFacts } from '../../../../cli/check/findings/judge-facts.ts'
import { findingsText } from '../../../../cli/check/findings-text.ts'
import { reply } from '../../../../shared/mail/reply.ts'
import type { EstablishedTls } from '../../../../shared/tls/server-certificate.ts'

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

const opening = (fields: Partial<Opening> = {}): Opening => ({
  ip: '192.0.2.1',
  reached: 'Secured',
  greeting: '220 mx.bank.example ESMTP',
  milliseconds: 3,
  outcome: { kind: 'Tls', tls },
  ...fields,
})

const unreached = (ip: string, detail: string, text: string): Opening =>
  opening({
    ip,
    reached: 'Dialled',
    greeting: null,
    milliseconds: null,
    outcome: { kind: 'Failed', reply: reply(451, detail, text) },
  })

const linesOf = (server: Partial<ServerFacts>): string[] => {
  const facts: Facts = {
    at,
    expected: null,
    certificates: null,
    server: {
      target: { host: 'mx.bank.example', port: 25 },
      addresses: { kind: 'Found', ips: ['192.0.2.1', '2001:db8::1'] },
      openings: [opening()],
      extra: null,
      ...server,
    },
  }
  return findingsText(judgeFacts(facts)).trimEnd().split('\n')
}

describe('a server of which', () => {
  const rows: [string, Partial<ServerFacts>, string[]][] = [
    [
      'one address does not answer, and another does',
      { openings: [unreached('192.0.2.1', '4.315', 'Connection timed out'), opening({ ip: '2001:db8::1' })] },
      [
        'OK    address     mx.bank.example is 192.0.2.1, 2001:db8::1',
        'WARN  connection  192.0.2.1, port 25: Connection timed out → Check the address, and every firewall on the way; many networks let nothing out to port 25',
        'OK    connection  connected to 2001:db8::1, port 25, in 3 ms',
      ],
    ],
    [
      'no address answers',
      {
        openings: [
          unreached('192.0.2.1', '4.316', 'Connection refused'),
          unreached('2001:db8::1', '4.317', 'Next hop is unreachable: ENETUNREACH'),
        ],
      },
      [
        'OK    address     mx.bank.example is 192.0.2.1, 2001:db8::1',
        'WARN  connection  192.0.2.1, port 25: Connection refused → Nothing takes connections on port 25 there: check the port, the server and its firewall',
        'FAIL  connection  2001:db8::1, port 25: Next hop is unreachable: ENETUNREACH → Check the address, and every firewall on the way; many networks let nothing out to port 25',
        '',
        '1 OK, 1 WARN, 1 FAIL',
      ],
    ],
    [
      'the name is that of a domain',
      {
        target: { host: 'bank.example', port: 25 },
        addresses: {
          kind: 'Failed',
          cause: 'no such name',
          exchanges: ['mx1.bank.example', 'mx2.bank.example'],
        },
        openings: [],
      },
      [
        'FAIL  address  no address of bank.example was found: no such name → It is a domain, and its mail goes to mx1.bank.example, mx2.bank.example: check these',
      ],
    ],
    [
      'the port is that of TLS from the first octet',
      {
        target: { host: '192.0.2.1', port: 465 },
        addresses: { kind: 'Given' },
        openings: [
          opening({
            reached: 'Connected',
            greeting: null,
            outcome: { kind: 'Failed', reply: reply(451, '4.315', 'Connection timed out') },
          }),
        ],
      },
      [
        'OK    connection  connected to 192.0.2.1, port 465, in 3 ms',
        'FAIL  greeting    Connection timed out → Port 465 speaks TLS from the first octet; servers hand mail to each other on port 25',
      ],
    ],
  ]
  for (const [what, server, expected] of rows)
    test(what, () => assert.deepEqual(linesOf(server).slice(0, expected.length), expected))

  test('no certificate came that can be read fails', () => {
    const bare = opening({ outcome: { kind: 'Tls', tls: { ...tls, chain: [] } } })
    const line = linesOf({ openings: [bare] }).find((each) => each.includes(' certificate '))
    assert.match(line ?? '', /^FAIL .*none came that can be read → Install a certificate/)
  })

  test('the old versions could not be tried is warned of', () => {
    const extra = { old: { kind: 'Untried', cause: '421 too many' }, staple: null } as const
    assert.ok(
      linesOf({ extra }).includes(
        'WARN  older       could not be tried: 421 too many → Ask again later; some servers limit connections',
      ),
    )
  })

  test('the key exchange has no forward secrecy fails', () => {
    const weak = { ...tls, protocol: 'TLSv1.2', cipher: 'TLS_RSA_WITH_AES_256_GCM_SHA384', group: null }
    const line = linesOf({ openings: [opening({ outcome: { kind: 'Tls', tls: weak } })] }).find((each) =>
      each.includes('cipher'),
    )
    assert.match(line ?? '', /^FAIL .*no forward secrecy → .*Prefer ECDHE$/)
  })
})

describe('a signature by RSASSA-PSS is told with its digest', () => {
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
