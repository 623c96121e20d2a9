/** `connectors get`: one connector in full. */
import { command, jsonOption } from '../command.ts'
import { type Found, findConnectors } from '../connectors/find-connectors.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { exit } from '../faults.ts'
import { jsonText, timeOf } from '../text/words.ts'

export const getConnector = command({
  name: 'connectors get',
  summary: 'Show a connector as the file of "connectors apply" has it',
  takes: { shown: 'NAME|ID', least: 1, most: 1 },
  usesApi: true,
  options: jsonOption,
  details: `
When an inbound and an outbound connector share the name, both are shown. --json prints what the API answers, in a
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
  const times = `made ${timeOf(String(createdAt))}, changed ${timeOf(String(updatedAt))}`
  return writeConfiguration({ [kind.name]: [connector] }, `id ${connector.id}, version ${version}, ${times}`)
}
