/** `connectors get`: shows one connector. */
import * as z from 'zod'
import { faultText } from '../../shared/contract/schema-faults.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import type { DesiredEntry } from '../connectors/entry-kinds.ts'
import { type FoundConnector, findConnectors } from '../connectors/find-connectors.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { formatTime, jsonText, printable } from '../text/format.ts'

export const getConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: jsonOption,
  details: `
When an inbound and an outbound connector have the same name, both are shown, each with its warnings. --json prints the
API's responses as a list.
`,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    const found = await findConnectors(api, nameOrId)
    if (values.json) io.out(jsonText(found.map(({ connector }) => connector.response)))
    else io.out(textOf(found))
    return exitStatus.ok
  },
})

function textOf(found: readonly FoundConnector[]): string {
  const comments = new Map<DesiredEntry, string>(
    found.map(({ connector }) => [connector, commentOn(connector)]),
  )
  return writeConfiguration(
    // At most one of each kind.
    Object.fromEntries(found.map(({ kind, connector }) => [kind.name, [connector]])),
    'A part of the configuration. For: npx mailflow connectors apply -f FILE',
    (entry) => comments.get(entry) ?? '',
    true,
  )
}

function commentOn({ id, response }: FoundConnector['connector']): string {
  const { createdAt, updatedAt, version } = response
  const times = `created ${formatTime(String(createdAt))}, changed ${formatTime(String(updatedAt))}`
  return [`id ${id}, version ${version}, ${times}`, ...warningsIn(response)].join('\n')
}

/** An earlier gateway returns none. */
const Warned = z.object({
  warnings: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
})

const warningsIn = (response: unknown): string[] =>
  parseResponse(Warned, response, 'connector').warnings.map(
    (warning) => `warning: ${printable(faultText(warning))}`,
  )
