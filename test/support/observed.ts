/** Observed certificates, for tests that need no real ones. */
import type { CertificateRecord } from '../../shared/contract/certificate.ts'
import type {
  NewObservation,
  Observation,
  ObservedCertificate,
  ObservedEndpoint,
} from '../../shared/tls/observed/observation.ts'

const dayMs = 86_400_000

export const daysAfter = (days: number, at: Date): Date => new Date(at.getTime() + days * dayMs)

export const observedEndpoint = (fields: Partial<ObservedEndpoint> = {}): ObservedEndpoint => ({
  kind: 'PartnerServer',
  connector: { id: 'c1', name: 'To the bank' },
  domain: 'bank.example',
  host: 'mx.bank.example',
  ...fields,
})

/** @param letter `a` to `f`: fills the fingerprint, and the key's fingerprint unless `fields` has another */
export const observedCertificate = (
  letter: string,
  fields: Partial<CertificateRecord> = {},
): CertificateRecord => ({
  subject: 'CN=mx.bank.example',
  issuer: 'CN=Issuer One',
  subjectAltNames: ['mx.bank.example'],
  serial: '01',
  fingerprint256: letter.repeat(64),
  keyType: 'EC',
  publicKeyFingerprint256: letter.repeat(64),
  notBefore: '2025-06-01T00:00:00.000Z',
  notAfter: '2026-06-01T00:00:00.000Z',
  ...fields,
})

export const newObservation = (
  certificate: CertificateRecord,
  at: Date,
  where: Partial<ObservedEndpoint> = {},
): NewObservation => ({ endpoint: observedEndpoint(where), certificate, verifiedBy: 'Connector', at })

export const observation = (
  certificates: readonly (Partial<ObservedCertificate> & Pick<CertificateRecord, 'fingerprint256'>)[],
  fields: Partial<Observation> = {},
): Observation => ({
  ...observedEndpoint(fields),
  certificates: certificates.map((certificate) => ({
    ...observedCertificate(certificate.fingerprint256.charAt(0)),
    verifiedBy: 'Connector',
    facts: null,
    firstSeen: '2026-01-01T00:00:00.000Z',
    lastSeen: '2026-01-15T00:00:00.000Z',
    ...certificate,
  })),
  changes: fields.changes ?? [],
})
