/** Reads and changes lists of recipients. Pure. */
import type { AcceptedDomain } from '../../shared/connectors/schema.ts'
import type { Fault } from '../../shared/contract/schema-faults.ts'
import { Problem } from '../../shared/http-api/problem.ts'
import { readListedRecipient } from '../../shared/mail/recipient-address.ts'

/** Limit of the faults that a response names. */
const maxFaults = 20

/**
 * Reads the lists of a body. An address that is in a list twice, in any letter case, is one.
 * @returns the local parts of each list, by its field
 * @throws Problem 422 that names the position and the text of the first faults
 */
export function readRecipients(
  lists: readonly (readonly [field: string, entries: readonly string[]])[],
  domain: string,
): Record<string, ReadonlySet<string>> {
  const faults: Fault[] = []
  let count = 0
  const read = lists.map(([field, entries]) => {
    const localParts = new Set<string>()
    for (const [index, entry] of entries.entries()) {
      const result = readListedRecipient(entry, domain)
      if ('localPart' in result) localParts.add(result.localPart)
      else if (++count <= maxFaults) faults.push({ path: `${field}[${index}]`, message: result.fault })
    }
    return [field, localParts] as const
  })
  if (count > 0) throw recipientFaultsProblem(faults, count)
  return Object.fromEntries(read)
}

export const recipientFaultsProblem = (errors: readonly Fault[], count = errors.length): Problem =>
  new Problem(
    422,
    count > errors.length
      ? `The list has ${count} faults; these are the first ${errors.length}.`
      : 'The list is not valid.',
    { errors },
  )

/** An address that is added and removed is removed. */
export function changedList(
  current: readonly string[],
  add: ReadonlySet<string> = new Set(),
  remove: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  return new Set([...current, ...add].filter((localPart) => !remove.has(localPart)))
}

/** With an empty list every message would be refused. */
export const emptyListProblem = (domain: string): Problem =>
  new Problem(
    409,
    `recipients of ${domain} is List, so the list must have an address: with none all mail would be refused. Write the list first (PUT /accepted-domains/${domain}/recipients, or npx mailflow recipients set ${domain} -f FILE), or set recipients to Any or SmtpCallout.`,
  )

/** @throws Problem 409 when the mode needs a list that the domain does not have */
export function checkRecipients(
  domain: string,
  { recipients }: Pick<AcceptedDomain, 'recipients'>,
  current: Pick<AcceptedDomain, 'recipientList'> | null,
): void {
  if (recipients === 'List' && !current?.recipientList) throw emptyListProblem(domain)
}
