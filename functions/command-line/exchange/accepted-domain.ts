/** Get-AcceptedDomain. */
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import type { Imported } from './common.ts'
import { Remarks } from './notices.ts'
import type { Settings } from './settings.ts'

export function importAcceptedDomain(settings: Settings): Imported {
  const given = settings.text('DomainName') ?? ''
  const remarks = new Remarks(`accepted domain "${given}"`)
  const domain = normaliseDomain(given)
  if (settings.flag('MatchSubDomains') === true)
    remarks.note('MatchSubDomains is not carried over: list its subdomains as accepted domains of their own.')
  if (domain === null) remarks.add('Left out', 'it is not a domain name.')
  else if (/(^|\.)onmicrosoft\.com$/.test(domain))
    remarks.add('Left out', "it is Microsoft's, whose mail always goes to Microsoft.")
  else return { wanted: { key: domain, label: domain, fields: { comment: '' } }, notices: remarks.notices }
  return { wanted: null, notices: remarks.notices }
}
