/** The criteria for a server's cipher suites and groups. Pure. */
import {
  hasForwardSecrecy,
  isBsiGroup,
  isBsiSuite,
  isGoodGroup,
  isMozillaGroup,
  isMozillaSuite,
  isNistSuite,
  isPhaseOutGroup,
  isPhaseOutSuite,
  isSufficientSuite,
} from './allowed.ts'
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

type Facts = TlsServerFacts
type ServerCriterion = Criterion<Facts>

const everySuiteOf = ({ suites: { tls12, tls13 } }: Facts): string[] | null =>
  tls12 && tls13 && [...tls13, ...tls12]
const everyGroupOf = ({ groups: { tls12, tls13 } }: Facts): string[] | null =>
  tls12 && tls13 && [...new Set([...tls13, ...tls12])]

const suitesWithout = (isPermitted: (suite: string) => boolean) => (facts: Facts) =>
  ifMeasured(everySuiteOf(facts), (suites) =>
    metIfNone(
      suites.filter((suite) => !isPermitted(suite)),
      `${suites.length} suites`,
    ),
  )
const groupsWithout = (isPermitted: (group: string) => boolean) => (facts: Facts) =>
  ifMeasured(everyGroupOf(facts), (groups) =>
    metIfNone(
      groups.filter((group) => !isPermitted(group)),
      groups.join(', '),
    ),
  )

export const bySuites = 'ClientHello with every suite of the registry, repeated without the selected suite'
const byGroups = 'ClientHello with every group, repeated without the selected group'

export const suiteCriteria: ServerCriterion[] = [
  {
    id: 'suites',
    requirement: 'No insufficient cipher suite',
    references: [internetNl('ciphers', 'must')],
    method: bySuites,
    assess: suitesWithout((suite) => isSufficientSuite(suite) || isPhaseOutSuite(suite)),
    advice: 'Disable these suites',
  },
  {
    id: 'suites-phase-out',
    requirement: 'No cipher suite to be phased out',
    references: [internetNl('ciphers', 'should')],
    method: bySuites,
    assess: suitesWithout((suite) => !isPhaseOutSuite(suite)),
    advice: 'Plan to disable these suites',
  },
  {
    id: 'forward-secrecy',
    requirement: 'Only key exchange with forward secrecy',
    references: [nist('§3.3', 'should'), bsiTls('§3.3.1', 'should')],
    method: bySuites,
    assess: suitesWithout(hasForwardSecrecy),
    advice: 'Disable suites without ECDHE or DHE',
  },
  {
    id: 'suites-bsi-required',
    requirement: 'TLS_AES_128_GCM_SHA256, and in TLS 1.2 ECDHE with AES-128-GCM or AES-128-CBC and SHA-256',
    references: [bsiProjects('§2.2.1.2, §2.3.2', 'must')],
    method: bySuites,
    assess: (facts) =>
      ifMeasured(everySuiteOf(facts), (suites) => {
        const found = suites.filter((suite) =>
          /^TLS_(AES|ECDHE_(ECDSA|RSA)_WITH_AES)_128_(GCM|CBC)_SHA256$/.test(suite),
        )
        const hasBoth = found.includes('TLS_AES_128_GCM_SHA256') && found.length > 1
        return metIf(hasBoth, found.join(', ') || 'none')
      }),
    advice: 'Enable these suites',
  },
  {
    id: 'suites-bsi',
    requirement: 'Only suites that the guideline recommends',
    references: [bsiTls('tables 1 and 12', 'should')],
    method: bySuites,
    assess: suitesWithout(isBsiSuite),
    advice: 'The guideline does not recommend these suites',
  },
  {
    id: 'suites-nist',
    requirement: 'Only suites of algorithms that NIST approves',
    references: [nist('§3.3.1', 'must')],
    method: bySuites,
    assess: suitesWithout(isNistSuite),
    advice: 'Disable these suites if the guideline applies to you',
  },
  {
    id: 'suites-mozilla',
    requirement: 'Only suites of the intermediate configuration',
    references: [mozilla('ciphers, ciphersuites', 'should')],
    method: bySuites,
    assess: suitesWithout(isMozillaSuite),
    advice: 'Disable these suites',
  },
  {
    id: 'suite-order',
    requirement: 'The server selects the suite, sufficient ones before those to be phased out',
    references: [internetNl('cipher order', 'must')],
    method: `${bySuites}; then the selected suites in reverse order`,
    assess: ({ suites: { tls12 }, serverOrderDecides }) =>
      ifMeasured(tls12, (suites) => {
        const firstPhaseOut = suites.findIndex((suite) => !isSufficientSuite(suite))
        if (firstPhaseOut === -1 && serverOrderDecides !== true)
          return notApplicable('all suites are of one class')
        const isOrdered = firstPhaseOut === -1 || !suites.slice(firstPhaseOut).some(isSufficientSuite)
        return serverOrderDecides === null
          ? notMeasured
          : metIf(
              serverOrderDecides && isOrdered,
              serverOrderDecides ? suites.join(', ') : "the client's order decides",
            )
      }),
    advice: 'Prefer the order of the server, with ECDHE and AES-GCM or ChaCha20-Poly1305 first',
  },
]

/**
 * In TLS 1.2 a server that has only an ECDSA certificate refuses a client that does not offer the certificate's curve.
 * So the groups after that curve in the server's order remain unknown.
 */
const canMissGroups = ({ suites: { tls12 } }: Facts): boolean =>
  !tls12?.some((suite) => suite.includes('_RSA_'))

export const groupCriteria: ServerCriterion[] = [
  {
    id: 'groups',
    requirement: 'No insufficient group for the key exchange',
    references: [internetNl('key exchange parameters', 'must')],
    method: byGroups,
    assess: groupsWithout((group) => isGoodGroup(group) || isPhaseOutGroup(group)),
    advice: 'Disable these groups',
  },
  {
    id: 'groups-phase-out',
    requirement: 'No group to be phased out',
    references: [internetNl('key exchange parameters', 'should')],
    method: byGroups,
    assess: groupsWithout((group) => !isPhaseOutGroup(group)),
    advice: 'Plan to disable these groups',
  },
  {
    id: 'groups-bsi-required',
    requirement: 'secp256r1 and brainpoolP256r1',
    references: [bsiProjects('§2.2.2, §2.3.3', 'must')],
    method: byGroups,
    assess: (facts) =>
      ifMeasured(everyGroupOf(facts), (groups) => {
        const missing = ['secp256r1', 'brainpoolP256r1'].filter(
          (group) => !groups.includes(group) && !groups.includes(`${group}tls13`),
        )
        if (missing.length === 0) return metIf(true, groups.join(', '))
        return canMissGroups(facts) ? notMeasured : metIf(false, `without ${missing.join(', ')}`)
      }),
    advice: 'Enable these groups if the guideline applies to you',
  },
  {
    id: 'groups-bsi',
    requirement: 'Only groups that the guideline recommends',
    references: [bsiTls('§3.4.2, §3.6.2', 'should')],
    method: byGroups,
    assess: groupsWithout(isBsiGroup),
    advice: 'The guideline does not recommend these groups',
  },
  {
    id: 'groups-mozilla',
    requirement: 'Only groups of the intermediate configuration, and X25519MLKEM768 (5.8)',
    references: [mozilla('tls_curves', 'should')],
    method: byGroups,
    assess: groupsWithout(isMozillaGroup),
    advice: 'Disable these groups',
  },
  {
    id: 'dh-size',
    requirement: 'Finite-field Diffie-Hellman has at least 3000 bits',
    references: [bsiTls('§3.6.1', 'must'), internetNl('key exchange parameters', 'must')],
    method: 'ServerKeyExchange of each DHE suite',
    assess: ({ dhBits }) =>
      ifMeasured(dhBits, (bits) =>
        bits === 0 ? notApplicable('no DHE') : metIf(bits >= 3000, `${bits} bits`),
      ),
    advice: 'Disable DHE, or use ffdhe3072 or larger',
  },
]
