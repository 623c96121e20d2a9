/** `connectors export`: writes the gateway's configuration as a file for `connectors apply`. */
import { defineCommand } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { readCurrentConfiguration } from '../connectors/read-current-configuration.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'

export const exportConnectors = defineCommand({
  usesApi: true,
  options: {},
  details: `
The file goes to standard output. It omits fields that have their default value, except requireTls, tlsSettings and
route.
Applying the file immediately afterwards changes nothing.
`,
  async run({ io, api }) {
    io.out(
      writeConfiguration(await readCurrentConfiguration(api), 'For: npx mailflow connectors apply -f FILE'),
    )
    return exitStatus.ok
  },
})
