/** Imports the output of Get-AcceptedDomain. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { ImportedObject } from './connector-common.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import { NoticeCollector } from './import-notices.ts'

export function importAcceptedDomain(settings: ExchangeSettings): ImportedObject {
  const exportedName = settings.text('DomainName') ?? ''
  const collector = new NoticeCollector(`accepted domain "${exportedName}"`)
  const { about, notices } = collector
  const domain = normaliseDomain(exportedName)
  const isMicrosoftDomain = domain !== null && /(^|\.)onmicrosoft\.com$/.test(domain)
  if (domain === null) collector.add('Left out', 'it is not a domain name.')
  if (isMicrosoftDomain)
    collector.add('Left out', 'it is a Microsoft domain, whose mail always goes to Microsoft.')
  if (domain === null || isMicrosoftDomain) return { about, entry: null, notices }
  if (settings.flag('MatchSubDomains') === true)
    collector.note('MatchSubDomains is not imported: add each subdomain as an accepted domain.')
  return { about, entry: { key: domain, label: domain, fields: { comment: '' } }, notices }
}
