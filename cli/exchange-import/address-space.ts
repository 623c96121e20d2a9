/**
 * Parses Exchange's address spaces, `type:address;cost`, such as `smtp:contoso.com;1` or `smtp:*;1`. The list
 * `SenderDomains` of Get-InboundConnector has this form. A plain domain is also an address space.
 */
import { normaliseDomainPattern } from '../../shared/mail/domain.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import type { NoticeCollector, Weight } from './import-notices.ts'

/**
 * @param weight the weight of the notice about an omitted domain
 * @returns domain patterns; adds a notice for each value that is not a domain pattern
 */
export function domainPatterns(
  setting: string,
  settings: ExchangeSettings,
  weight: 'Note' | 'Weaker than in Exchange',
  collector: NoticeCollector,
): string[] {
  const values = settings.list(setting)
  return [...new Set(values.flatMap((value) => patternOf(setting, value, weight, collector)))]
}

const addressSpace = /^(?:(?<type>\w+):)?(?<address>.*?)(?:;(?<cost>\d+))?$/

function patternOf(setting: string, value: string, weight: Weight, collector: NoticeCollector): string[] {
  const { type = 'smtp', address = '', cost = '1' } = addressSpace.exec(value)?.groups ?? {}
  if (type.toLowerCase() !== 'smtp') {
    collector.note(`${setting} "${value}" is omitted: it is not an SMTP domain.`)
    return []
  }
  if (cost !== '1')
    collector.note(
      `${setting} "${value}": its cost is ignored; in mailflow the most specific domain has precedence.`,
    )
  const pattern = address === '--' ? null : normaliseDomainPattern(address.trim())
  if (pattern !== null) return [pattern]
  collector.add(
    weight,
    address === '--'
      ? `${setting} "${value}" means every accepted domain, which mailflow does not support; list those domains.`
      : `${setting} "${value}" is omitted: it is not a domain, "*.domain" or "*".`,
  )
  return []
}
