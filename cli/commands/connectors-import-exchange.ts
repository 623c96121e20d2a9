/** `connectors import-exchange`: converts Exchange Online's connectors to a file for `connectors apply`. */

import { countText } from '../../shared/policy/words.ts'
import { command } from '../command.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { type Notice, noticesText, type Weight } from '../exchange-import/import-notices.ts'
import { importObjects } from '../exchange-import/import-objects.ts'
import { readExport } from '../exchange-import/read-export.ts'
import { exit } from '../faults.ts'
import { readOctets } from '../input/read-file.ts'
import { printable } from '../text/words.ts'

export const importExchange = command({
  name: 'connectors import-exchange',
  summary: 'Convert an export of Exchange Online\'s connectors to a file for "connectors apply"',
  takes: { shown: 'FILE …', least: 1, most: Number.POSITIVE_INFINITY },
  usesApi: false,
  options: {},
  details: `
Write the files with PowerShell:

  Get-InboundConnector | ConvertTo-Json | Out-File inbound.json
  Get-OutboundConnector | ConvertTo-Json | Out-File outbound.json
  Get-AcceptedDomain | ConvertTo-Json | Out-File domains.json

The connectors go to standard output. Notices about settings that were not imported, and what applies instead, go to
standard error. Before you apply the file, read the notices "Left out", "Disabled" and "Weaker than in Exchange". The
file repeats them above the connector.
`,
  async run({ positionals, world }) {
    const files = await Promise.all(
      positionals.map(async (name) => readExport(await readOctets(name, world), name)),
    )
    const { configuration, notices, saidOf } = importObjects(files.flat())
    const heading = [`Imported from Exchange: ${positionals.join(', ')}`, ...leftOut(notices)].join('\n')
    world.out(writeConfiguration(configuration, heading, (one) => graveText(saidOf.get(one) ?? [])))
    world.err(noticesText(notices))
    world.err(`${summaryOf(configuration, notices)}\n`)
    if (configuration.acceptedDomains === null || configuration.acceptedDomains.length === 0)
      world.err(`${withoutDomains}\n`)
    return exit.ok
  },
})

const withoutDomains =
  'No accepted domain was imported. The gateway accepts mail from outside only for accepted domains; if it does not have yours yet, export them too: Get-AcceptedDomain | ConvertTo-Json | Out-File domains.json'

const grave: readonly Weight[] = ['Left out', 'Disabled', 'Weaker than in Exchange']

/** The file repeats these notices, because standard error is not kept. */
const graveText = (notices: readonly Notice[]): string =>
  notices
    .filter(({ weight }) => grave.includes(weight))
    .map(({ weight, says }) => printable(`${weight}: ${says}`))
    .join('\n')

const leftOut = (notices: readonly Notice[]): string[] =>
  notices
    .filter(({ weight }) => weight === 'Left out')
    .map(({ about, says }) => printable(`Left out: ${about}: ${says}`))

function summaryOf(
  {
    acceptedDomains,
    inboundConnectors,
    outboundConnectors,
  }: ReturnType<typeof importObjects>['configuration'],
  notices: readonly Notice[],
): string {
  const written = [
    countText(inboundConnectors?.length ?? 0, 'inbound connector'),
    countText(outboundConnectors?.length ?? 0, 'outbound connector'),
    countText(acceptedDomains?.length ?? 0, 'accepted domain'),
  ].join(', ')
  const weights = grave
    .map((weight) => [weight, notices.filter((notice) => notice.weight === weight).length] as const)
    .filter(([, count]) => count > 0)
    .map(([weight, count]) => `${count} × ${weight}`)
  if (weights.length === 0) return `Imported: ${written}. No requirement is weaker than in Exchange.`
  return `Imported: ${written}. Review these notices before you apply the file: ${weights.join(', ')}.`
}
