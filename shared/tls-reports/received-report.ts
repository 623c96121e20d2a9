/**
 * The stored and displayed form of reports from other organisations on their sessions with the ingress (RFC 8460 §4.4).
 * The attack: an endless report, or one whose names and reasons forge the surrounding text. The defence: unknown fields
 * are ignored, lists and texts are cut, and the number of cut entries is recorded. Not covered: false content. Pure.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { dayMs } from '../contract/durations.ts'
import { normaliseDomain } from '../mail/domain.ts'
import { replaceInvisible, toSingleLine } from '../mail/peer-text.ts'
import { dayOf } from './days.ts'

/** `pass`: a valid DKIM signature for the `From` domain. `fail`: only other signatures. `none`: no signature. */
export const Authentication = z.enum(['pass', 'fail', 'none'])
export type Authentication = z.infer<typeof Authentication>

export const ReportedFailure = z.strictObject({
  result: z.string().describe('result type of RFC 8460 §4.3'),
  sessions: z.int().nonnegative(),
  sendingIp: z.string().nullable(),
  host: z.string().nullable().describe("the organisation's mail server"),
  ip: z.string().nullable(),
  helo: z.string().nullable(),
  reason: z.string().nullable(),
  information: z.string().nullable().describe('link to more information'),
})

export const ReportedPolicy = z.strictObject({
  type: z.string().describe('tlsa, sts or no-policy-found'),
  domain: z.string(),
  strings: z.array(z.string()).describe('the policy as text'),
  mxHosts: z.array(z.string()),
  successfulSessions: z.int().nonnegative(),
  failedSessions: z.int().nonnegative(),
  failures: z.array(ReportedFailure),
})
export type ReportedPolicy = z.infer<typeof ReportedPolicy>

/** A report without its policies. */
export const ReportSummary = z.strictObject({
  id: z.string(),
  day: z.iso.date().describe('UTC day on which the reported period begins'),
  organisation: z.string().describe('the name in the report'),
  contact: z.string().nullable(),
  reportId: z.string().describe('the identifier in the report'),
  begin: z.iso.datetime(),
  end: z.iso.datetime(),
  receivedAt: z.iso.datetime(),
  authenticated: Authentication.describe(
    'pass: a valid DKIM signature for the domain in From, which is signedBy. fail: only other signatures. none: no signature',
  ),
  signedBy: z.string().nullable().describe('the domain that signed the report, when authenticated is pass'),
  domains: z.array(z.string()).describe('policy domains'),
  successfulSessions: z.int().nonnegative().describe('sum over all policies'),
  failedSessions: z.int().nonnegative().describe('sum over all policies'),
})
export type ReportSummary = z.infer<typeof ReportSummary>

export const ReceivedReport = ReportSummary.extend({
  policies: z.array(ReportedPolicy),
  omitted: z
    .strictObject({ policies: z.int().nonnegative(), failures: z.int().nonnegative() })
    .describe('numbers of entries that were too many to store'),
})
export type ReceivedReport = z.infer<typeof ReceivedReport>

/** The content of a report before it is stored. */
export type ReportContent = Omit<ReceivedReport, 'id' | 'day' | 'receivedAt' | 'authenticated' | 'signedBy'>

const limits = { policies: 50, failuresOfPolicy: 100, failures: 200, strings: 30, octets: 300_000 }
const maxSessions = 1e12

/** One line of at most `length` characters. */
const text = (length: number) =>
  z.string().transform((value) => replaceInvisible(toSingleLine(value, length)))
const optionalText = (length: number) =>
  z.preprocess(
    (value) =>
      typeof value === 'string' && value !== '' ? replaceInvisible(toSingleLine(value, length)) : null,
    z.string().nullable(),
  )
const sessions = z.int().min(0).max(maxSessions)
const limitedList = <T extends z.ZodType>(item: T, count: number) =>
  z.preprocess((value) => (Array.isArray(value) ? value.slice(0, count) : value), z.array(item))
/** RFC 8460 defines a list; some senders write a single string. */
const texts = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : (value ?? [])),
  limitedList(text(300), limits.strings),
)

const domain = z.string().transform((value, context): string => {
  const comparable = normaliseDomain(value)
  if (comparable !== null) return comparable
  context.addIssue({ code: 'custom', message: 'is not a domain' })
  return z.NEVER
})

const instant = z.iso.datetime({ offset: true }).transform((value) => new Date(value).toISOString())

const FailureDetails = z
  .object({
    'result-type': text(64),
    'failed-session-count': sessions,
    'sending-mta-ip': optionalText(64),
    'receiving-mx-hostname': optionalText(255),
    'receiving-ip': optionalText(64),
    'receiving-mx-helo': optionalText(255),
    'failure-reason-code': optionalText(300),
    'additional-information': optionalText(500),
  })
  .transform((fields) => ({
    result: fields['result-type'],
    sessions: fields['failed-session-count'],
    sendingIp: fields['sending-mta-ip'],
    host: fields['receiving-mx-hostname'],
    ip: fields['receiving-ip'],
    helo: fields['receiving-mx-helo'],
    reason: fields['failure-reason-code'],
    information: fields['additional-information'],
  }))

const Policy = z
  .object({
    policy: z.object({
      'policy-type': text(64),
      'policy-domain': domain,
      'policy-string': texts,
      'mx-host': texts,
    }),
    summary: z.object({
      'total-successful-session-count': sessions,
      'total-failure-session-count': sessions,
    }),
    'failure-details': z.preprocess(
      (value) => value ?? [],
      limitedList(FailureDetails, limits.failuresOfPolicy),
    ),
  })
  .transform(
    ({ policy, summary, 'failure-details': failures }): ReportedPolicy => ({
      type: policy['policy-type'],
      domain: policy['policy-domain'],
      strings: policy['policy-string'],
      mxHosts: policy['mx-host'],
      successfulSessions: summary['total-successful-session-count'],
      failedSessions: summary['total-failure-session-count'],
      failures,
    }),
  )

const Report = z.object({
  'organization-name': text(200),
  'date-range': z.object({ 'start-datetime': instant, 'end-datetime': instant }),
  'contact-info': optionalText(320),
  'report-id': text(300),
  policies: limitedList(Policy, limits.policies),
})

/** @returns the report, or its fault as one line of text */
export function readReport(json: unknown): ReportContent | string {
  const parsed = Report.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return `${issue?.path.map(String).join('.') || 'it'}: ${issue?.message}`
  }
  const { data } = parsed
  const policies = fitToItem(data.policies)
  const total = (field: 'successfulSessions' | 'failedSessions') =>
    policies.reduce((sum, policy) => sum + policy[field], 0)
  return {
    organisation: data['organization-name'],
    contact: data['contact-info'],
    reportId: data['report-id'],
    begin: data['date-range']['start-datetime'],
    end: data['date-range']['end-datetime'],
    domains: [...new Set(policies.map((policy) => policy.domain))],
    successfulSessions: total('successfulSessions'),
    failedSessions: total('failedSessions'),
    policies,
    omitted: countOmitted(json, policies),
  }
}

/** Cuts failures and strings until the policies fit into a DynamoDB item. */
function fitToItem(reportedPolicies: readonly ReportedPolicy[]): ReportedPolicy[] {
  for (let share = 1; ; share /= 2) {
    let remainingFailures = Math.floor(limits.failures * share)
    const maxStrings = Math.floor(limits.strings * share)
    const policies = reportedPolicies.map((policy) => {
      const failures = policy.failures.slice(0, remainingFailures)
      remainingFailures -= failures.length
      const strings = policy.strings.slice(0, maxStrings)
      const mxHosts = policy.mxHosts.slice(0, maxStrings)
      return { ...policy, strings, mxHosts, failures }
    })
    if (Buffer.byteLength(JSON.stringify(policies)) <= limits.octets) return policies
  }
}

function countOmitted(json: unknown, storedPolicies: readonly ReportedPolicy[]): ReceivedReport['omitted'] {
  const { policies } = json as { policies: { 'failure-details'?: unknown[] | null }[] }
  const totalLength = (lists: readonly { length: number }[]) =>
    lists.reduce((sum, { length }) => sum + length, 0)
  const failureLists = policies
    .map((policy) => policy?.['failure-details'])
    .filter((list) => Array.isArray(list))
  return {
    policies: policies.length - storedPolicies.length,
    failures: totalLength(failureLists) - totalLength(storedPolicies.map(({ failures }) => failures)),
  }
}

/** Days before and after receipt in which the reported period may begin. */
const maxAgeDays = 31
const maxFutureDays = 2

/** @returns the report to store, or its fault */
export function toReceivedReport(
  content: ReportContent,
  receivedAt: Date,
  { authenticated, signedBy }: Pick<ReportSummary, 'authenticated' | 'signedBy'>,
): ReceivedReport | string {
  const begin = Date.parse(content.begin)
  const at = receivedAt.getTime()
  if (Date.parse(content.end) < begin) return 'date-range: ends before it begins'
  if (begin < at - maxAgeDays * dayMs || begin > at + maxFutureDays * dayMs)
    return `date-range: ${content.begin} is not from ${maxAgeDays} days before to ${maxFutureDays} days after its receipt`
  const day = dayOf(new Date(begin))
  // The id includes the signer, so that no other sender can replace the report.
  const identity = [signedBy, content.organisation, content.reportId]
  const digest = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 20)
  return {
    id: `${day}-${digest}`,
    day,
    ...content,
    receivedAt: receivedAt.toISOString(),
    authenticated,
    signedBy,
  }
}
