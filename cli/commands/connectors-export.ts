/** `connectors export`: what the gateway has, as the file that `connectors apply` reads. */
import { command } from '../command.ts'
import { readPresent } from '../connectors/read-present.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { exit } from '../faults.ts'

export const exportConnectors = command({
  name: 'connectors export',
  summary: 'Write all connectors and accepted domains as a file for "connectors apply"',
  usesApi: true,
  options: {},
  details: `
The file goes to standard output. Fields at their defaults are left out, but for those that decide over security.
Applying the file right away makes no difference.
`,
  async run({ world, api }) {
    world.out(writeConfiguration(await readPresent(api), 'For: npx mailflow connectors apply -f FILE'))
    return exit.ok
  },
})
