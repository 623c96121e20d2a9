/** The schemas of single fields of connectors. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as z from 'zod'
import { SmartHost } from '../contract/jobs.ts'
import { RevocationCheck } from '../contract/revocation.ts'
import { normaliseDomain, normaliseDomainPattern } from '../mail/domain.ts'
import { hasDates } from '../tls/validity.ts'
import { maxNameLength, nameFault } from './connector-name.ts'

export const nameDescription = 'unique among connectors of its direction, in any letter case'
export const name = z
  .string()
  .trim()
  .min(1)
  .max(maxNameLength)
  .superRefine((value, context) => {
    const message = nameFault(value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .describe(`${nameDescription}; without invisible characters`)
export const comment = z.string().max(1024).default('')

export const DomainPattern = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null) return pattern
    context.addIssue({ code: 'custom', message: patternFault(value, 'a domain, "*.domain" or "*"') })
    return z.NEVER
  })

/** Explains wildcards separately, because administrators write forms that other systems accept. */
function patternFault(value: string, kind: string): string {
  const rest = value.trim().replace(/^\*(\.|$)/, '')
  const wildcard = rest.includes('*') ? ': a wildcard is the whole first label' : ''
  return `"${value}" is not ${kind}${wildcard}`
}

/** A host name whose leftmost label may be `*` (RFC 9525 §6.3). */
export const CertificateName = z
  .string()
  .max(255)
  .transform((value, context) => {
    const pattern = normaliseDomainPattern(value.trim())
    if (pattern !== null && pattern !== '*') return pattern
    context.addIssue({ code: 'custom', message: patternFault(value, 'a host name or "*.domain"') })
    return z.NEVER
  })

export const IpRange = z
  .string()
  .max(64)
  .refine(isIpRange, {
    error: (issue) => `"${String(issue.input)}" is not an IP address or a CIDR range`,
  })

const Certificate = z.string().refine(isSingleCertificate, 'not one certificate in PEM')

/** A delivery job has room for 32 KiB of certificates. */
export const CertificateAuthorities = z
  .array(Certificate)
  .max(20)
  .refine((pems) => pems.join('').length <= 32_768, 'more than 32 KiB of certificates')
  .default([])
  .describe('PEM, one certificate each, at most 32 KiB together; empty: the public roots')

export const Fingerprint = z
  .string()
  .transform((value) => value.replaceAll(':', '').toLowerCase())
  .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 fingerprint (64 hexadecimal digits)'))

/** The last part of a Secrets Manager secret's name. */
export const SecretName = z
  .string()
  .regex(/^[A-Za-z0-9_.@+=-]{1,128}$/, 'must be 1 to 128 letters, digits or any of _.@+=-')

export const SmartHostInput = z.strictObject({
  host: z
    .string()
    .max(255)
    .transform((value, context) => {
      const host = isIP(value) ? value : normaliseDomain(value.trim())
      if (host !== null) return host
      context.addIssue({ code: 'custom', message: `"${value}" is not a host name or an IP address` })
      return z.NEVER
    }),
  port: SmartHost.shape.port.default(25),
})

export const minimumTlsVersion = z
  .enum(['TLSv1.2', 'TLSv1.3'])
  .default('TLSv1.2')
  .describe('TLSv1.3 needs forced TLS')
export const revocationCheck = RevocationCheck.default('SoftFail').describe(
  'SoftFail refuses a revoked certificate; HardFail also refuses one whose revocation is undetermined',
)
export const mode = z
  .enum(['Enforce', 'ReportOnly'])
  .default('Enforce')
  .describe('ReportOnly: evaluated and recorded, not enforced')
export const list = <T extends z.ZodType<string>>(item: T) =>
  z.array(item).max(1000).superRefine(refuseDuplicates)

export const DomainName = z
  .string()
  .max(255)
  .transform((value, context) => {
    const domain = normaliseDomain(value.trim())
    if (domain !== null) return domain
    context.addIssue({ code: 'custom', message: `"${value}" is not a domain` })
    return z.NEVER
  })

/** Accepts only complete addresses: other software reads `10/8`, `010.0.0.0/8` or an IPv6 zone in different ways. */
function isIpRange(value: string): boolean {
  const [address = '', bits = '0', ...rest] = value.split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  const maxPrefixLength = family === 4 ? 32 : 128
  return family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= maxPrefixLength
}

/** A repeated value is probably a typing mistake. Runs after the items were converted to their comparable form. */
function refuseDuplicates(values: readonly string[], context: z.core.$RefinementCtx): void {
  const previousValues = new Set<string>()
  for (const [index, value] of values.entries()) {
    const comparable = value.trim().toLowerCase()
    if (previousValues.has(comparable))
      context.addIssue({ code: 'custom', path: [index], message: `"${value}" is listed twice` })
    previousValues.add(comparable)
  }
}

function isSingleCertificate(pem: string): boolean {
  if (pem.split('-----BEGIN CERTIFICATE-----').length !== 2) return false
  try {
    return hasDates(new X509Certificate(pem))
  } catch {
    return false
  }
}
