/** `connectors get`: shows one connector. */
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { type FoundConnector, findConnectors } from '../connectors/find-connectors.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { formatTime, jsonText } from '../text/format.ts'

export const getConnector = defineCommand({
  name: 'connectors get',
  summary: 'Show a connector in the file format of "connectors apply"',
  positionalUsage: { usage: 'NAME|ID', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: jsonOption,
  details: `
When an inbound and an outbound connector have the same name, both are shown. --json prints the API's responses as a
list.
`,
  async run({ values, positionals: [nameOrId = ''], io, api }) {
    const found = await findConnectors(api, nameOrId)
    if (values.json) io.out(jsonText(found.map(({ connector }) => connector.response)))
    else io.out(found.map(textOf).join('\n'))
    return exitStatus.ok
  },
})

function textOf({ kind, connector }: FoundConnector): string {
  const { createdAt, updatedAt, version } = connector.response
  const times = `created ${formatTime(String(createdAt))}, changed ${formatTime(String(updatedAt))}`
  return writeConfiguration({ [kind.name]: [connector] }, `id ${connector.id}, version ${version}, ${times}`)
}
