/**
 * TlsSenderCertificateName: a domain, `*.domain`, or a certificate by issuer and subject, `<I>CN=…<S>CN=…`.
 * Exchange lets `*.contoso.com` stand for contoso.com and everything below; a name in a certificate stands for one
 * label (RFC 9525 §6.3), so the domain itself is listed beside it.
 */
import { normaliseDomainPattern } from '../../shared/mail/domain.ts'
import type { Settings } from './exchange-settings.ts'
import type { Remarks } from './import-notices.ts'

const setting = 'TlsSenderCertificateName'

/** @returns none when there is none, or none that can be written here */
export function certificateNames(settings: Settings, remarks: Remarks): string[] {
  const text = settings.text(setting)
  if (text === null) return []
  const subject = /^<I>.*<S>(.*)$/is.exec(text)?.[1]
  if (subject === undefined) return namesOf(text, text, remarks)
  const commonName = /(?:^|,)\s*CN=([^,]+)/i.exec(subject)?.[1] ?? ''
  remarks.add(
    'Weaker than in Exchange',
    `${setting} also names the issuer, which here may be any public authority. Put the issuer's certificate into certificateAuthorities.`,
  )
  return namesOf(commonName, text, remarks)
}

function namesOf(name: string, given: string, remarks: Remarks): string[] {
  const pattern = normaliseDomainPattern(name.trim())
  if (pattern === null || pattern === '*') {
    remarks.note(`${setting} "${given}" is not a host name or "*.domain" and is left out.`)
    return []
  }
  if (!pattern.startsWith('*.')) return [pattern]
  remarks.note(
    `${setting} "${pattern}" is listed with ${pattern.slice(2)} beside it: "*." stands for one label here, so add names that lie deeper.`,
  )
  return [pattern, pattern.slice(2)]
}
