/** `connectors validate`: validates outbound connectors with a test message, and inbound ones with received mail. */
import * as z from 'zod'
import { OutboundValidation, type ValidationStep } from '../../shared/connectors/validation.ts'
import type { ApiClient } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { inboundConnectors } from '../connectors/entry-kinds.ts'
import { type FoundConnector, findConnectors } from '../connectors/find-connectors.ts'
import { jsonText, printable } from '../text/format.ts'
import { indentParagraph } from '../text/table.ts'

/** The fields of an inbound validation that the command prints. */
const InboundValidation = z.looseObject({
  summary: z.string(),
  failing: z.array(
    z.looseObject({
      reason: z.string(),
      count: z.int(),
      explanation: z.string(),
      messages: z.array(z.string()),
    }),
  ),
})

interface Result {
  readonly json: unknown
  readonly text: string
  readonly succeeded: boolean
}

export const validateConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: {
    to: {
      type: 'string',
      value: 'ADDRESS',
      multiple: true,
      description:
        'outbound: recipient of the test message (default: postmaster of the first domain); may be repeated',
    },
    days: {
      type: 'string',
      value: 'N',
      description: 'inbound: check mail of the last N days, 1 to 30 (default: 7)',
    },
    ...jsonOption,
  },
  details: `
For an outbound connector, the command shows every step: DNS, connection, EHLO, STARTTLS, certificate, test message. The
result is stored with the connector. An inbound connector is evaluated for the mail of the last days, even if the
connector is disabled or report only. When an inbound and an outbound connector have the same name, both are validated.
The exit status is 1 when a step fails, or when received mail would not pass.
`,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    const days = parseDays(values.days)
    const results: Result[] = []
    for (const found of await findConnectors(api, nameOrId))
      results.push(
        found.kind === inboundConnectors
          ? await validateInbound(api, found, days)
          : await validateOutbound(api, found, values.to),
      )
    if (values.json) io.out(jsonText(results.map(({ json }) => json)))
    else io.out(results.map(({ text }) => text).join('\n'))
    return results.every(({ succeeded }) => succeeded) ? exitStatus.ok : exitStatus.failure
  },
})

function parseDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= 30) return days
  throw new UsageError(`--days ${text}: not a number from 1 to 30`)
}

async function validateInbound(
  api: ApiClient,
  { kind, connector }: FoundConnector,
  days: number | undefined,
): Promise<Result> {
  const json = await api.post(
    InboundValidation,
    `${connector.path}/validate`,
    days === undefined ? {} : { days },
  )
  const faults = json.failing.map(({ reason, count, explanation, messages }) =>
    [
      `  ${count} × ${reason}, for example ${messages.slice(0, 2).join(', ')}`,
      indentParagraph(printable(explanation), 4),
    ].join('\n'),
  )
  const heading = `${kind.singular} "${printable(connector.label)}"`
  return {
    json,
    text: `${[heading, indentParagraph(printable(json.summary), 2), ...faults].join('\n')}\n`,
    succeeded: json.failing.length === 0,
  }
}

async function validateOutbound(
  api: ApiClient,
  { kind, connector }: FoundConnector,
  to: readonly string[],
): Promise<Result> {
  const body = to.length > 0 ? { recipients: to } : {}
  const json = await api.post(OutboundValidation, `${connector.path}/validate`, body).catch(addRecipientHint)
  const verdict = json.succeeded ? 'validated, every step succeeded' : 'NOT validated'
  const heading = `${kind.singular} "${printable(connector.label)}": ${verdict}, ${json.durationMs} ms`
  return {
    json,
    text: `${[heading, ...json.steps.map(stepText)].join('\n')}\n`,
    succeeded: json.succeeded,
  }
}

/** Adds the name of the option, because the API's error names the field `recipients`. */
function addRecipientHint(error: unknown): never {
  if (!(error instanceof ApiError) || error.status !== 422) throw error
  throw new CommandError(error.message, [
    ...error.lines,
    'Give the recipient of the test message: --to ADDRESS.',
  ])
}

function stepText({ step, host, ip, succeeded, detail, durationMs, certificates }: ValidationStep): string {
  const title = [step, host, ip === null || ip === host ? null : `(${ip})`].filter((part) => part !== null)
  const chain = certificates.flatMap(({ subject, issuer, notAfter, fingerprint256 }) => [
    `${subject}, issued by ${issuer}, valid until ${notAfter}`,
    `SHA-256 ${fingerprint256}`,
  ])
  return [
    `  ${succeeded ? 'ok    ' : 'FAILED'} ${printable(title.join(' '))}, ${durationMs} ms`,
    ...[detail, ...chain].map((line) => indentParagraph(printable(line), 9)),
  ].join('\n')
}
