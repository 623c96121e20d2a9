/** The enforced requirement, as a table of cases and as properties of every combination. */
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply, reply } from '../../../shared/mail/reply.ts'
import {
  type DaneState,
  type HopFacts,
  type MtaStsPolicy,
  type MtaStsState,
  noMtaSts,
  type SenderRequest,
} from '../../../shared/policy/hop-facts.ts'
import { isListed } from '../../../shared/policy/published-requirement.ts'
import {
  decideHop,
  type HopDecision,
  isEnforced,
  serverNameFor,
  usesPublishedPolicies,
} from '../../../shared/policy/transport-security.ts'
import type { HopRequirement, TlsaRecord } from '../../../shared/tls/requirement.ts'

const host = 'mx.partner.example'
const usable: TlsaRecord = { usage: 3, selector: 1, matchingType: 1, data: 'ab'.repeat(32) }
const unusable: TlsaRecord = { ...usable, usage: 1 }
const records = (...tlsa: TlsaRecord[]): DaneState => ({
  kind: 'Records',
  baseDomain: host,
  names: [host, 'partner.example'],
  records: tlsa,
})

const daneStates = {
  'no DANE': { kind: 'None' },
  'usable records': records(usable, unusable),
  'unusable records': records(unusable),
  'records fail': { kind: 'Failed', reply: reply(451, '4.4.312', 'DNS failed'), bogus: false },
  'records are bogus': { kind: 'Failed', reply: reply(451, '4.7.324', 'DNSSEC'), bogus: true },
} satisfies Record<string, DaneState>

const policy = (mode: MtaStsPolicy['mode'], mx: string): MtaStsState => ({
  kind: 'Policy',
  policy: { id: '1', mode, mx: [mx], maxAge: 86_400 },
})

const policies = {
  'no policy': noMtaSts,
  'policy unavailable': { kind: 'None', fault: { result: 'sts-policy-fetch-error', detail: 'no answer' } },
  'policy unreadable': { kind: 'Unknown' },
  'policy none': policy('none', host),
  testing: policy('testing', '*.partner.example'),
  'testing, not listed': policy('testing', 'mx.elsewhere.example'),
  enforce: policy('enforce', '*.partner.example'),
  'enforce, not listed': policy('enforce', 'mx.elsewhere.example'),
} satisfies Record<string, MtaStsState>

const nothing: SenderRequest = { requireTls: false, tlsRequiredNo: false, isNotification: false }
const senderRequests = {
  nothing,
  REQUIRETLS: { ...nothing, requireTls: true },
  'TLS-Required: No': { ...nothing, tlsRequiredNo: true },
  both: { ...nothing, requireTls: true, tlsRequiredNo: true },
  'a DSN': { ...nothing, isNotification: true },
  'a DSN with REQUIRETLS': { ...nothing, isNotification: true, requireTls: true },
  'a DSN with TLS-Required: No': { ...nothing, isNotification: true, tlsRequiredNo: true },
} satisfies Record<string, SenderRequest>

const levels = ['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation'] as const
type Level = (typeof levels)[number]

function connector(level: Level, fields: Partial<TlsRequirement> = {}): TlsRequirement {
  return {
    level,
    mode: 'Enforce',
    tlsDomain: level === 'DomainValidation' ? 'agreed.partner.example' : null,
    certificateAuthorities: level === 'Opportunistic' ? [] : ['a PEM'],
    minimumTlsVersion: level === 'Opportunistic' ? 'TLSv1.2' : 'TLSv1.3',
    revocationCheck: 'HardFail',
    smtpDaneMode: 'Opportunistic',
    mtaStsMode: 'Opportunistic',
    clientCertificate: null,
    ...fields,
  }
}

function facts(dane: DaneState, fields: Partial<HopFacts> = {}): HopFacts {
  return { domain: 'partner.example', host, foundBy: 'Mx', authentic: true, dane, ...fields }
}

const requirementText = ({ level, source, additional = [] }: HopRequirement): string =>
  [`${level} by ${source}`, ...additional.map(requirementText)].join(' with ')

function decisionText(decision: HopDecision): string {
  if (decision.kind === 'Refuse')
    return `${decision.outcome}: ${formatReply(decision.fault.reply).split(' ', 2).join(' ')}`
  const reportOnlyTexts = decision.reportOnlyRequirements.map(
    ({ requirement, fault }) => `${requirementText(requirement)}${fault ? ` (${fault.reply.enhanced})` : ''}`,
  )
  const reportOnlySuffix = reportOnlyTexts.length > 0 ? `, reporting ${reportOnlyTexts.join(' and ')}` : ''
  return `${requirementText(decision.enforced)}${reportOnlySuffix}`
}

type Row = [
  tls: TlsRequirement,
  dane: keyof typeof daneStates,
  mtaSts: keyof typeof policies,
  senderRequest: keyof typeof senderRequests,
  expected: string,
  fields?: Partial<HopFacts>,
]

const opportunisticConnector = connector('Opportunistic')
const reportOnlyConnector = connector('DomainValidation', { mode: 'ReportOnly' })
const mandatoryDane = connector('Opportunistic', { smtpDaneMode: 'Mandatory' })
const mandatoryMtaSts = connector('Opportunistic', { mtaStsMode: 'Mandatory' })
const mandatoryBoth = connector('Opportunistic', { smtpDaneMode: 'Mandatory', mtaStsMode: 'Mandatory' })
const unproven = { authentic: false }
const connectorRequirementText = 'DomainValidation by Connector'
const opportunisticText = 'Opportunistic by Opportunistic'

const table: Row[] = [
  // No requirement.
  [opportunisticConnector, 'no DANE', 'no policy', 'nothing', opportunisticText],
  [opportunisticConnector, 'no DANE', 'policy unavailable', 'nothing', opportunisticText],
  [opportunisticConnector, 'no DANE', 'policy none', 'nothing', opportunisticText],
  // The policy cannot be read.
  [opportunisticConnector, 'no DANE', 'policy unreadable', 'nothing', 'TemporaryFailure: 451 4.3.0'],
  [opportunisticConnector, 'usable records', 'policy unreadable', 'nothing', 'Dane by Dane'],
  [
    opportunisticConnector,
    'no DANE',
    'policy unreadable',
    'nothing',
    opportunisticText,
    { foundBy: 'SmartHost' },
  ],
  [
    connector('Opportunistic', { mtaStsMode: 'None' }),
    'no DANE',
    'policy unreadable',
    'nothing',
    opportunisticText,
  ],
  [connector('EncryptionOnly'), 'no DANE', 'policy unreadable', 'nothing', 'EncryptionOnly by Connector'],
  // The domain publishes a policy.
  [opportunisticConnector, 'no DANE', 'enforce', 'nothing', 'DomainValidation by MtaSts'],
  [opportunisticConnector, 'no DANE', 'enforce, not listed', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [
    opportunisticConnector,
    'no DANE',
    'testing',
    'nothing',
    `${opportunisticText}, reporting DomainValidation by MtaSts`,
  ],
  [
    opportunisticConnector,
    'no DANE',
    'testing, not listed',
    'nothing',
    `${opportunisticText}, reporting DomainValidation by MtaSts (4.4.8)`,
  ],
  [
    opportunisticConnector,
    'no DANE',
    'enforce, not listed',
    'nothing',
    opportunisticText,
    { foundBy: 'SmartHost' },
  ],
  [opportunisticConnector, 'usable records', 'no policy', 'nothing', 'Dane by Dane'],
  [opportunisticConnector, 'usable records', 'enforce, not listed', 'nothing', 'Dane by Dane'],
  [opportunisticConnector, 'unusable records', 'no policy', 'nothing', 'EncryptionOnly by Dane'],
  [opportunisticConnector, 'unusable records', 'enforce', 'nothing', 'DomainValidation by MtaSts'],
  [opportunisticConnector, 'unusable records', 'enforce, not listed', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [
    opportunisticConnector,
    'unusable records',
    'testing',
    'nothing',
    'EncryptionOnly by Dane, reporting DomainValidation by MtaSts',
  ],
  [opportunisticConnector, 'records fail', 'enforce', 'nothing', 'TemporaryFailure: 451 4.4.312'],
  [opportunisticConnector, 'records are bogus', 'enforce', 'nothing', 'TlsNotMet: 451 4.7.324'],
  // The connector ignores the policies that the domain publishes.
  [
    connector('Opportunistic', { smtpDaneMode: 'None' }),
    'records are bogus',
    'no policy',
    'nothing',
    opportunisticText,
  ],
  [
    connector('Opportunistic', { smtpDaneMode: 'None' }),
    'usable records',
    'enforce',
    'nothing',
    'DomainValidation by MtaSts',
  ],
  [
    connector('Opportunistic', { mtaStsMode: 'None' }),
    'no DANE',
    'enforce, not listed',
    'nothing',
    opportunisticText,
  ],
  // The connector requires TLS.
  [connector('EncryptionOnly'), 'usable records', 'enforce', 'nothing', 'EncryptionOnly by Connector'],
  [
    connector('DomainValidation'),
    'records are bogus',
    'enforce, not listed',
    'nothing',
    connectorRequirementText,
  ],
  [connector('DomainValidation'), 'no DANE', 'no policy', 'TLS-Required: No', connectorRequirementText],
  // The connector only reports.
  [
    reportOnlyConnector,
    'no DANE',
    'no policy',
    'nothing',
    `${opportunisticText}, reporting ${connectorRequirementText}`,
  ],
  [
    reportOnlyConnector,
    'usable records',
    'enforce',
    'nothing',
    `Dane by Dane, reporting ${connectorRequirementText}`,
  ],
  [reportOnlyConnector, 'no DANE', 'enforce, not listed', 'nothing', 'TlsNotMet: 451 4.4.8'],
  // The sender waives TLS.
  [
    opportunisticConnector,
    'usable records',
    'enforce',
    'TLS-Required: No',
    `${opportunisticText}, reporting Dane by Dane`,
  ],
  [
    opportunisticConnector,
    'records are bogus',
    'no policy',
    'TLS-Required: No',
    `${opportunisticText}, reporting Dane by Dane (4.7.324)`,
  ],
  [
    reportOnlyConnector,
    'no DANE',
    'enforce, not listed',
    'TLS-Required: No',
    `${opportunisticText}, reporting ${connectorRequirementText} and DomainValidation by MtaSts (4.4.8)`,
  ],
  // The sender requires TLS.
  [opportunisticConnector, 'no DANE', 'no policy', 'REQUIRETLS', 'DomainValidation by RequireTls'],
  [opportunisticConnector, 'no DANE', 'no policy', 'both', 'DomainValidation by RequireTls'],
  [opportunisticConnector, 'no DANE', 'no policy', 'REQUIRETLS', 'PermanentFailure: 550 5.7.10', unproven],
  [opportunisticConnector, 'no DANE', 'policy none', 'REQUIRETLS', 'PermanentFailure: 550 5.7.10', unproven],
  [opportunisticConnector, 'no DANE', 'policy unavailable', 'REQUIRETLS', 'TlsNotMet: 451 4.7.10', unproven],
  [opportunisticConnector, 'no DANE', 'enforce', 'REQUIRETLS', 'DomainValidation by MtaSts', unproven],
  [
    opportunisticConnector,
    'no DANE',
    'testing',
    'REQUIRETLS',
    'DomainValidation by RequireTls, reporting DomainValidation by MtaSts',
    unproven,
  ],
  [
    opportunisticConnector,
    'no DANE',
    'testing, not listed',
    'REQUIRETLS',
    'PermanentFailure: 550 5.7.10',
    unproven,
  ],
  [opportunisticConnector, 'usable records', 'no policy', 'REQUIRETLS', 'Dane by Dane'],
  [opportunisticConnector, 'unusable records', 'no policy', 'REQUIRETLS', 'DomainValidation by RequireTls'],
  [opportunisticConnector, 'records fail', 'no policy', 'REQUIRETLS', 'TemporaryFailure: 451 4.4.312'],
  [connector('EncryptionOnly'), 'no DANE', 'no policy', 'REQUIRETLS', 'DomainValidation by RequireTls'],
  [connector('EncryptionOnly'), 'usable records', 'no policy', 'REQUIRETLS', 'Dane by RequireTls'],
  [
    connector('CertificateValidation'),
    'usable records',
    'no policy',
    'REQUIRETLS',
    'DomainValidation by RequireTls',
  ],
  [connector('DomainValidation'), 'usable records', 'no policy', 'REQUIRETLS', connectorRequirementText],
  // A DSN is not lost because of REQUIRETLS alone, and is not sent in the clear.
  [
    opportunisticConnector,
    'no DANE',
    'no policy',
    'a DSN with REQUIRETLS',
    'EncryptionOnly by RequireTls',
    unproven,
  ],
  [opportunisticConnector, 'usable records', 'no policy', 'a DSN with REQUIRETLS', 'Dane by Dane'],
  [opportunisticConnector, 'no DANE', 'no policy', 'a DSN', opportunisticText],
  // DANE is mandatory (RFC 7672 §6).
  [mandatoryDane, 'usable records', 'no policy', 'nothing', 'Dane by Dane'],
  [mandatoryDane, 'usable records', 'enforce, not listed', 'nothing', 'Dane by Dane'],
  [mandatoryDane, 'usable records', 'policy unreadable', 'nothing', 'Dane by Dane'],
  [mandatoryDane, 'no DANE', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'no DANE', 'enforce', 'nothing', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'no DANE', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.323', { foundBy: 'SmartHost' }],
  [mandatoryDane, 'no DANE', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.323', { foundBy: 'Domain' }],
  [mandatoryDane, 'no DANE', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.324', unproven],
  [mandatoryDane, 'usable records', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.324', unproven],
  [mandatoryDane, 'unusable records', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'unusable records', 'enforce', 'nothing', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'records fail', 'no policy', 'nothing', 'TemporaryFailure: 451 4.4.312'],
  [mandatoryDane, 'records are bogus', 'no policy', 'nothing', 'TlsNotMet: 451 4.7.324'],
  [mandatoryDane, 'no DANE', 'no policy', 'TLS-Required: No', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'usable records', 'no policy', 'TLS-Required: No', 'Dane by Dane'],
  [mandatoryDane, 'no DANE', 'no policy', 'REQUIRETLS', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'no DANE', 'no policy', 'REQUIRETLS', 'TlsNotMet: 451 4.7.324', unproven],
  [mandatoryDane, 'usable records', 'no policy', 'REQUIRETLS', 'Dane by Dane'],
  [mandatoryDane, 'no DANE', 'no policy', 'a DSN', 'TlsNotMet: 451 4.7.323'],
  [mandatoryDane, 'no DANE', 'no policy', 'a DSN with REQUIRETLS', 'TlsNotMet: 451 4.7.323'],
  // MTA-STS is mandatory.
  [mandatoryMtaSts, 'no DANE', 'enforce', 'nothing', 'DomainValidation by MtaSts'],
  [mandatoryMtaSts, 'no DANE', 'enforce', 'nothing', 'DomainValidation by MtaSts', unproven],
  [mandatoryMtaSts, 'no DANE', 'no policy', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'policy unavailable', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'policy none', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'testing', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'enforce, not listed', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'policy unreadable', 'nothing', 'TemporaryFailure: 451 4.3.0'],
  [mandatoryMtaSts, 'no DANE', 'enforce', 'nothing', 'TlsNotMet: 451 4.4.8', { foundBy: 'SmartHost' }],
  [mandatoryMtaSts, 'no DANE', 'no policy', 'TLS-Required: No', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'no policy', 'REQUIRETLS', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'no DANE', 'no policy', 'a DSN', 'TlsNotMet: 451 4.4.8'],
  // A mandatory MTA-STS policy does not override DANE (RFC 8461 §2), unless the sender waives DANE.
  [mandatoryMtaSts, 'usable records', 'enforce', 'nothing', 'DomainValidation by MtaSts with Dane by Dane'],
  [mandatoryMtaSts, 'usable records', 'no policy', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'records are bogus', 'enforce', 'nothing', 'TlsNotMet: 451 4.7.324'],
  [mandatoryMtaSts, 'records fail', 'enforce', 'nothing', 'TemporaryFailure: 451 4.4.312'],
  [mandatoryMtaSts, 'records fail', 'no policy', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryMtaSts, 'unusable records', 'enforce', 'nothing', 'DomainValidation by MtaSts'],
  [mandatoryMtaSts, 'records are bogus', 'enforce', 'TLS-Required: No', 'DomainValidation by MtaSts'],
  // Both are mandatory.
  [mandatoryBoth, 'usable records', 'enforce', 'nothing', 'DomainValidation by MtaSts with Dane by Dane'],
  [mandatoryBoth, 'no DANE', 'enforce', 'nothing', 'TlsNotMet: 451 4.7.323'],
  [mandatoryBoth, 'usable records', 'no policy', 'nothing', 'TlsNotMet: 451 4.4.8'],
  [mandatoryBoth, 'usable records', 'enforce, not listed', 'nothing', 'TlsNotMet: 451 4.4.8'],
  // Mandatory policies in addition to tlsSettings.
  [
    connector('EncryptionOnly', { smtpDaneMode: 'Mandatory' }),
    'usable records',
    'enforce, not listed',
    'nothing',
    'Dane by Dane',
  ],
  [
    connector('CertificateValidation', { smtpDaneMode: 'Mandatory' }),
    'usable records',
    'no policy',
    'nothing',
    'CertificateValidation by Connector with Dane by Dane',
  ],
  [
    connector('DomainValidation', { smtpDaneMode: 'Mandatory' }),
    'usable records',
    'no policy',
    'TLS-Required: No',
    `${connectorRequirementText} with Dane by Dane`,
  ],
  [
    connector('DomainValidation', { smtpDaneMode: 'Mandatory' }),
    'no DANE',
    'no policy',
    'nothing',
    'TlsNotMet: 451 4.7.323',
  ],
  [
    connector('CertificateValidation', { smtpDaneMode: 'Mandatory' }),
    'usable records',
    'no policy',
    'REQUIRETLS',
    'DomainValidation by RequireTls with Dane by Dane',
  ],
  [
    connector('DomainValidation', { mtaStsMode: 'Mandatory' }),
    'records are bogus',
    'enforce',
    'nothing',
    `DomainValidation by MtaSts with ${connectorRequirementText}`,
  ],
  [
    connector('DomainValidation', { mtaStsMode: 'Mandatory' }),
    'no DANE',
    'testing',
    'nothing',
    'TlsNotMet: 451 4.4.8',
  ],
  [
    connector('DomainValidation', { smtpDaneMode: 'Mandatory', mtaStsMode: 'Mandatory' }),
    'usable records',
    'enforce',
    'nothing',
    `DomainValidation by MtaSts with ${connectorRequirementText} with Dane by Dane`,
  ],
  // Mandatory policies of a connector that only reports.
  [
    { ...mandatoryDane, mode: 'ReportOnly' },
    'no DANE',
    'no policy',
    'nothing',
    `${opportunisticText}, reporting Dane by Connector (4.7.323)`,
  ],
  [
    { ...mandatoryDane, mode: 'ReportOnly' },
    'usable records',
    'no policy',
    'nothing',
    'Dane by Dane, reporting Dane by Dane',
  ],
  [
    { ...mandatoryDane, mode: 'ReportOnly' },
    'no DANE',
    'no policy',
    'TLS-Required: No',
    `${opportunisticText}, reporting Dane by Connector (4.7.323)`,
  ],
  [
    { ...mandatoryMtaSts, mode: 'ReportOnly' },
    'no DANE',
    'no policy',
    'nothing',
    `${opportunisticText}, reporting DomainValidation by Connector (4.4.8)`,
  ],
]

describe('decideHop', () => {
  for (const [tls, dane, mtaSts, senderRequest, expected, fields] of table) {
    const { level, mode, smtpDaneMode, mtaStsMode } = tls
    const connectorText = Object.entries({ level, mode, smtpDaneMode, mtaStsMode })
      .filter(([name, value]) => name === 'level' || value !== opportunisticConnector[name as 'mode'])
      .map(([name, value]) => `${name} ${value}`)
    const from = fields ? ` and ${Object.entries(fields).flat().join(' ')}` : ''
    it(`decides on ${expected} for connector ${connectorText.join(' and ')}, DANE "${dane}", MTA-STS "${mtaSts}", sender's request "${senderRequest}"${from}`, () => {
      const decision = decideHop(
        tls,
        senderRequests[senderRequest],
        facts(daneStates[dane], fields),
        policies[mtaSts],
      )
      assert.equal(decisionText(decision), expected)
    })
  }
})

interface Combination {
  tls: TlsRequirement
  senderRequest: SenderRequest
  hop: HopFacts
  mtaSts: MtaStsState
  decision: HopDecision
}

const booleans = [true, false]
const modes = ['Opportunistic', 'None'] as const

function* combinations(
  ofLevels: readonly Level[],
  ofModes: readonly Pick<TlsRequirement, 'smtpDaneMode' | 'mtaStsMode'>[],
): Generator<Combination> {
  for (const level of ofLevels)
    for (const mode of ['Enforce', 'ReportOnly'] as const)
      for (const policyModes of ofModes) {
        const tls = connector(level, { mode, ...policyModes })
        for (const dane of Object.values(daneStates))
          for (const authentic of booleans)
            for (const foundBy of ['Mx', 'Domain', 'SmartHost'] as const)
              for (const mtaSts of Object.values(policies))
                for (const senderRequest of Object.values(senderRequests)) {
                  const hop = facts(dane, { authentic, foundBy })
                  yield {
                    tls,
                    senderRequest,
                    hop,
                    mtaSts,
                    decision: decideHop(tls, senderRequest, hop, mtaSts),
                  }
                }
      }
}

const optionalModes = modes.flatMap((smtpDaneMode) =>
  modes.map((mtaStsMode) => ({ smtpDaneMode, mtaStsMode })),
)
const allCombinations = [...combinations(levels, optionalModes)]
const decideWith = (
  { tls, senderRequest, hop, mtaSts }: Combination,
  fields: Partial<Combination>,
): HopDecision =>
  decideHop(
    fields.tls ?? tls,
    fields.senderRequest ?? senderRequest,
    fields.hop ?? hop,
    fields.mtaSts ?? mtaSts,
  )

/** Ranks the levels. Each level ranks above the levels that it includes. */
const strength = {
  Opportunistic: 0,
  EncryptionOnly: 1,
  CertificateValidation: 2,
  DomainValidation: 3,
  Dane: 3,
}

const verifies = (level: string): boolean => level === 'CertificateValidation' || level === 'DomainValidation'

const ownOf = ({
  level,
  tlsDomain,
  certificateAuthorities,
  minimumTlsVersion,
  revocationCheck,
}: TlsRequirement) => ({
  level,
  source: 'Connector',
  names: tlsDomain === null ? [] : [tlsDomain],
  tlsa: [],
  certificateAuthorities,
  minimumTlsVersion,
  // Revocation is checked only for chains that must be verified.
  revocationCheck: verifies(level) ? revocationCheck : 'None',
})

/** @param appliesTo selects the combinations that have the property; it must select more than twenty */
function property(
  name: string,
  appliesTo: (combination: Combination) => boolean,
  holds: (combination: Combination) => void,
  among: readonly Combination[] = allCombinations,
): void {
  test(name, () => {
    const concerned = among.filter(appliesTo)
    assert.ok(concerned.length > 20, `it is about ${concerned.length} combinations`)
    for (const combination of concerned) {
      try {
        holds(combination)
      } catch (cause) {
        throw new Error(JSON.stringify(combination), { cause })
      }
    }
  })
}

const isTry = ({ decision }: Combination): boolean => decision.kind === 'Try'
const waivesTls = ({ senderRequest }: Combination): boolean =>
  senderRequest.tlsRequiredNo && !senderRequest.requireTls
const usesOptionalDane = ({ tls, hop }: Combination): boolean =>
  tls.smtpDaneMode === 'Opportunistic' && hop.dane.kind === 'Failed'
const usesDane = ({ tls }: Combination): boolean => tls.smtpDaneMode === 'Opportunistic' && !isEnforced(tls)

describe('in every combination of connector, DANE, MTA-STS and sender’s request', () => {
  property(
    "without REQUIRETLS an enforced connector's requirement is in force unchanged",
    ({ tls, senderRequest }) => isEnforced(tls) && !senderRequest.requireTls,
    ({ tls, decision }) =>
      assert.deepEqual(decision, { kind: 'Try', enforced: ownOf(tls), reportOnlyRequirements: [] }),
  )
  property(
    "REQUIRETLS never weakens an enforced connector's requirement",
    (each) => isEnforced(each.tls) && each.senderRequest.requireTls && isTry(each),
    ({ tls, decision: { enforced } }) => {
      assert.ok(strength[enforced.level] >= strength[tls.level])
      assert.equal(enforced.minimumTlsVersion, tls.minimumTlsVersion)
      assert.deepEqual(enforced.certificateAuthorities, tls.certificateAuthorities)
      assert.equal(enforced.revocationCheck, verifies(tls.level) ? tls.revocationCheck : 'None')
      if (tls.level === 'DomainValidation') assert.deepEqual(enforced, ownOf(tls))
    },
  )
  property('with TLS-Required: No a host is never refused', waivesTls, (each) => assert.ok(isTry(each)))
  property(
    'with TLS-Required: No and without an enforced connector, TLS is opportunistic',
    (each) => waivesTls(each) && !isEnforced(each.tls),
    ({ decision }) => assert.equal(decision.enforced.level, 'Opportunistic'),
  )
  property(
    'with REQUIRETLS TLS is never opportunistic, and the next hop is verified unless the message is a DSN',
    (each) => each.senderRequest.requireTls && isTry(each),
    ({ senderRequest, decision: { enforced } }) =>
      assert.ok(
        senderRequest.isNotification ? strength[enforced.level] >= 1 : strength[enforced.level] === 3,
        requirementText(enforced),
      ),
  )
  property(
    'with REQUIRETLS a host is refused that neither DNSSEC nor an MTA-STS policy proves, unless the message is a DSN',
    (each) => each.senderRequest.requireTls && !each.senderRequest.isNotification && isTry(each),
    ({ hop, mtaSts }) =>
      assert.ok(hop.authentic || (mtaSts.kind === 'Policy' && isListed(hop.host, mtaSts.policy))),
  )
  property(
    'a host is refused for a DSN with REQUIRETLS only if it is refused for the DSN without REQUIRETLS',
    ({ senderRequest }) => senderRequest.isNotification && senderRequest.requireTls,
    (each) =>
      assert.equal(
        each.decision.kind,
        decideWith(each, {
          senderRequest: { ...each.senderRequest, requireTls: false, tlsRequiredNo: false },
        }).kind,
      ),
  )
  property(
    'usable TLSA records take precedence over any MTA-STS policy, unless an enforced connector or the sender overrides DANE',
    (each) =>
      each.hop.dane === daneStates['usable records'] && usesDane(each) && !waivesTls(each) && isTry(each),
    ({ decision }) => {
      assert.equal(requirementText(decision.enforced), 'Dane by Dane')
      assert.deepEqual(decision.enforced.tlsa, [usable])
    },
  )
  property(
    'a host whose TLSA query fails or is bogus is refused, unless an enforced connector or the sender overrides DANE',
    (each) => each.hop.dane.kind === 'Failed' && usesDane(each) && !waivesTls(each),
    ({ decision }) => assert.equal(decision.kind, 'Refuse'),
  )
  property('TLSA records and MTA-STS policies never weaken the requirement in force', isTry, (each) => {
    const without = decideWith(each, {
      hop: facts(daneStates['no DANE'], { ...each.hop, dane: daneStates['no DANE'] }),
      mtaSts: noMtaSts,
    })
    if (without.kind === 'Try')
      assert.ok(strength[each.decision.enforced.level] >= strength[without.enforced.level])
  })
  property(
    'a report-only connector does not change the requirement in force',
    ({ tls }) => tls.mode === 'ReportOnly' && tls.level !== 'Opportunistic',
    (each) => {
      const { tls, decision } = each
      const without = decideWith(each, {
        tls: { ...connector('Opportunistic'), smtpDaneMode: tls.smtpDaneMode, mtaStsMode: tls.mtaStsMode },
      })
      assert.equal(decision.kind, without.kind)
      assert.deepEqual(decision.enforced, without.enforced)
      if (decision.kind === 'Try' && without.kind === 'Try') {
        assert.deepEqual(decision.reportOnlyRequirements.slice(1), without.reportOnlyRequirements)
        assert.deepEqual(decision.reportOnlyRequirements[0], { requirement: ownOf(tls), fault: null })
      }
    },
  )
  property(
    'TLSA records and a policy of a kind that usesPublishedPolicies excludes do not affect the decision',
    ({ tls, senderRequest }) => Object.values(usesPublishedPolicies(tls, senderRequest)).includes(false),
    (each) => {
      const uses = usesPublishedPolicies(each.tls, each.senderRequest)
      const decision = decideWith(each, {
        ...(!uses.dane && { hop: { ...each.hop, dane: daneStates['no DANE'] } }),
        ...(!uses.mtaSts && { mtaSts: noMtaSts }),
      })
      assert.deepEqual(each.decision, decision)
    },
  )
  property(
    'without REQUIRETLS, a policy in mode testing changes neither decision nor requirement in force',
    ({ mtaSts, senderRequest }) =>
      mtaSts.kind === 'Policy' && mtaSts.policy.mode === 'testing' && !senderRequest.requireTls,
    (each) => {
      const without = decideWith(each, { mtaSts: noMtaSts })
      assert.deepEqual([each.decision.kind, each.decision.enforced], [without.kind, without.enforced])
    },
  )
  property(
    'the reply to a refused host is 5yz exactly when the outcome is PermanentFailure',
    ({ decision }) => decision.kind === 'Refuse',
    ({ decision }) => {
      assert.ok(decision.kind === 'Refuse')
      const { outcome, fault } = decision
      assert.equal(fault.reply.code >= 500, outcome === 'PermanentFailure')
      assert.ok(fault.reply.enhanced.startsWith(outcome === 'PermanentFailure' ? '5.' : '4.'))
    },
  )
})

const mandatoryModes = (['Opportunistic', 'Mandatory', 'None'] as const)
  .flatMap((smtpDaneMode) =>
    (['Opportunistic', 'Mandatory', 'None'] as const).map((mtaStsMode) => ({ smtpDaneMode, mtaStsMode })),
  )
  .filter((each) => Object.values(each).includes('Mandatory'))
const withMandatoryMode = [...combinations(['Opportunistic', 'CertificateValidation'], mandatoryModes)]
const isEnforcedTry = (each: Combination): boolean => isEnforced(each.tls) && isTry(each)

describe('in every combination with a Mandatory mode', () => {
  const mandatoryProperty = (...[name, appliesTo, holds]: Parameters<typeof property>) =>
    property(name, appliesTo, holds, withMandatoryMode)

  mandatoryProperty(
    'an enforced connector with smtpDaneMode Mandatory sends only with usable records of a proven host',
    (each) => isEnforcedTry(each) && each.tls.smtpDaneMode === 'Mandatory',
    ({ decision: { enforced }, hop }) => {
      const dane = [enforced, ...(enforced.additional ?? [])].find(({ level }) => level === 'Dane')
      assert.deepEqual(dane?.tlsa, [usable])
      assert.ok(hop.authentic)
    },
  )
  mandatoryProperty(
    'an enforced connector with mtaStsMode Mandatory sends only to a host that an enforced policy lists, with its certificate',
    (each) => isEnforcedTry(each) && each.tls.mtaStsMode === 'Mandatory',
    ({ decision: { enforced }, hop, mtaSts }) => {
      assert.equal(requirementText({ ...enforced, additional: [] }), 'DomainValidation by MtaSts')
      assert.deepEqual([enforced.names, enforced.certificateAuthorities], [[hop.host], []])
      assert.ok(
        mtaSts.kind === 'Policy' && mtaSts.policy.mode === 'enforce' && isListed(hop.host, mtaSts.policy),
      )
    },
  )
  mandatoryProperty(
    "an enforced connector's tlsSettings are met too",
    (each) => isEnforcedTry(each) && each.tls.level !== 'Opportunistic' && !each.senderRequest.requireTls,
    ({ tls, decision: { enforced } }) => {
      const own = [enforced, ...(enforced.additional ?? [])].find(({ source }) => source === 'Connector')
      const { level, names, certificateAuthorities } = ownOf(tls)
      assert.deepEqual(
        { level: own?.level, names: own?.names, certificateAuthorities: own?.certificateAuthorities },
        { level, names, certificateAuthorities },
      )
      assert.equal(enforced.minimumTlsVersion, tls.minimumTlsVersion)
      assert.equal(enforced.revocationCheck, tls.revocationCheck)
    },
  )
  mandatoryProperty(
    'TLS-Required: No never lets a message leave that an enforced connector would hold without it, except by DANE of mode Opportunistic',
    (each) => isEnforcedTry(each) && waivesTls(each),
    (each) => {
      const senderRequest = { ...each.senderRequest, tlsRequiredNo: false }
      const without = decideWith(each, { senderRequest })
      assert.ok(without.kind === 'Try' || usesOptionalDane(each))
    },
  )
  mandatoryProperty(
    'a report-only connector decides as with Opportunistic instead of Mandatory',
    ({ tls }) => tls.mode === 'ReportOnly',
    (each) => {
      const [smtpDaneMode, mtaStsMode] = [each.tls.smtpDaneMode, each.tls.mtaStsMode].map((mode) =>
        mode === 'Mandatory' ? 'Opportunistic' : mode,
      ) as [TlsRequirement['smtpDaneMode'], TlsRequirement['mtaStsMode']]
      const without = decideWith(each, { tls: { ...each.tls, smtpDaneMode, mtaStsMode } })
      assert.deepEqual([each.decision.kind, each.decision.enforced], [without.kind, without.enforced])
    },
  )
  mandatoryProperty(
    'the policies that usesPublishedPolicies excludes do not affect the decision',
    ({ tls, senderRequest }) => Object.values(usesPublishedPolicies(tls, senderRequest)).includes(false),
    (each) => {
      const uses = usesPublishedPolicies(each.tls, each.senderRequest)
      const decision = decideWith(each, {
        ...(!uses.dane && { hop: { ...each.hop, dane: daneStates['no DANE'] } }),
        ...(!uses.mtaSts && { mtaSts: noMtaSts }),
      })
      assert.deepEqual(each.decision, decision)
    },
  )
})

describe('isListed', () => {
  const cases: [string, string, boolean][] = [
    ['mx.partner.example', 'mx.partner.example', true],
    ['mx.partner.example', '*.partner.example', true],
    ['a.mx.partner.example', '*.partner.example', false],
    ['partner.example', '*.partner.example', false],
    ['evilpartner.example', '*.partner.example', false],
    ['mx.partner.example', 'partner.example', false],
    ['mx.partner.example', '*.example', false],
    ['localhost', '*.localhost', false],
    ['mx.partner.example', '*', false],
    ['mx.partner.example', '', false],
  ]
  for (const [name, pattern, listed] of cases)
    it(`is ${listed} for the host ${name} and a policy with mx "${pattern}"`, () =>
      assert.equal(isListed(name, { mx: [pattern] }), listed))
})

test('serverNameFor returns the TLSA base domain if there are TLSA records, otherwise the name of the host (RFC 7672 §8.1)', () => {
  const hop: HopFacts = {
    domain: 'partner.example',
    host,
    foundBy: 'Mx',
    authentic: true,
    dane: { kind: 'None' },
  }
  const alias: DaneState = {
    kind: 'Records',
    baseDomain: 'mx.hub.example',
    names: ['mx.hub.example'],
    records: [usable],
  }
  assert.equal(serverNameFor(hop), host)
  assert.equal(serverNameFor({ ...hop, dane: alias }), 'mx.hub.example')
})
