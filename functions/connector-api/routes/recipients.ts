/** `/accepted-domains/{domain}/recipients`: the list of a domain's recipients. Its entity tag is that of the domain. */
import { ulid } from 'ulid'
import * as z from 'zod'
import { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import { maxListedRecipients, type RecipientLists } from '../../../shared/connectors-table/recipient-lists.ts'
import type { AcceptedDomains, ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { limitUpTo, listOf, listResponse } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import { type Route, type RouteResponse, route } from '../../../shared/http-api/route.ts'
import { changedList, emptyListProblem, readRecipients, recipientFaultsProblem } from '../recipient-list.ts'
import { currentDomain, existingDomain } from './accepted-domains.ts'
import { okResponse, savedValue } from './write-responses.ts'

const path = '/accepted-domains/{domain}/recipients'

/**
 * A request of API Gateway has at most 10 MB, and the event of a Lambda function 6 MB
 * (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), which also holds escapes and headers.
 */
const maxBodyOctets = 5_242_880

/** The response of a Lambda function is at most 6 MB; an address has at most 318 octets. */
const maxPageSize = 10_000

const entries = z.array(z.string()).max(maxListedRecipients)
const entriesMeaning = 'addresses of the domain, or their local parts; letter case does not matter'

export const RecipientAddresses = listOf(z.string())
export const RecipientListInput = z.strictObject({ addresses: entries.describe(entriesMeaning) })
export const RecipientListPatch = z.strictObject({
  add: entries.default([]).describe(entriesMeaning),
  remove: entries.default([]).describe(entriesMeaning),
})

const Position = z.strictObject({ version: z.ulid(), offset: z.int().positive() })

type Stores = Pick<ConnectorRepository, 'acceptedDomains' | 'recipientLists'>

export const recipientRoutes = (stores: Stores): Route[] => [
  readRoute(stores),
  replaceRoute(stores),
  patchRoute(stores),
]

const readRoute = ({ acceptedDomains, recipientLists }: Stores): Route =>
  route(
    {
      method: 'GET',
      path,
      role: 'read',
      summary: "List the recipients of an accepted domain; the ETag is the domain's",
      query: z.strictObject({
        cursor: cursorSchema(Position).optional(),
        limit: limitUpTo(maxPageSize, 1000),
      }),
      answers: { 200: RecipientAddresses },
      problems: [404, 409],
    },
    async ({ parameter, query: { cursor, limit } }) => {
      const domain = await currentDomain(acceptedDomains, existingDomain(parameter), 'any')
      const { headers } = okResponse(domain)
      const version = domain.recipientList?.version
      if (cursor && cursor.version !== version)
        throw new Problem(409, 'The list has changed since its first page. Read it again without a cursor.')
      const localParts = await localPartsOf(recipientLists, domain)
      const start = cursor?.offset ?? 0
      const end = start + limit
      const page = localParts.slice(start, end).map((localPart) => `${localPart}@${domain.domain}`)
      return {
        ...listResponse(page, end < localParts.length ? { version, offset: end } : null),
        ...(headers && { headers }),
      }
    },
  )

const replaceRoute = ({ acceptedDomains, recipientLists }: Stores): Route =>
  route(
    {
      method: 'PUT',
      path,
      role: 'administer',
      summary: `Replace the recipients of an accepted domain, at most ${maxListedRecipients} in ${maxBodyOctets} octets`,
      body: RecipientListInput,
      bodyName: 'RecipientListInput',
      maxBodyOctets,
      ifMatch: 'required',
      answers: { 200: AcceptedDomain },
      problems: [404, 409],
    },
    async ({ parameter, body, ifMatch, caller }) => {
      const domain = await currentDomain(acceptedDomains, existingDomain(parameter), ifMatch ?? [])
      const read = readRecipients([['addresses', body.addresses]], domain.domain)
      return save(acceptedDomains, recipientLists, domain, read.addresses ?? new Set(), caller)
    },
  )

const patchRoute = ({ acceptedDomains, recipientLists }: Stores): Route =>
  route(
    {
      method: 'PATCH',
      path,
      role: 'administer',
      summary: 'Add recipients to the list of an accepted domain, and remove others',
      body: RecipientListPatch,
      bodyName: 'RecipientListPatch',
      maxBodyOctets,
      ifMatch: 'required',
      answers: { 200: AcceptedDomain },
      problems: [404, 409],
    },
    async ({ parameter, body, ifMatch, caller }) => {
      const domain = await currentDomain(acceptedDomains, existingDomain(parameter), ifMatch ?? [])
      const { add, remove } = readRecipients(
        [
          ['add', body.add],
          ['remove', body.remove],
        ],
        domain.domain,
      )
      const current = await localPartsOf(recipientLists, domain)
      return save(acceptedDomains, recipientLists, domain, changedList(current, add, remove), caller)
    },
  )

const localPartsOf = async (lists: RecipientLists, { domain, recipientList }: AcceptedDomain) =>
  recipientList ? lists.readAll(domain, recipientList.version) : []

async function save(
  domains: AcceptedDomains,
  lists: RecipientLists,
  domain: AcceptedDomain,
  recipients: ReadonlySet<string>,
  actor: string,
): Promise<RouteResponse> {
  if (recipients.size > maxListedRecipients)
    throw recipientFaultsProblem([
      {
        path: '',
        message: `the list would have ${recipients.size} of at most ${maxListedRecipients} addresses`,
      },
    ])
  if (recipients.size === 0 && domain.recipients === 'List') throw emptyListProblem(domain.domain)
  const previous = domain.recipientList?.version ?? null
  const list =
    recipients.size === 0
      ? undefined
      : { version: await lists.write(domain.domain, [...recipients].sort()), addresses: recipients.size }
  const saved = savedValue(await domains.setRecipientList(domain, list, actor), 'accepted domain')
  // The list is saved. What cannot be deleted now, the next write deletes.
  await lists.removeBefore(domain.domain, list?.version ?? ulid(), list && previous).catch(() => {})
  return okResponse(saved)
}
