/** `retry`: requests an immediate attempt for deferred mail. */
import { z } from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { type FoundConnector, findConnectors } from '../connectors/find-connectors.ts'
import { jsonText, printable } from '../text/format.ts'

export const retry = defineCommand({
  name: 'retry',
  summary: 'Retry deferred mail now: one message, or all messages of a connector',
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: {
    connector: {
      type: 'string',
      value: 'NAME|ID',
      description: 'all deferred mail that this connector was applied to',
    },
    ...jsonOption,
  },
  details: `
Give the id of a message, or --connector. The gateway evaluates the current connectors again for each message, and sends
it only if their requirements are met. When an inbound and an outbound connector have the same name, both are included.
`,
  async run({ values, positionals: [id], io, api }) {
    if ((id === undefined) === (values.connector === undefined))
      throw new UsageError('retry needs a message id, or --connector NAME|ID')
    const result =
      id === undefined ? await retryConnectors(api, values.connector ?? '') : await retryMessage(api, id)
    io.out(values.json ? jsonText(result.json) : `${result.text}\n`)
    return exitStatus.ok
  },
})

interface RetryResult {
  readonly json: unknown
  readonly text: string
}

const MessageRetryResponse = z.object({ requested: z.int(), recipients: z.array(z.string()) })

async function retryMessage(api: ApiClient, id: string): Promise<RetryResult> {
  const response = await api.post(MessageRetryResponse, `/messages/${encodeUrlPart(id)}/retry`, {})
  const recipients = response.recipients.map(printable).join(', ')
  return { json: response, text: `Requested a retry for ${recipients}.` }
}

async function retryConnectors(api: ApiClient, nameOrId: string): Promise<RetryResult> {
  const totals = []
  for (const found of await findConnectors(api, nameOrId)) totals.push(await retryConnector(api, found))
  return { json: totals, text: totals.map(textOf).join('\n') }
}

const ConnectorRetryResponse = z.object({
  requested: z.int(),
  messages: z.int(),
  nextCursor: z.string().nullable(),
})

/** One request covers as many messages as its time allows, so requests repeat until no cursor is left. */
async function retryConnector(api: ApiClient, { kind, connector }: FoundConnector) {
  const total = {
    connector: connector.id,
    name: connector.label,
    kind: kind.singular,
    requested: 0,
    messages: 0,
  }
  let cursor: string | null | undefined
  do {
    const response = await api.post(ConnectorRetryResponse, `${connector.path}/retry`, {}, { cursor })
    total.requested += response.requested
    total.messages += response.messages
    cursor = response.nextCursor
  } while (cursor !== null)
  return total
}

function textOf({ kind, name, requested, messages }: Awaited<ReturnType<typeof retryConnector>>): string {
  const heading = `${kind} "${printable(name)}"`
  if (requested === 0) return `${heading}: no deferred mail.`
  const counts = `${countText(requested, 'recipient')} of ${countText(messages, 'message')}`
  return `${heading}: requested a retry for ${counts}.`
}
