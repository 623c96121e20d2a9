/** Formats the authentication of a message's sender. */
import { printable } from '../text/format.ts'
import type { Authentication, ExchangeOnline } from './trace-entry.ts'

/** Lines without indentation: one for each method. */
export function authenticationText({ internal, spf, dkim, dmarc, arc }: Authentication): string[] {
  if (internal !== null) return [`not checked: connector "${printable(internal)}" treats it as internal mail`]
  return [
    ...(dmarc === null ? [] : [dmarcText(dmarc)]),
    ...(spf === null ? [] : [`SPF ${spf.result} for ${printable(spf.domain)}`]),
    ...(dkim.length === 0 ? ['no DKIM signature'] : dkim.map(signatureText)),
    ...(arc === null || arc.result === 'none'
      ? []
      : [`ARC ${arc.result}${arc.sealer === null ? '' : `, last sealed by ${printable(arc.sealer)}`}`]),
  ]
}

function dmarcText({ result, fromDomain, policy, alignedBy }: NonNullable<Authentication['dmarc']>): string {
  const from =
    fromDomain === null ? 'without a single domain in From:' : `for ${printable(fromDomain)} (From:)`
  const reason = alignedBy.length === 0 ? '' : `, aligned by ${alignedBy.map(methodName).join(' and ')}`
  return `DMARC ${result} ${from}${reason}, ${policy === null ? 'no policy' : `policy ${printable(policy)}`}`
}

const methodName = (method: string): string => printable(method).toUpperCase()

const signatureText = ({ result, domain, selector, aligned }: Authentication['dkim'][number]): string =>
  `DKIM ${result} for ${printable(domain)}, selector ${printable(selector)}, ${aligned ? 'aligned' : 'not aligned'}`

/** What the header names of the sending tenant. */
export function tenantText({ tenantIds, originatorOrganizations }: ExchangeOnline): string {
  const names = [
    ...tenantIds.map((id) => `tenant id ${printable(id)}`),
    ...originatorOrganizations.map((name) => `organization ${printable(name)}`),
  ]
  return names.length === 0 ? 'no tenant named' : names.join(', ')
}
