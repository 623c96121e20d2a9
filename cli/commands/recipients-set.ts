/** `recipients set`: replaces the list of a domain's recipients by that of a file. */
import { countText } from '../../shared/policy/text-lists.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { decodeExport } from '../exchange-import/read-export.ts'
import { yesOption } from '../input/confirm.ts'
import { readOctets } from '../input/read-file.ts'
import {
  confirmRemoval,
  Domain,
  effectText,
  readAddresses,
  readDomain,
  recipientsPath,
} from '../recipients/domain-recipients.ts'
import { readRecipients } from '../recipients/read-recipients.ts'
import { jsonText } from '../text/format.ts'

export const setRecipients = defineCommand({
  positionalUsage: { usage: 'DOMAIN', minCount: 1, maxCount: 1 },
  requiredOptions: '-f FILE',
  usesApi: true,
  options: {
    file: { type: 'string', short: 'f', value: 'FILE', description: 'the file; - is standard input' },
    'dry-run': {
      type: 'boolean',
      description: 'only count the differences, write nothing; exit status 3 if there are differences',
    },
    ...yesOption,
    ...jsonOption,
  },
  details: `
The file has an address of the domain, or a local part, in each line; # begins a comment. Or it is a CSV file with the
column PrimarySmtpAddress or EmailAddresses, of which the addresses of the domain are read:

  Get-Recipient -ResultSize Unlimited |
    Select-Object PrimarySmtpAddress, @{n='EmailAddresses';e={$_.EmailAddresses -join ';'}} |
    Export-Csv FILE -NoTypeInformation

The command prints the number of added and removed addresses. It asks before it removes more than a tenth of the list;
without a terminal this needs --yes. The list has an effect when recipients of the domain is List ("domains set").
`,
  async run({ values, positionals: [text = ''], io, api }) {
    if (values.file === undefined) throw new UsageError('recipients set requires -f FILE')
    const name = values.file === '-' ? 'standard input' : values.file
    const content = decodeExport(await readOctets(values.file, io), name)
    const domain = await readDomain(api, text)
    const { localParts, otherDomains } = readRecipients(content, name, domain.domain)
    if (localParts.size === 0)
      throw new CommandError(`${name} has no address of ${domain.domain}; nothing was written`)
    const current = new Set(
      (await readAddresses(api, domain)).map((address) => address.slice(0, -domain.domain.length - 1)),
    )
    const counts = {
      added: [...localParts].filter((localPart) => !current.has(localPart)).length,
      removed: [...current].filter((localPart) => !localParts.has(localPart)).length,
      before: current.size,
      after: localParts.size,
      otherDomains,
    }
    const print = values.json ? () => {} : io.out
    print(`${summaryText(domain, counts)}\n`)
    const isDifferent = counts.added + counts.removed > 0
    const isWritten = isDifferent && !values['dry-run']
    let saved = domain
    if (isWritten) {
      await confirmRemoval(domain, { removed: counts.removed, of: counts.before }, values.yes, io)
      const body = { addresses: [...localParts] }
      saved = await api.put(Domain, recipientsPath(domain), body, domain.version)
      print(`Written: ${countText(counts.after, 'recipient')}.\n`)
    }
    if (values.json) io.out(jsonText({ domain: domain.domain, written: isWritten, ...counts }))
    const effect = effectText(saved)
    if (effect !== null) io.err(`${effect}\n`)
    return values['dry-run'] && isDifferent ? exitStatus.differences : exitStatus.ok
  },
})

interface Counts {
  added: number
  removed: number
  before: number
  after: number
  otherDomains: number
}

function summaryText({ domain }: Domain, { added, removed, before, after, otherDomains }: Counts): string {
  const left =
    otherDomains === 0 ? '' : ` ${countText(otherDomains, 'address', 'addresses')} of other domains left out.`
  if (added + removed === 0) return `${domain}: no differences, ${countText(after, 'recipient')}.${left}`
  return `${domain}: ${added} added, ${removed} removed; ${before} before, ${after} after.${left}`
}
