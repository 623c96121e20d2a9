/** `connectors get`: shows one connector. */
import { command, jsonOption } from '../command.ts'
import { type Found, findConnectors } from '../connectors/find-connectors.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { exit } from '../faults.ts'
import { jsonText, timeOf } from '../text/words.ts'

export const getConnector = command({
  name: 'connectors get',
  summary: 'Show a connector in the file format of "connectors apply"',
  takes: { shown: 'NAME|ID', least: 1, most: 1 },
  usesApi: true,
  options: jsonOption,
  details: `
When an inbound and an outbound connector have the same name, both are shown. --json prints the API's responses as a
list.
`,
  async run({ values, positionals: [nameOrId = ''], world, api }) {
    const found = await findConnectors(api, nameOrId)
    if (values.json) world.out(jsonText(found.map(({ connector }) => connector.answer)))
    else world.out(found.map(textOf).join('\n'))
    return exit.ok
  },
})

function textOf({ kind, connector }: Found): string {
  const { createdAt, updatedAt, version } = connector.answer
  const times = `created ${timeOf(String(createdAt))}, changed ${timeOf(String(updatedAt))}`
  return writeConfiguration({ [kind.name]: [connector] }, `id ${connector.id}, version ${version}, ${times}`)
}
