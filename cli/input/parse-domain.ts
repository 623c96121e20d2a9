import { normaliseDomain } from '../../shared/mail/domain.ts'
import { UsageError } from '../command-error.ts'

/**
 * @param option the option's name, for messages
 * @returns the domain in the form in which domains are compared
 */
export function parseDomain(option: string, text: string): string {
  const domain = normaliseDomain(text)
  if (domain !== null) return domain
  throw new UsageError(`${option} ${text}: not a domain; example: contoso.com`)
}
