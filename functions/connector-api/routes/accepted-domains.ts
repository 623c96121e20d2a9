/** `/accepted-domains`: a collection keyed by domain name. */
import { ulid } from 'ulid'
import { AcceptedDomain, AcceptedDomainInput } from '../../../shared/connectors/schema.ts'
import type { RecipientLists } from '../../../shared/connectors-table/recipient-lists.ts'
import type { AcceptedDomains, ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import type { ExpectedVersions } from '../../../shared/contract/expected-versions.ts'
import { KeyedListQuery, keyedListHandler, listOf } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, type RouteResponse, route } from '../../../shared/http-api/route.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import {
  applyMergePatch,
  checkReadOnly,
  MergePatch,
  separateReadOnly,
  withReadOnlyFields,
} from '../read-only-fields.ts'
import { checkRecipients } from '../recipient-list.ts'
import {
  checkVersion,
  createdResponse,
  notFoundProblem,
  okResponse,
  removedResponse,
  savedValue,
} from './write-responses.ts'

export const AcceptedDomainList = listOf(AcceptedDomain)

const resourceName = 'accepted domain'
const listPath = '/accepted-domains'
const itemPath = `${listPath}/{domain}`

export const acceptedDomainRoutes = ({
  acceptedDomains: domains,
  recipientLists,
}: Pick<ConnectorRepository, 'acceptedDomains' | 'recipientLists'>): Route[] => [
  listRoute(domains),
  readRoute(domains),
  acceptOrReplaceRoute(domains),
  patchRoute(domains),
  removeRoute(domains, recipientLists),
]

const listRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'GET',
      path: listPath,
      role: 'read',
      summary: 'List accepted domains',
      query: KeyedListQuery,
      answers: { 200: AcceptedDomainList },
    },
    keyedListHandler(domains),
  )

const readRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'GET',
      path: itemPath,
      role: 'read',
      summary: 'Read an accepted domain',
      answers: { 200: AcceptedDomain },
      problems: [404],
    },
    async ({ parameter }) => {
      const domain = await domains.get(existingDomain(parameter))
      if (!domain) throw notFoundProblem(resourceName)
      return okResponse(domain)
    },
  )

const acceptOrReplaceRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'PUT',
      path: itemPath,
      role: 'administer',
      summary: 'Accept a domain (without If-Match), or replace its fields (with If-Match)',
      body: withReadOnlyFields(AcceptedDomainInput, AcceptedDomain),
      bodyName: 'AcceptedDomainInput',
      ifMatch: 'optional',
      answers: { 200: AcceptedDomain, 201: AcceptedDomain },
      problems: [409, 412, 428],
    },
    async ({ parameter, body, ifMatch, caller }) => {
      const domain = newDomain(parameter)
      const { fields, readOnly } = separateReadOnly(AcceptedDomainInput, body)
      const input = AcceptedDomainInput.parse(fields)
      if (ifMatch === null) {
        checkReadOnly(readOnly, { domain })
        checkRecipients(domain, input, await domains.get(domain))
        return createDomain(domains, domain, input, caller)
      }
      const current = await domains.get(domain)
      if (current) {
        checkVersion(current, ifMatch, resourceName)
        checkReadOnly(readOnly, { ...current })
        checkRecipients(domain, input, current)
      }
      return replaceDomain(domains, domain, input, { ifMatch, caller })
    },
  )

const patchRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'PATCH',
      path: itemPath,
      role: 'administer',
      summary: 'Change fields of an accepted domain',
      body: MergePatch,
      patchOf: AcceptedDomainInput,
      ifMatch: 'required',
      answers: { 200: AcceptedDomain },
      problems: [404, 409],
    },
    async ({ parameter, body, ifMatch, caller }) => {
      const domain = existingDomain(parameter)
      const current = await currentDomain(domains, domain, ifMatch ?? [])
      const input = applyMergePatch(body, current, AcceptedDomainInput)
      checkRecipients(domain, input, current)
      return replaceDomain(domains, domain, input, { ifMatch: [current.version], caller })
    },
  )

/** @throws Problem 404, or 412 for another version than the expected */
export async function currentDomain(
  domains: AcceptedDomains,
  domain: string,
  expected: ExpectedVersions,
): Promise<AcceptedDomain & Record<string, unknown>> {
  const current = await domains.get(domain)
  if (!current) throw notFoundProblem(resourceName)
  checkVersion(current, expected, resourceName)
  return current
}

const removeRoute = (domains: AcceptedDomains, lists: RecipientLists): Route =>
  route(
    {
      method: 'DELETE',
      path: itemPath,
      role: 'administer',
      summary: 'Remove an accepted domain',
      ifMatch: 'required',
      answers: { 204: null },
      problems: [404],
    },
    async ({ parameter, ifMatch, caller }) => {
      const domain = existingDomain(parameter)
      const response = removedResponse(await domains.remove(domain, ifMatch ?? [], caller), resourceName)
      await lists.removeBefore(domain, ulid())
      return response
    },
  )

async function createDomain(
  domains: AcceptedDomains,
  domain: string,
  body: AcceptedDomainInput,
  caller: string,
): Promise<RouteResponse> {
  const saved = await domains.create(domain, body, caller)
  if (saved.kind === 'VersionMismatch')
    throw new Problem(
      428,
      `${domain} is accepted already. To replace it, send If-Match with the ETag of a GET.`,
    )
  return createdResponse(savedValue(saved, resourceName), `${listPath}/${domain}`)
}

async function replaceDomain(
  domains: AcceptedDomains,
  domain: string,
  body: AcceptedDomainInput,
  { ifMatch, caller }: { ifMatch: ExpectedVersions; caller: string },
): Promise<RouteResponse> {
  const saved = await domains.replace(domain, body, ifMatch, caller)
  // RFC 9110 §13.1.1: If-Match fails when there is no resource; only a PUT without If-Match creates one.
  if (saved.kind === 'NotFound') throw new Problem(412, `${domain} is not accepted yet. Leave If-Match out.`)
  return okResponse(savedValue(saved, resourceName))
}

export function existingDomain(text: string): string {
  const domain = normaliseDomain(text)
  if (domain === null) throw notFoundProblem(resourceName)
  return domain
}

function newDomain(text: string): string {
  const domain = normaliseDomain(text)
  if (domain !== null) return domain
  throw new Problem(422, 'The path does not name a domain.', {
    errors: [{ path: 'domain', message: `"${text}" is not a domain name; wildcards are not allowed` }],
  })
}
