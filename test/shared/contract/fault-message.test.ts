import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { InboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { faultsOf } from '../../../shared/contract/schema-faults.ts'
import { outboundSchema } from '../../support/connectors.ts'

const partner = { name: 'x', connectorType: 'Partner' }
const from = { ...partner, senderDomains: ['a.example'] }
const to = { ...partner, recipientDomains: ['a.example'] }

const rows: [z.ZodType, object, string[]][] = [
  [
    InboundConnectorInput,
    {},
    ['name: is required', 'connectorType: must be "Partner" or "OnPremises"', 'senderDomains: is required'],
  ],
  [InboundConnectorInput, { ...from, name: '' }, ['name: must not be empty']],
  [InboundConnectorInput, { ...from, name: 'x'.repeat(65) }, ['name: must have at most 64 characters']],
  [InboundConnectorInput, { ...from, senderDomains: [] }, ['senderDomains: must not be empty']],
  [
    InboundConnectorInput,
    { ...from, senderDomains: 'a.example' },
    ['senderDomains: must be a list, not a string'],
  ],
  [
    InboundConnectorInput,
    { ...from, requireTls: 'yes', comment: null },
    ['requireTls: must be true or false, not a string', 'comment: must be a string, not null'],
  ],
  [InboundConnectorInput, { ...from, requireTLS: true }, ['requireTLS: is not a known field']],
  [
    outboundSchema,
    { ...to, tlsSettings: 'Mandatory' },
    ['tlsSettings: must be null, "EncryptionOnly", "CertificateValidation" or "DomainValidation"'],
  ],
  [outboundSchema, { ...to, expirationHours: 48 }, ['expirationHours: must be at most 24']],
  [outboundSchema, { ...to, expirationHours: 12.5 }, ['expirationHours: must be a whole number']],
  [
    outboundSchema,
    { ...to, route: 'SmartHosts', smartHosts: ['mail.a.example', { host: 'b.example', port: '25' }] },
    ['smartHosts[0]: must be an object, not a string', 'smartHosts[1].port: must be a number, not a string'],
  ],
  [
    outboundSchema,
    { ...to, tlsSettings: 'DomainValidation' },
    ['tlsDomain: is needed when tlsSettings is DomainValidation'],
  ],
  [z.array(z.string()).min(2), ['a'], [': must have at least 2 entries']],
  [z.union([z.string(), z.number()]), {}, [': Invalid input']],
]

for (const [schema, value, faults] of rows)
  test(`faultsOf returns "${faults.join('" and "')}" for ${JSON.stringify(value)}`, () => {
    const { error } = schema.safeParse(value)
    assert.ok(error)
    assert.deepEqual(
      faultsOf(error).map(({ path, message }) => `${path}: ${message}`),
      faults,
    )
  })
