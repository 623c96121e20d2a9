/** Options of a delivery over SMTP, with defaults. */
import { defaultTimeouts } from '../../shared/net/smtp/connection.ts'
import type { SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../shared/policy/hop-facts.ts'
import { fakeResolver } from './dns.ts'

/**
 * The resolver resolves mx.partner.example and other.partner.example to this machine. No secret has a client
 * certificate.
 */
export const smtpOptions = (changes: Partial<SmtpDeliveryOptions> = {}): SmtpDeliveryOptions => ({
  ehloName: 'mail.ours.example',
  resolver: fakeResolver({
    a: { 'mx.partner.example': ['127.0.0.1'], 'other.partner.example': ['127.0.0.1'] },
  }),
  privateNetworks: [],
  random: () => 0,
  timeouts: defaultTimeouts,
  mtaSts: async () => noMtaSts,
  readCredentials: async () => {
    throw new Error('no secret')
  },
  signal: AbortSignal.timeout(20_000),
  ...changes,
})
