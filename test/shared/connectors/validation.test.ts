import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  maxHosts,
  OutboundValidation,
  toStorable,
  type ValidationStep,
} from '../../../shared/connectors/validation.ts'
import type { CertificateSummary } from '../../../shared/contract/certificate.ts'
import { outboundSchema } from '../../support/connectors.ts'
import { selfSigned } from '../../support/pki.ts'

const octets = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

const certificate = (names: number, length: number): CertificateSummary => ({
  subject: 's'.repeat(length),
  issuer: 'i'.repeat(length),
  subjectAltNames: Array.from({ length: names }, () => 'n'.repeat(length)),
  serial: 'f'.repeat(64),
  fingerprint256: 'f'.repeat(64),
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2027-01-01T00:00:00.000Z',
})

const step = (fields: Partial<ValidationStep> = {}): ValidationStep => ({
  step: 'Connect',
  host: 'mx.partner.example',
  ip: '192.0.2.1',
  succeeded: true,
  detail: 'Connected',
  durationMs: 12,
  tls: null,
  certificates: [],
  ...fields,
})

const validation = (steps: ValidationStep[]): OutboundValidation => ({
  at: '2026-02-03T12:00:00.000Z',
  succeeded: true,
  connectorVersion: 1,
  durationMs: 100,
  steps,
})

/** Every possible step, each as large as possible. */
function maximalValidation(): OutboundValidation {
  const detail = '\ud83d\udcec'.repeat(150)
  const host = `${'a'.repeat(60)}.`.repeat(4).slice(0, 253)
  const ip = '2001:db8:1111:2222:3333:4444:5555:6666'
  const tls = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
    group: 'X25519MLKEM768',
  }
  const certificates = Array.from({ length: 6 }, () => certificate(20, 255))
  const ofHost = (['Resolve', 'Connect', 'Ehlo', 'StartTls', 'Certificate', 'Connect'] as const).map((name) =>
    step({
      step: name,
      host,
      ip,
      detail,
      durationMs: 25_000,
      ...(name === 'StartTls' && { tls }),
      ...(name === 'Certificate' && { certificates }),
    }),
  )
  return validation([
    ...Array.from({ length: maxHosts }, () => ofHost).flat(),
    step({ step: 'TestMail', detail, tls }),
  ])
}

describe('the stored form of a validation', () => {
  it('is the validation itself if this fits into its share of an item', () => {
    const steps = Array.from({ length: maxHosts }, () => step({ certificates: [certificate(5, 60)] }))
    assert.deepEqual(toStorable(validation(steps)), validation(steps))
  })

  it("keeps a host's certificate and omits those of its issuers when all together are too large", () => {
    const chain = [certificate(3, 100), certificate(20, 255), certificate(20, 255)]
    const storable = toStorable(
      validation(Array.from({ length: maxHosts }, () => step({ certificates: chain }))),
    )
    assert.ok(storable.steps.every(({ certificates }) => certificates.length === 1))
    assert.deepEqual(storable.steps[0]?.certificates[0], chain[0])
  })

  it('has every step and its result, even of the largest validation', () => {
    const { steps } = maximalValidation()
    const storable = toStorable(maximalValidation())
    const outline = (some: readonly ValidationStep[]) =>
      some.map(({ step: name, succeeded }) => [name, succeeded])
    assert.deepEqual(outline(storable.steps), outline(steps))
    assert.deepEqual(OutboundValidation.parse(storable), storable)
  })

  it('never exceeds its share of an item, 70,000 octets', () => {
    const ofAnySize = fc.record({
      names: fc.integer({ min: 0, max: 20 }),
      length: fc.integer({ min: 0, max: 255 }),
      chain: fc.integer({ min: 0, max: 6 }),
      detail: fc.string({ unit: 'binary', maxLength: 150 }),
    })
    fc.assert(
      fc.property(fc.array(ofAnySize, { maxLength: 6 * maxHosts + 2 }), (sizes) => {
        const steps = sizes.map(({ names, length, chain, detail }) =>
          step({
            detail: detail.replace(/\p{Cc}/gu, ' '),
            certificates: Array(chain).fill(certificate(names, length)),
          }),
        )
        assert.ok(octets(toStorable(validation(steps))) <= 70_000)
      }),
    )
  })

  it('fits into one DynamoDB item with the largest possible connector', async () => {
    const { cert } = await selfSigned({
      names: Array.from({ length: 20 }, (_, n) => `mx${n}.partner.example`),
    })
    const domain = (n: number) => `${n}`.padStart(60, 'a') + `.${'b'.repeat(62)}`.repeat(3)
    const connector = outboundSchema.parse({
      name: 'ü'.repeat(64),
      connectorType: 'Partner',
      recipientDomains: Array.from({ length: 1000 }, (_, n) => `*.${domain(n)}`),
      route: 'SmartHosts',
      smartHosts: Array.from({ length: 100 }, (_, n) => ({ host: domain(n), port: 65_535 })),
      certificateAuthorities: Array(Math.min(20, Math.floor(32_768 / cert.length))).fill(cert),
      comment: '\ud83d\udcec'.repeat(512),
    })
    const item = octets({ ...connector, validation: toStorable(maximalValidation()) })
    assert.ok(item > 300_000 && item <= 400 * 1024, `${item} octets`)
  })
})
