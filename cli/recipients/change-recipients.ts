/** The part that `recipients add` and `recipients remove` share. */
import { readListedRecipient } from '../../shared/mail/recipient-address.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import { type CommandDefinition, defineCommand, jsonOption } from '../command.ts'
import { CommandError, exitStatus } from '../command-error.ts'
import { yesOption } from '../input/confirm.ts'
import { jsonText } from '../text/format.ts'
import { confirmRemoval, Domain, effectText, readDomain, recipientsPath } from './domain-recipients.ts'

export const changeRecipients = (field: 'add' | 'remove'): CommandDefinition =>
  defineCommand({
    positionalUsage: { usage: 'DOMAIN ADDRESS …', minCount: 2, maxCount: Number.POSITIVE_INFINITY },
    usesApi: true,
    options: { ...yesOption, ...jsonOption },
    details: `
ADDRESS is an address of the domain or its local part. Letter case does not matter.${field === 'remove' ? '\nThe command asks before it removes more than a tenth of the list.' : ''}
`,
    async run({ values, positionals: [text = '', ...entries], io, api }) {
      const domain = await readDomain(api, text)
      const localParts = entries.map((entry) => {
        const read = readListedRecipient(entry, domain.domain)
        if ('fault' in read) throw new CommandError(`${read.fault}; nothing was written`)
        return read.localPart
      })
      const before = domain.recipientList?.addresses ?? 0
      if (field === 'remove')
        await confirmRemoval(domain, { removed: localParts.length, of: before }, values.yes, io)
      const saved = await api.patch(Domain, recipientsPath(domain), { [field]: localParts }, domain.version)
      const after = saved.recipientList?.addresses ?? 0
      if (values.json) io.out(jsonText({ domain: saved.domain, before, after }))
      else io.out(`${saved.domain}: ${countText(after, 'recipient')}, before ${before}.\n`)
      const effect = effectText(saved)
      if (effect !== null) io.err(`${effect}\n`)
      return exitStatus.ok
    },
  })
