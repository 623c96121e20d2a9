/** `tls-reports`: shows the TLS reports (RFC 8460) that other organisations sent. */
import * as z from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { formatTime, jsonText, printable } from '../text/format.ts'
import { type Column, indentParagraph, table } from '../text/table.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const Summary = z.object({
  id: z.string(),
  day: z.string(),
  organisation: z.string(),
  authenticated: z.string(),
  signedBy: z.string().nullable(),
  domains: z.array(z.string()),
  successfulSessions: z.int(),
  failedSessions: z.int(),
  acceptedDomain: z.boolean().default(true),
})
type Summary = z.output<typeof Summary>

const Failure = z.object({
  result: z.string(),
  sessions: z.int(),
  sendingIp: z.string().nullable(),
  host: z.string().nullable(),
  ip: z.string().nullable(),
  reason: z.string().nullable(),
  information: z.string().nullable(),
})

const Report = Summary.omit({ acceptedDomain: true }).extend({
  reportId: z.string(),
  contact: z.string().nullable(),
  begin: z.string(),
  end: z.string(),
  receivedAt: z.string(),
  policies: z.array(
    z.object({
      type: z.string(),
      domain: z.string(),
      strings: z.array(z.string()),
      successfulSessions: z.int(),
      failedSessions: z.int(),
      failures: z.array(Failure),
      acceptedDomain: z.boolean(),
    }),
  ),
  omitted: z.object({ policies: z.int(), failures: z.int() }),
})
type Report = z.output<typeof Report>

export const tlsReports = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: {
    domain: {
      type: 'string',
      value: 'DOMAIN',
      description: 'an accepted domain, or the name of one of its mail servers',
    },
    since: {
      type: 'string',
      value: 'DAY',
      description: 'first reported day (default: 30 days before --until)',
    },
    until: { type: 'string', value: 'DAY', description: 'last reported day (default: today)' },
    ...wideOption,
    ...jsonOption,
  },
  details: `
DAY is a UTC date (2026-02-03), or a number of days ago (3d). The period is at most 92 days. A report without a valid
signature of the sender's domain may be forged.
`,
  async run({ values, positionals: [id], io, api }) {
    if (id !== undefined) return showOne(api, id, values.json, io)
    const day = (option: '--since' | '--until', text: string | undefined) =>
      text === undefined ? undefined : parseInstant(option, text, io.now()).slice(0, 10)
    const query = {
      domain: values.domain,
      from: day('--since', values.since),
      to: day('--until', values.until),
    }
    const reports: unknown[] = []
    for await (const report of api.list(z.unknown(), '/tls-reports', query)) reports.push(report)
    if (values.json) io.out(jsonText(reports))
    else if (reports.length === 0) io.out('No reports found.\n')
    else
      io.out(
        `${listText(
          reports.map((report) => parseResponse(Summary, report, 'report')),
          tableWidth(values, io),
        )}\n`,
      )
    return exitStatus.ok
  },
})

async function showOne(api: ApiClient, id: string, json: boolean, io: Io) {
  const response = await api.get(z.unknown(), `/tls-reports/${encodeUrlPart(id)}`)
  io.out(json ? jsonText(response) : `${reportText(parseResponse(Report, response, 'report'))}\n`)
  return exitStatus.ok
}

const columns: readonly Column[] = [
  { heading: 'Day' },
  { heading: 'Reported by', minWidth: 16 },
  { heading: 'Signed', minWidth: 12 },
  { heading: 'Domains', minWidth: 20 },
  { heading: 'Successful' },
  { heading: 'Failed' },
  { heading: 'Id' },
]

function listText(reports: readonly Summary[], width: number | undefined): string {
  const rows = reports.map((report) => [
    report.day,
    report.organisation,
    signatureOf(report),
    report.domains.join(', ') + (report.acceptedDomain ? '' : ' (not accepted)'),
    String(report.successfulSessions),
    String(report.failedSessions),
    report.id,
  ])
  return table(columns, rows, width)
}

const signatureOf = ({ authenticated, signedBy }: Pick<Summary, 'authenticated' | 'signedBy'>): string =>
  authenticated === 'pass' ? `by ${printable(signedBy ?? '')}` : authenticated === 'none' ? 'no' : 'invalid'

function reportText(report: Report): string {
  const { id, organisation, contact, reportId, begin, end, receivedAt, policies, omitted } = report
  return [
    `Report ${id}`,
    `  Reporter   ${printable(organisation)}${contact === null ? '' : ` (${printable(contact)})`}`,
    `  Signed     ${signatureOf(report)}`,
    `  Report id  ${printable(reportId)}`,
    `  Period     ${formatTime(begin)} to ${formatTime(end)}`,
    `  Received   ${formatTime(receivedAt)}`,
    ...policies.flatMap((policy) => ['', ...policyLines(policy)]),
    ...(omitted.policies + omitted.failures === 0
      ? []
      : [
          '',
          `Not stored: ${countText(omitted.policies, 'policy', 'policies')}, ${countText(omitted.failures, 'failure')}.`,
        ]),
  ].join('\n')
}

const policyNames: Readonly<Record<string, string>> = {
  sts: 'MTA-STS',
  tlsa: 'DANE',
  'no-policy-found': 'no policy',
}

function policyLines({
  type,
  domain,
  strings,
  successfulSessions,
  failedSessions,
  failures,
  acceptedDomain,
}: Report['policies'][number]): string[] {
  const policyName = policyNames[type] ?? printable(type)
  return [
    `${printable(domain)}${acceptedDomain ? '' : ' (not accepted)'}, ${policyName}: ${countText(successfulSessions, 'successful session')}, ${failedSessions} failed`,
    ...strings.map((text) => `    ${printable(text)}`),
    ...failures.flatMap(failureLines),
  ]
}

function failureLines({
  result,
  sessions,
  sendingIp,
  host,
  ip,
  reason,
  information,
}: z.output<typeof Failure>) {
  const location = [host, ip].filter((part) => part !== null).map(printable)
  const locationText = location.length === 0 ? '' : ` at ${location.join(', ')}`
  const senderText = sendingIp === null ? '' : `, from ${printable(sendingIp)}`
  return [
    `  ${sessions} × ${printable(result)}${locationText}${senderText}`,
    ...[reason, information].flatMap((text) => (text === null ? [] : [indentParagraph(printable(text), 6)])),
  ]
}
