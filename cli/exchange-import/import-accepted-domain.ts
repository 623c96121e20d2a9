/** Imports the output of Get-AcceptedDomain. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { Imported } from './connector-common.ts'
import type { Settings } from './exchange-settings.ts'
import { Remarks } from './import-notices.ts'

export function importAcceptedDomain(settings: Settings): Imported {
  const given = settings.text('DomainName') ?? ''
  const remarks = new Remarks(`accepted domain "${given}"`)
  const { about, notices } = remarks
  const domain = normaliseDomain(given)
  const microsofts = domain !== null && /(^|\.)onmicrosoft\.com$/.test(domain)
  if (domain === null) remarks.add('Left out', 'it is not a domain name.')
  if (microsofts) remarks.add('Left out', 'it is a Microsoft domain, whose mail always goes to Microsoft.')
  if (domain === null || microsofts) return { about, wanted: null, notices }
  if (settings.flag('MatchSubDomains') === true)
    remarks.note('MatchSubDomains is not imported: add each subdomain as an accepted domain.')
  return { about, wanted: { key: domain, label: domain, fields: { comment: '' } }, notices }
}
