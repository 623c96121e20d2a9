/** `connectors import-exchange`: converts Exchange Online's connectors to a file for `connectors apply`. */

import { countText } from '../../shared/policy/text-lists.ts'
import { defineCommand } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { modeOption, parseMode } from '../connectors/mode-option.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { type Notice, noticesText, type Weight } from '../exchange-import/import-notices.ts'
import { importObjects } from '../exchange-import/import-objects.ts'
import { readExport } from '../exchange-import/read-export.ts'
import { readOctets } from '../input/read-file.ts'
import { printable } from '../text/format.ts'

export const importExchange = defineCommand({
  positionalUsage: { usage: 'FILE …', minCount: 1, maxCount: Number.POSITIVE_INFINITY },
  usesApi: false,
  options: modeOption,
  details: `
Write the files with PowerShell:

  Get-InboundConnector | ConvertTo-Json | Out-File inbound.json
  Get-OutboundConnector | ConvertTo-Json | Out-File outbound.json
  Get-AcceptedDomain | ConvertTo-Json | Out-File domains.json

The connectors go to standard output. Notices go to standard error: they list the settings that were not imported, and
what replaces these settings. Before you apply the file, read the notices "Left out", "Disabled" and "Weaker than in
Exchange". The file repeats these notices as comments, and the exit status is 3 when there are any. --mode ReportOnly
lets you watch what the connectors would do before they do it.
`,
  async run({ values, positionals, io }) {
    const mode = parseMode(values.mode)
    const files = await Promise.all(
      positionals.map(async (name) => readExport(await readOctets(name, io), name)),
    )
    const { configuration, notices, noticesByEntry } = importObjects(files.flat(), mode)
    const heading = [
      printable(`Imported from Exchange: ${positionals.join(', ')}`),
      ...leftOutLines(notices),
    ].join('\n')
    io.out(
      writeConfiguration(configuration, heading, (entry) =>
        importantNoticesText(noticesByEntry.get(entry) ?? []),
      ),
    )
    io.err(noticesText(notices))
    io.err(`${summaryOf(configuration, notices)}\n`)
    if (configuration.acceptedDomains === null || configuration.acceptedDomains.length === 0)
      io.err(`${noAcceptedDomainText}\n`)
    return notices.some(({ weight }) => importantWeights.includes(weight))
      ? exitStatus.differences
      : exitStatus.ok
  },
})

const noAcceptedDomainText =
  'No accepted domain was imported. The gateway accepts mail from outside only for accepted domains; if it does not have your domains yet, export them also: Get-AcceptedDomain | ConvertTo-Json | Out-File domains.json'

const importantWeights: readonly Weight[] = ['Left out', 'Disabled', 'Weaker than in Exchange']

/** The file repeats these notices, because standard error is often lost. */
const importantNoticesText = (notices: readonly Notice[]): string =>
  notices
    .filter(({ weight }) => importantWeights.includes(weight))
    .map(({ weight, text }) => printable(`${weight}: ${text}`))
    .join('\n')

const leftOutLines = (notices: readonly Notice[]): string[] =>
  notices
    .filter(({ weight }) => weight === 'Left out')
    .map(({ about, text }) => printable(`Left out: ${about}: ${text}`))

function summaryOf(
  {
    acceptedDomains,
    inboundConnectors,
    outboundConnectors,
  }: ReturnType<typeof importObjects>['configuration'],
  notices: readonly Notice[],
): string {
  const counts = [
    countText(inboundConnectors?.length ?? 0, 'inbound connector'),
    countText(outboundConnectors?.length ?? 0, 'outbound connector'),
    countText(acceptedDomains?.length ?? 0, 'accepted domain'),
  ].join(', ')
  const weights = importantWeights
    .map((weight) => [weight, notices.filter((notice) => notice.weight === weight).length] as const)
    .filter(([, count]) => count > 0)
    .map(([weight, count]) => `${count} × ${weight}`)
  if (weights.length === 0) return `Imported: ${counts}. No requirement is weaker than in Exchange.`
  return `Imported: ${counts}. Review these notices before you apply the file: ${weights.join(', ')}.`
}
