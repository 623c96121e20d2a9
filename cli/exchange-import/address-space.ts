/**
 * Exchange's address spaces, `type:address;cost`, which is how Get-InboundConnector shows sender domains: `smtp:*;1`,
 * `smtp:contoso.com;1`. Plain domains are address spaces too.
 */
import { normaliseDomainPattern } from '../../shared/mail/domain.ts'
import type { Settings } from './exchange-settings.ts'
import type { Remarks, Weight } from './import-notices.ts'

/**
 * @param weight what it means when a domain gets lost
 * @returns the patterns that connectors know; what is none is remarked on
 */
export function domainPatterns(
  setting: string,
  settings: Settings,
  weight: 'Note' | 'Weaker than in Exchange',
  remarks: Remarks,
): string[] {
  const values = settings.list(setting)
  return [...new Set(values.flatMap((value) => patternOf(setting, value, weight, remarks)))]
}

const addressSpace = /^(?:(?<type>\w+):)?(?<address>.*?)(?:;(?<cost>\d+))?$/

function patternOf(setting: string, value: string, weight: Weight, remarks: Remarks): string[] {
  const { type = 'smtp', address = '', cost = '1' } = addressSpace.exec(value)?.groups ?? {}
  if (type.toLowerCase() !== 'smtp') {
    remarks.note(`${setting} "${value}" is not an SMTP domain and is left out.`)
    return []
  }
  if (cost !== '1')
    remarks.note(`${setting} "${value}": its cost is ignored; the most specific domain counts.`)
  const pattern = address === '--' ? null : normaliseDomainPattern(address.trim())
  if (pattern !== null) return [pattern]
  remarks.add(
    weight,
    address === '--'
      ? `${setting} "${value}" means every accepted domain, which cannot be written here; list those domains.`
      : `${setting} "${value}" is not a domain, "*.domain" or "*" and is left out.`,
  )
  return []
}
