/**
 * Parses TlsSenderCertificateName: a domain, `*.domain`, a subject such as `CN=*.domain, O=…`, or issuer and subject,
 * `<I>CN=…<S>CN=…`. In Exchange `*.contoso.com` matches contoso.com and every subdomain. In mailflow `*.` matches one
 * label (RFC 9525 §6.3), so the domain itself is added.
 */
import { normaliseDomainPattern } from '../../shared/mail/domain.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import type { NoticeCollector, Weight } from './import-notices.ts'

const setting = 'TlsSenderCertificateName'

/**
 * @param lossWeight the weight of the notice that no name is supported
 * @returns an empty list when no name is supported
 */
export function certificateNames(
  settings: ExchangeSettings,
  collector: NoticeCollector,
  lossWeight: Weight,
): string[] {
  const text = settings.text(setting)
  if (text === null) return []
  const subject = /^<I>.*<S>(.*)$/is.exec(text)?.[1]
  const commonName = /(?:^|,)\s*CN=([^,]+)/i.exec(subject ?? text)?.[1]?.trim()
  if (subject !== undefined)
    collector.add(
      'Weaker than in Exchange',
      `${setting} also names the issuer; mailflow accepts any public authority. Add the issuer's certificate to certificateAuthorities.`,
    )
  else if (commonName !== undefined && normaliseDomainPattern(commonName) !== null)
    collector.note(`${setting} "${text}" is a subject; only its common name, "${commonName}", is imported.`)
  const names = namesOf(commonName ?? text, collector)
  if (names.length === 0)
    collector.add(lossWeight, `${setting} "${text}" is omitted: it is neither a host name nor "*.domain".`)
  return names
}

function namesOf(name: string, collector: NoticeCollector): string[] {
  const pattern = normaliseDomainPattern(name.trim())
  if (pattern === null || pattern === '*') return []
  if (!pattern.startsWith('*.')) return [pattern]
  collector.note(
    `${setting} "${pattern}": ${pattern.slice(2)} is added, because in mailflow "*." matches one label; add deeper subdomains yourself.`,
  )
  return [pattern, pattern.slice(2)]
}
