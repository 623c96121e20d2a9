/** `recipients list`: prints the list of a domain's recipients, as `recipients set` reads it. */
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { effectText, readAddresses, readDomain } from '../recipients/domain-recipients.ts'
import { jsonText, printable } from '../text/format.ts'

export const listRecipients = defineCommand({
  positionalUsage: { usage: 'DOMAIN', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: jsonOption,
  async run({ values, positionals: [text = ''], io, api }) {
    const domain = await readDomain(api, text)
    const addresses = await readAddresses(api, domain)
    if (values.json) io.out(jsonText({ domain: domain.domain, recipients: domain.recipients, addresses }))
    else io.out(addresses.map((address) => `${printable(address)}\n`).join(''))
    const effect = effectText(domain)
    if (effect !== null) io.err(`${effect}\n`)
    return exitStatus.ok
  },
})
