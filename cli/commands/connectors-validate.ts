/** `connectors validate`: an outbound connector by a test mail, an inbound one by the mail that came. */
import { z } from 'zod'
import { OutboundValidation, type ValidationStep } from '../../shared/connectors/validation.ts'
import type { ApiClient } from '../api/client.ts'
import { Refusal } from '../api/problem.ts'
import { command, jsonOption } from '../command.ts'
import { type Found, findConnectors } from '../connectors/find-connectors.ts'
import { inboundConnectors } from '../connectors/kinds.ts'
import { exit, Fault, UsageFault } from '../faults.ts'
import { indented } from '../text/table.ts'
import { jsonText, printable } from '../text/words.ts'

/** What is shown of an inbound connector's validation; the API's document has all of it. */
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

export const validateConnector = command({
  name: 'connectors validate',
  summary: 'Validate an outbound connector by a test mail, an inbound one by the mail that came',
  takes: { shown: 'NAME|ID', least: 1, most: 1 },
  usesApi: true,
  options: {
    to: {
      type: 'string',
      value: 'ADDRESS',
      multiple: true,
      says: 'outbound: who gets the test mail (postmaster of its first domain); may be repeated',
    },
    days: { type: 'string', value: 'N', says: 'inbound: how far to look back, 1 to 30 (7)' },
    ...jsonOption,
  },
  details: `
Outbound, every step is shown: names, connections, EHLO, STARTTLS, the certificate, the test mail. The result is kept
on the connector. Inbound, the mail of the last days is judged by the connector as it is now, even if it is disabled or
only reports. When an inbound and an outbound connector share the name, both are validated. It ends with 1 when a step
fails, or when mail that came would not pass.
`,
  async run({ values, positionals: [nameOrId = ''], world, api }) {
    const days = daysOf(values.days)
    const results: Result[] = []
    for (const found of await findConnectors(api, nameOrId))
      results.push(
        found.kind === inboundConnectors
          ? await inbound(api, found, days)
          : await outbound(api, found, values.to),
      )
    if (values.json) world.out(jsonText(results.map(({ json }) => json)))
    else world.out(results.map(({ text }) => text).join('\n'))
    return results.every(({ succeeded }) => succeeded) ? exit.ok : exit.fault
  },
})

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= 30) return days
  throw new UsageFault(`--days ${text}: not a number of days from 1 to 30`)
}

async function inbound(
  api: ApiClient,
  { kind, connector }: Found,
  days: number | undefined,
): Promise<Result> {
  const json = await api.post(
    InboundValidation,
    `${connector.path}/validate`,
    days === undefined ? {} : { days },
  )
  const faults = json.failing.map(({ reason, count, explanation, messages }) =>
    [
      `  ${count} × ${reason}, such as ${messages.slice(0, 2).join(', ')}`,
      indented(printable(explanation), 4),
    ].join('\n'),
  )
  const heading = `${kind.one} "${printable(connector.label)}"`
  return {
    json,
    text: `${[heading, indented(printable(json.summary), 2), ...faults].join('\n')}\n`,
    succeeded: json.failing.length === 0,
  }
}

async function outbound(api: ApiClient, { kind, connector }: Found, to: readonly string[]): Promise<Result> {
  const body = to.length > 0 ? { recipients: to } : {}
  const json = await api.post(OutboundValidation, `${connector.path}/validate`, body).catch(sayTo)
  const verdict = json.succeeded ? 'every step succeeded' : 'NOT validated'
  const heading = `${kind.one} "${printable(connector.label)}": ${verdict}, ${json.durationMs} ms`
  return {
    json,
    text: `${[heading, ...json.steps.map(stepText)].join('\n')}\n`,
    succeeded: json.succeeded,
  }
}

/** The API speaks of its `recipients`; here they are an option. */
function sayTo(error: unknown): never {
  if (!(error instanceof Refusal) || error.status !== 422) throw error
  throw new Fault(error.message, [...error.lines, 'Say who gets the test mail with --to ADDRESS.'])
}

function stepText({ step, host, ip, succeeded, detail, durationMs, certificates }: ValidationStep): string {
  const where = [step, host, ip === null || ip === host ? null : `(${ip})`].filter((part) => part !== null)
  const chain = certificates.flatMap(({ subject, issuer, notAfter, fingerprint256 }) => [
    `${subject}, issued by ${issuer}, valid until ${notAfter}`,
    `SHA-256 ${fingerprint256}`,
  ])
  return [
    `  ${succeeded ? 'ok    ' : 'FAILED'} ${printable(where.join(' '))}, ${durationMs} ms`,
    ...[detail, ...chain].map((line) => indented(printable(line), 9)),
  ].join('\n')
}
