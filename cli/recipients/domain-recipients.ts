/** Reads and writes the list of a domain's recipients over the API. */
import * as z from 'zod'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import type { Io } from '../command.ts'
import { CommandError, UsageError } from '../command-error.ts'
import { confirm } from '../input/confirm.ts'

/** An accepted domain, as the API returns it. */
export const Domain = z.object({
  domain: z.string(),
  recipients: z.string(),
  recipientList: z.object({ addresses: z.int() }).optional(),
  version: z.int().positive(),
})
export type Domain = z.output<typeof Domain>

const Page = z.object({ items: z.array(z.string()), nextCursor: z.string().nullable() })

/** As many as the API permits: a list of 100,000 addresses has ten pages. */
const pageSize = 10_000

/** @throws CommandError when the gateway does not accept the domain */
export async function readDomain(api: ApiClient, text: string): Promise<Domain> {
  const domain = normaliseDomain(text)
  if (domain === null) throw new UsageError(`"${text}" is not a domain`)
  try {
    return await api.get(Domain, `/accepted-domains/${encodeUrlPart(domain)}`)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      throw new CommandError(`${domain} is not an accepted domain`, [
        'To accept it, add it to the file of "connectors apply".',
      ])
    throw error
  }
}

export const recipientsPath = ({ domain }: Pick<Domain, 'domain'>): string =>
  `/accepted-domains/${encodeUrlPart(domain)}/recipients`

/** Returns the addresses, sorted. */
export async function readAddresses(api: ApiClient, domain: Domain): Promise<string[]> {
  const addresses: string[] = []
  let cursor: string | null | undefined
  do {
    const page: z.output<typeof Page> = await api.get(Page, recipientsPath(domain), {
      limit: pageSize,
      cursor,
    })
    addresses.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  return addresses
}

/** Share of a list that may be removed without a question. */
const maxRemovedShare = 0.1

/** Asks before more than a tenth of a list is removed: a file that is cut short would refuse mail. */
export async function confirmRemoval(
  { domain }: Domain,
  { removed, of }: { removed: number; of: number },
  yes: boolean,
  io: Io,
): Promise<void> {
  if (yes || removed <= of * maxRemovedShare) return
  await confirm(`Remove ${removed} of the ${countText(of, 'recipient')} of ${domain}`, io)
}

/** A sentence about a list that has no effect, or null. */
export const effectText = ({ domain, recipients }: Domain): string | null =>
  recipients === 'List'
    ? null
    : `recipients of ${domain} is ${recipients}, so the list has no effect. To use it: npx mailflow domains set ${domain} recipients=List`
