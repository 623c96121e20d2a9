/**
 * The DNS records of an accepted domain as the API returns them, and the route. One Lambda function serves the route, and
 * another documents it.
 */
import * as z from 'zod'
import { RecordKind, Result } from './findings/record-finding.ts'

/** Limits of untrusted texts, in UTF-16 code units, and of each list of them. */
export const maxTextLength = 2000
export const maxTexts = 100

const texts = z.array(z.string().max(maxTextLength)).max(maxTexts)

export const DnsCheck = z.strictObject({
  check: RecordKind,
  name: z.string().describe("the record's name in DNS, or the policy's URL"),
  status: Result.describe(
    'ADVICE: mail works without the record, but it is recommended; WARN: the record may stay, but there is a risk; UNKNOWN: the check was not possible, for example because DNS did not answer in time',
  ),
  found: texts.describe('what is published'),
  expected: texts.describe('what to publish instead; empty when nothing must change'),
  publish: texts.describe(
    'expected, as lines of a zone file to paste; empty for a policy; without lines that are long or not plain ASCII',
  ),
  detail: texts.describe('sentences'),
})
export type DnsCheck = z.output<typeof DnsCheck>

export const DomainDns = z.strictObject({
  domain: z.string(),
  hosts: z.array(z.string()).describe('hosts of the MX records'),
  records: z.array(z.string()).describe('all records to publish, as lines of a zone file'),
  policy: z
    .strictObject({ url: z.url(), id: z.string(), text: z.string() })
    .describe('the MTA-STS policy to publish'),
  checks: z
    .array(DnsCheck)
    .describe('untrusted text is cut at 2,000 characters, and invisible characters in it are replaced by ?'),
})
export type DomainDns = z.output<typeof DomainDns>

const maxSelectors = 10

const DomainDnsQuery = z.strictObject({
  dkimSelector: z
    .string()
    .max(1000)
    .transform((text) => text.split(','))
    .pipe(z.array(z.string().min(1)).max(maxSelectors))
    .optional()
    .describe('DKIM selectors to check, separated by commas, because DNS cannot list them'),
})

export const readDomainDns = {
  method: 'GET',
  path: '/accepted-domains/{domain}/dns',
  role: 'read',
  summary: 'Check the DNS records of an accepted domain; takes up to 20 seconds',
  query: DomainDnsQuery,
  answers: { 200: DomainDns },
  problems: [404],
} as const
