/** The criteria for servers that handshakes can measure. Sources: docs/generated/conformance.md. Pure. */
import {
  bsiProjects,
  bsiTls,
  type Criterion,
  ifMeasured,
  internetNl,
  metIf,
  metIfNone,
  mozilla,
  nist,
  notApplicable,
  notMeasured,
} from './criterion.ts'
import type { TlsServerFacts } from './facts.ts'
import { extensionTypes } from './hello.ts'
import { bySuites, groupCriteria, suiteCriteria } from './suite-criteria.ts'

type Facts = TlsServerFacts
type ServerCriterion = Criterion<Facts>

/** Whether the server uses the extension in TLS 1.2. */
const answersWith = (type: number, isWanted: boolean) => (facts: Facts) =>
  ifMeasured(facts.hello, ({ extensions }) => {
    const isPresent = extensions.includes(type)
    return metIf(isPresent === isWanted, isPresent ? 'used' : 'not used')
  })

const byHello = 'ClientHello of TLS 1.2, and the ServerHello'

const versionCriteria: ServerCriterion[] = [
  {
    id: 'old-versions',
    requirement: 'SSL 3, TLS 1.0 and TLS 1.1 are refused',
    references: [
      internetNl('TLS version', 'must'),
      bsiTls('§3.2', 'must'),
      nist('§3.1', 'must'),
      mozilla('tls_versions', 'should'),
    ],
    method: 'ClientHello of each version',
    assess: ({ versions }) =>
      ifMeasured(versions, (accepted) =>
        metIfNone(
          accepted.filter((version) => !['TLSv1.2', 'TLSv1.3'].includes(version)),
          'refused',
        ),
      ),
    advice: 'Disable SSL 3, TLS 1.0 and TLS 1.1',
  },
  ...(['TLSv1.2', 'TLSv1.3'] as const).map(
    (version): ServerCriterion => ({
      id: version === 'TLSv1.2' ? 'tls12' : 'tls13',
      requirement: `${version.replace('v', ' ')} is offered`,
      references:
        version === 'TLSv1.2'
          ? [bsiProjects('profile TLS_1.2', 'must'), nist('§3.1', 'must'), mozilla('tls_versions', 'should')]
          : [
              nist('§3.1', 'must'),
              bsiProjects('profile TLS_1.3', 'should'),
              mozilla('tls_versions', 'should'),
            ],
      method: 'ClientHello of each version',
      assess: ({ versions }) =>
        ifMeasured(versions, (accepted) => metIf(accepted.includes(version), accepted.join(', '))),
      advice: `Enable ${version.replace('v', ' ')}`,
    }),
  ),
]

const handshakeCriteria: ServerCriterion[] = [
  ...(['SHA-1', 'SHA-224'] as const).map(
    (hash): ServerCriterion => ({
      id: hash === 'SHA-1' ? 'signature-sha1' : 'signature-sha224',
      requirement: `No key exchange is signed with ${hash}`,
      references: [internetNl('key exchange hash function', 'should'), bsiTls('§3.3.3', 'should')],
      method: `ClientHello of TLS 1.2 that offers only ${hash}`,
      assess: ({ weakSignatures }) =>
        ifMeasured(weakSignatures, (found) =>
          metIf(!found.includes(hash), found.includes(hash) ? 'used' : 'refused'),
        ),
      advice: `Disable signatures with ${hash}`,
    }),
  ),
  {
    id: 'compression',
    requirement: 'No TLS compression',
    references: [internetNl('compression', 'must'), bsiTls('§3.3.4.3', 'must'), nist('§3.7', 'must')],
    method: byHello,
    assess: ({ hello }) =>
      ifMeasured(hello, ({ compression }) => metIf(!compression, compression ? 'DEFLATE' : 'none')),
    advice: 'Disable TLS compression',
  },
  {
    id: 'secure-renegotiation',
    requirement: 'Secure renegotiation (RFC 5746) is supported',
    references: [internetNl('secure renegotiation', 'must'), nist('§3.4', 'must')],
    method: byHello,
    assess: answersWith(extensionTypes.renegotiationInfo, true),
    advice: 'Update the TLS library of the server',
  },
  {
    id: 'client-renegotiation',
    requirement: 'A client cannot renegotiate',
    references: [bsiTls('§3.3.4.1', 'must'), internetNl('client-initiated renegotiation', 'optional')],
    method: 'renegotiation after a handshake with TLS 1.2',
    assess: ({ clientRenegotiation }) =>
      ifMeasured(clientRenegotiation, (result) => metIf(result === 'Refused', result.toLowerCase())),
    advice: 'Disable renegotiation by clients',
  },
  {
    id: 'extended-master-secret',
    requirement: 'Extended master secret (RFC 7627) in TLS 1.2',
    references: [
      internetNl('Extended Master Secret', 'must'),
      nist('§3.4', 'must'),
      bsiTls('§3.3.4.7', 'should'),
    ],
    method: byHello,
    assess: answersWith(extensionTypes.extendedMasterSecret, true),
    advice: 'Update the TLS library of the server',
  },
  {
    id: 'encrypt-then-mac',
    requirement: 'Encrypt-then-MAC with CBC suites',
    references: [bsiTls('§3.3.4.5', 'should')],
    method: bySuites,
    assess: ({ suites: { tls12 } }) =>
      ifMeasured(tls12, (suites) =>
        suites.some((suite) => suite.includes('_CBC_')) ? notMeasured : notApplicable('no CBC suite'),
      ),
    advice: 'Disable CBC suites',
  },
  {
    id: 'truncated-hmac',
    requirement: 'No truncated HMAC',
    references: [bsiTls('§3.3.4.2', 'must'), bsiProjects('profile NO_TRUNC_HMAC', 'must')],
    method: byHello,
    assess: answersWith(extensionTypes.truncatedHmac, false),
    advice: 'Disable truncated HMAC',
  },
  {
    id: 'heartbeat',
    requirement: 'No heartbeat',
    references: [bsiTls('§3.3.4.6', 'must')],
    method: byHello,
    assess: answersWith(extensionTypes.heartbeat, false),
    advice: 'Disable the heartbeat extension',
  },
  {
    id: 'early-data',
    requirement: 'No early data (0-RTT)',
    references: [bsiProjects('§2.3.1', 'must'), nist('§3.4', 'should')],
    method: 'ticket of a handshake with TLS 1.3',
    assess: ({ ticket }) =>
      ifMeasured(ticket, ({ maxEarlyDataOctets }) =>
        metIf(maxEarlyDataOctets === 0, `at most ${maxEarlyDataOctets} octets`),
      ),
    advice: 'Disable early data',
  },
  {
    id: 'session-lifetime',
    requirement: 'A TLS session is resumed for at most 48 hours',
    references: [bsiProjects('profile DURATION', 'should')],
    method: 'ticket of a handshake with TLS 1.3',
    assess: ({ ticket }) =>
      ifMeasured(ticket, ({ lifetimeSeconds }) => metIf(lifetimeSeconds <= 172_800, `${lifetimeSeconds} s`)),
    advice: 'Shorten the lifetime of session tickets',
  },
]

export const serverCriteria: readonly ServerCriterion[] = [
  ...versionCriteria,
  ...suiteCriteria,
  ...groupCriteria,
  ...handshakeCriteria,
]
