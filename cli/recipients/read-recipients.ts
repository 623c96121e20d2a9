/**
 * Reads the recipients of a domain from a file: a text with an address in each line, or a CSV file as
 * `Get-Recipient | Export-Csv` writes it. Pure.
 */
import { domainOf } from '../../shared/mail/address.ts'
import { readListedRecipient } from '../../shared/mail/recipient-address.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import { CommandError } from '../command-error.ts'
import { parseCsv } from './parse-csv.ts'

export interface FileRecipients {
  /** In comparable form, each once. */
  readonly localParts: ReadonlySet<string>
  /** Number of addresses of other domains in a CSV file, which holds those of the whole organisation. */
  readonly otherDomains: number
}

interface Entry {
  readonly line: number
  readonly text: string
}

const maxFaults = 20

const columns = ['PrimarySmtpAddress', 'EmailAddresses'] as const

/**
 * @param name of the file, for messages
 * @throws CommandError with the first faults and their lines
 */
export function readRecipients(text: string, name: string, domain: string): FileRecipients {
  const csv = parseCsv(text, columns)
  if (csv === null) return collect(textEntries(text), name, domain)
  const addresses = csv.flatMap(({ line, values }): Entry[] =>
    addressesOf(values, `${name}:${line}`).map((address) => ({ line, text: address })),
  )
  const isOwn = ({ text: address }: Entry) => domainOf(address) === domain
  const own = addresses.filter(isOwn)
  const others = new Set(addresses.filter((entry) => !isOwn(entry)).map((entry) => entry.text.toLowerCase()))
  return { ...collect(own, name, domain), otherDomains: others.size }
}

/** Leaves out empty lines and comments. */
const textEntries = (text: string): Entry[] =>
  text
    .split(/\r?\n/)
    .map((line, index) => ({ line: index + 1, text: line.replace(/(?:^|\s)#.*$/, '').trim() }))
    .filter((entry) => entry.text !== '')

function collect(entries: readonly Entry[], name: string, domain: string): FileRecipients {
  const localParts = new Set<string>()
  const faults: string[] = []
  for (const { line, text } of entries) {
    const read = readListedRecipient(text, domain)
    if ('localPart' in read) localParts.add(read.localPart)
    else faults.push(`${name}:${line}: ${read.fault}`)
  }
  if (faults.length === 0) return { localParts, otherDomains: 0 }
  throw new CommandError(`${name} has ${countText(faults.length, 'error')}; nothing was written`, [
    ...faults.slice(0, maxFaults),
    ...(faults.length > maxFaults ? ['…'] : []),
  ])
}

/**
 * `EmailAddresses` holds proxy addresses, such as `SMTP:a@b;smtp:c@d;X400:…`: those of SMTP are addresses of the mailbox.
 * @throws CommandError when PowerShell wrote the type of a list in place of the list
 */
function addressesOf(values: Readonly<Record<(typeof columns)[number], string>>, where: string): string[] {
  const { PrimarySmtpAddress: primary, EmailAddresses: all } = values
  if (/^System\.|^Microsoft\.Exchange\./.test(all))
    throw new CommandError(`${where}: EmailAddresses holds "${all}", and not the addresses`, [exportAdvice])
  const proxies = [...all.matchAll(/(?:^|[\s;,{])smtp:([^\s;,}]+)/gi)].map(([, address = '']) => address)
  return primary === '' ? proxies : [primary, ...proxies]
}

const exportAdvice =
  "Write the file with: Get-Recipient -ResultSize Unlimited | Select-Object PrimarySmtpAddress, @{n='EmailAddresses';e={$_.EmailAddresses -join ';'}} | Export-Csv FILE -NoTypeInformation"
