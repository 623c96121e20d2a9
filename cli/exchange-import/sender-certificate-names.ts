/**
 * Parses TlsSenderCertificateName: a domain, `*.domain`, or issuer and subject, `<I>CN=…<S>CN=…`. In Exchange
 * `*.contoso.com` matches contoso.com and every subdomain. In mailflow `*.` matches one label (RFC 9525 §6.3),
 * so the domain itself is added.
 */
import { normaliseDomainPattern } from '../../shared/mail/domain.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import type { NoticeCollector } from './import-notices.ts'

const setting = 'TlsSenderCertificateName'

/** @returns an empty list when no name is supported */
export function certificateNames(settings: ExchangeSettings, collector: NoticeCollector): string[] {
  const text = settings.text(setting)
  if (text === null) return []
  const subject = /^<I>.*<S>(.*)$/is.exec(text)?.[1]
  if (subject === undefined) return namesOf(text, text, collector)
  const commonName = /(?:^|,)\s*CN=([^,]+)/i.exec(subject)?.[1] ?? ''
  collector.add(
    'Weaker than in Exchange',
    `${setting} also names the issuer; mailflow accepts any public authority. Add the issuer's certificate to certificateAuthorities.`,
  )
  return namesOf(commonName, text, collector)
}

function namesOf(name: string, settingValue: string, collector: NoticeCollector): string[] {
  const pattern = normaliseDomainPattern(name.trim())
  if (pattern === null || pattern === '*') {
    collector.note(`${setting} "${settingValue}" is omitted: it is neither a host name nor "*.domain".`)
    return []
  }
  if (!pattern.startsWith('*.')) return [pattern]
  collector.note(
    `${setting} "${pattern}": ${pattern.slice(2)} is added, because in mailflow "*." matches one label; add deeper subdomains yourself.`,
  )
  return [pattern, pattern.slice(2)]
}
