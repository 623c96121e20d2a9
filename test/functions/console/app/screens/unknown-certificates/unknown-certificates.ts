/** An unknown certificate as the API has it. */
import type { UnknownCertificate } from '../../../../../../functions/console/app/api/types.ts'

const certificate: UnknownCertificate['presented'] = {
  subject: 'CN=mx1.contoso.example',
  issuer: 'CN=Contoso CA',
  subjectAltNames: ['mx1.contoso.example'],
  serial: '02',
  fingerprint256: 'cd'.repeat(32),
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2027-01-01T00:00:00.000Z',
  keyType: 'EC',
  publicKeyFingerprint256: 'ef'.repeat(32),
}

export const unknownCertificate = (fields: Partial<UnknownCertificate> = {}): UnknownCertificate => ({
  id: 'C1-1',
  state: 'Open',
  connector: {
    id: 'C1',
    name: 'From Contoso',
    connectorType: 'Partner',
    mode: 'Enforce',
    onViolation: 'Bounce',
    senderDomains: ['contoso.example'],
    version: 3,
  },
  trusted: true,
  presented: certificate,
  accepted: {
    ...certificate,
    subject: 'CN=mail.contoso.example',
    subjectAltNames: ['mail.contoso.example'],
    serial: '01',
    fingerprint256: 'ab'.repeat(32),
    lastSeen: '2026-01-31T00:00:00.000Z',
  },
  why: 'presented names [mx1.contoso.example], expected [mail.contoso.example]',
  facts: {
    pinned: false,
    issuedByConnectorAuthority: true,
    issuedByPublicRoot: false,
    trustFault: null,
    nameListed: false,
    nameInSenderDomains: true,
    validity: 'Valid',
    clientAuth: null,
    revocation: null,
  },
  tenant: null,
  senderDomain: 'contoso.example',
  ip: '192.0.2.1',
  firstSeen: '2026-02-01T00:00:00.000Z',
  lastSeen: '2026-02-02T00:00:00.000Z',
  seenCount: 2,
  effects: [
    {
      effect: 'Refused',
      firstSeen: '2026-02-01T00:00:00.000Z',
      lastSeen: '2026-02-02T00:00:00.000Z',
      heldUntil: null,
      notices: null,
    },
  ],
  proposals: [
    {
      field: 'certificateFingerprints',
      add: 'cd'.repeat(32),
      admits: 'ThisCertificate',
      patch: { certificateFingerprints: ['cd'.repeat(32)] },
    },
    {
      field: 'tlsSenderCertificateNames',
      add: 'mx1.contoso.example',
      admits: 'NameFromConnectorAuthority',
      patch: { tlsSenderCertificateNames: ['mail.contoso.example', 'mx1.contoso.example'] },
    },
  ],
  dismissal: null,
  ...fields,
})
