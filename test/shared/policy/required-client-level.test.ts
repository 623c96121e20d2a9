import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requiredClientLevel } from '../../../shared/policy/required-client-level.ts'
import { inbound } from '../../support/fixtures.ts'

const names = { tlsSenderCertificateNames: ['mail.contoso.example'] }
const pinned = { certificateFingerprints: ['ab'.repeat(32)] }
const restricted = { restrictDomainsToCertificate: true }

const rows: [name: string, fields: Parameters<typeof inbound>[0], level: string][] = [
  ['that accepts mail in the clear', { requireTls: false }, 'Opportunistic'],
  ['with requireTls', {}, 'EncryptionOnly'],
  ['that names a certificate without requiring it', names, 'EncryptionOnly'],
  ['restricted to a certificate by name', { ...names, ...restricted }, 'DomainValidation'],
  ['restricted to a pinned certificate', { ...pinned, ...restricted }, 'CertificateValidation'],
]
for (const [name, fields, level] of rows)
  test(`a connector ${name} requires ${level} of the client`, () =>
    assert.equal(requiredClientLevel(inbound(fields)), level))
