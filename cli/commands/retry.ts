/** `retry`: requests the next attempt for deferred mail at once. */
import { z } from 'zod'
import { countText } from '../../shared/policy/words.ts'
import type { ApiClient } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { command, jsonOption } from '../command.ts'
import { type Found, findConnectors } from '../connectors/find-connectors.ts'
import { exit, UsageFault } from '../faults.ts'
import { jsonText, printable } from '../text/words.ts'

export const retry = command({
  name: 'retry',
  summary: 'Retry deferred mail now: one message, or all messages of a connector',
  takes: { shown: '[ID]', least: 0, most: 1 },
  usesApi: true,
  options: {
    connector: {
      type: 'string',
      value: 'NAME|ID',
      says: 'all deferred mail that this connector was applied to',
    },
    ...jsonOption,
  },
  details: `
Give the id of a message, or --connector. Each message is decided again by the current connectors, and sent only if
their requirements are met. When an inbound and an outbound connector have the same name, both are included.
`,
  async run({ values, positionals: [id], world, api }) {
    if ((id === undefined) === (values.connector === undefined))
      throw new UsageFault('retry needs a message id, or --connector NAME|ID')
    const asked =
      id === undefined ? await byConnector(api, values.connector ?? '') : await oneMessage(api, id)
    world.out(values.json ? jsonText(asked.json) : `${asked.text}\n`)
    return exit.ok
  },
})

interface Requested {
  readonly json: unknown
  readonly text: string
}

const MessageAnswer = z.object({ requested: z.int(), recipients: z.array(z.string()) })

async function oneMessage(api: ApiClient, id: string): Promise<Requested> {
  const answer = await api.post(MessageAnswer, `/messages/${escaped(id)}/retry`, {})
  const recipients = answer.recipients.map(printable).join(', ')
  return { json: answer, text: `Requested the next attempt now for ${recipients}.` }
}

async function byConnector(api: ApiClient, nameOrId: string): Promise<Requested> {
  const totals = []
  for (const found of await findConnectors(api, nameOrId)) totals.push(await retryAll(api, found))
  return { json: totals, text: totals.map(textOf).join('\n') }
}

const ConnectorAnswer = z.object({
  requested: z.int(),
  messages: z.int(),
  nextCursor: z.string().nullable(),
})

/** One request covers as many messages as its time allows, so requests repeat until no cursor is left. */
async function retryAll(api: ApiClient, { kind, connector }: Found) {
  const total = { connector: connector.id, name: connector.label, one: kind.one, requested: 0, messages: 0 }
  let cursor: string | null | undefined
  do {
    const answer = await api.post(ConnectorAnswer, `${connector.path}/retry`, {}, { cursor })
    total.requested += answer.requested
    total.messages += answer.messages
    cursor = answer.nextCursor
  } while (cursor !== null)
  return total
}

function textOf({ one, name, requested, messages }: Awaited<ReturnType<typeof retryAll>>): string {
  const whose = `${one} "${printable(name)}"`
  if (requested === 0) return `${whose}: no deferred mail.`
  const what = `${countText(requested, 'recipient')} of ${countText(messages, 'message')}`
  return `${whose}: requested the next attempt now for ${what}.`
}
