/** The TLS levels of outbound mail, as input of attempts. */
import type { TlsRequirement } from '../../../../shared/contract/jobs.ts'
import type { PolicySource, TlsLevel } from '../../../../shared/contract/message.ts'
import type { DaneState, MtaStsState } from '../../../../shared/policy/hop-facts.ts'
import type { TlsaRecord } from '../../../../shared/tls/requirement.ts'
import {
  type CertificateName,
  type Certificates,
  certificateDigest,
  type HostileCertificates,
  host,
  keyDigest,
} from '../../../support/hostile-certificates.ts'
import type { LevelName } from './expected.ts'

export interface Level {
  /** The level that an attempt must report. */
  policy: TlsLevel
  source: PolicySource
  /** The CA of the mail server's certificates. */
  authority: 'Public' | 'Own'
  tls?: (setup: HostileCertificates) => Partial<TlsRequirement>
  dane?: (setup: HostileCertificates, presented: CertificateName) => DaneState
  mtaSts?: MtaStsState
  authentic?: boolean
  requireTls?: boolean
  /** Header fields to add. */
  header?: string
}

const byConnector = (level: Exclude<TlsLevel, 'Dane'>) => ({
  policy: level,
  source: 'Connector' as const,
  authority: 'Public' as const,
})

const opportunistic = { policy: 'Opportunistic', source: 'Opportunistic', authority: 'Public' } as const

const policyOf = (mode: 'enforce' | 'testing'): MtaStsState => ({
  kind: 'Policy',
  policy: { id: '1', mode, mx: [host], maxAge: 86_400 },
})

const records = (...tlsa: TlsaRecord[]): DaneState => ({
  kind: 'Records',
  baseDomain: host,
  names: [host, 'partner.example'],
  records: tlsa,
})

/**
 * Pins the key that the server presents. When it presents an attacker's certificate for the same name, pins the good
 * key.
 */
const pinned = ({ underPublic }: HostileCertificates, presented: CertificateName): DaneState => {
  const key = presented === 'otherPublic' ? 'good' : presented
  return records({ usage: 3, selector: 1, matchingType: 1, data: keyDigest(underPublic[key]) })
}

export const levels: Record<LevelName, Level> = {
  Opportunistic: opportunistic,
  EncryptionOnly: { ...byConnector('EncryptionOnly'), tls: () => ({ level: 'EncryptionOnly' }) },
  CertificateValidation: {
    ...byConnector('CertificateValidation'),
    tls: () => ({ level: 'CertificateValidation' }),
  },
  DomainValidation: {
    ...byConnector('DomainValidation'),
    tls: () => ({ level: 'DomainValidation', tlsDomain: host }),
  },
  'own CAs': {
    ...byConnector('DomainValidation'),
    authority: 'Own',
    tls: ({ ownAuthority }) => ({
      level: 'DomainValidation',
      tlsDomain: host,
      certificateAuthorities: [ownAuthority.ca],
    }),
  },
  'TLS 1.3': {
    ...byConnector('EncryptionOnly'),
    tls: () => ({ level: 'EncryptionOnly', minimumTlsVersion: 'TLSv1.3' }),
  },
  'MTA-STS enforce': {
    policy: 'DomainValidation',
    source: 'MtaSts',
    authority: 'Public',
    mtaSts: policyOf('enforce'),
  },
  'MTA-STS testing': { ...opportunistic, mtaSts: policyOf('testing') },
  'DANE 3 1 1': { policy: 'Dane', source: 'Dane', authority: 'Public', authentic: true, dane: pinned },
  'DANE 2 0 1': {
    policy: 'Dane',
    source: 'Dane',
    authority: 'Public',
    authentic: true,
    dane: ({ publicAuthority: { ca } }) =>
      records({ usage: 2, selector: 0, matchingType: 1, data: certificateDigest(ca) }),
  },
  'DANE unusable': {
    policy: 'EncryptionOnly',
    source: 'Dane',
    authority: 'Public',
    authentic: true,
    dane: () => records({ usage: 1, selector: 1, matchingType: 1, data: '00'.repeat(32) }),
  },
  REQUIRETLS: {
    policy: 'DomainValidation',
    source: 'RequireTls',
    authority: 'Public',
    authentic: true,
    requireTls: true,
  },
  ReportOnly: {
    ...opportunistic,
    tls: () => ({ level: 'DomainValidation', tlsDomain: host, mode: 'ReportOnly' }),
  },
  'TLS-Required: No': {
    ...opportunistic,
    authentic: true,
    dane: pinned,
    mtaSts: policyOf('enforce'),
    header: 'TLS-Required: No\r\n',
  },
}

export const certificatesFor = (
  level: Level,
  { underPublic, underOwn }: HostileCertificates,
): Certificates => (level.authority === 'Own' ? underOwn : underPublic)
