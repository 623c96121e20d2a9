/** `/accepted-domains`: a collection keyed by domain name. */
import { AcceptedDomain, AcceptedDomainInput } from '../../../shared/connectors/schema.ts'
import type { AcceptedDomains, ExpectedVersions } from '../../../shared/connectors-table/repository.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import { type Answer, type Route, route } from '../route.ts'
import { KeyedList, keyedListHandler, listOf } from './lists.ts'
import { created, found, notFound, removedOrProblem, savedOrProblem } from './outcomes.ts'

export const AcceptedDomainList = listOf(AcceptedDomain)

const what = 'accepted domain'
const all = '/accepted-domains'
const one = `${all}/{domain}`

export const acceptedDomainRoutes = (domains: AcceptedDomains): Route[] => [
  listRoute(domains),
  readRoute(domains),
  acceptOrReplaceRoute(domains),
  removeRoute(domains),
]

const listRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'GET',
      path: all,
      summary: 'List accepted domains',
      query: KeyedList,
      answers: { 200: AcceptedDomainList },
    },
    keyedListHandler(domains),
  )

const readRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'GET',
      path: one,
      summary: 'Read an accepted domain',
      answers: { 200: AcceptedDomain },
      problems: [404],
    },
    async ({ parameter }) => {
      const domain = await domains.get(knownName(parameter))
      if (!domain) throw notFound(what)
      return found(domain)
    },
  )

const acceptOrReplaceRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'PUT',
      path: one,
      summary: 'Accept a domain (without If-Match), or replace its comment (with If-Match)',
      body: AcceptedDomainInput,
      ifMatch: 'optional',
      answers: { 200: AcceptedDomain, 201: AcceptedDomain },
      problems: [412, 428],
    },
    async ({ parameter, body, ifMatch }) => {
      const domain = newName(parameter)
      return ifMatch === null ? accept(domains, domain, body) : replace(domains, domain, body, ifMatch)
    },
  )

const removeRoute = (domains: AcceptedDomains): Route =>
  route(
    {
      method: 'DELETE',
      path: one,
      summary: 'Remove an accepted domain',
      ifMatch: 'required',
      answers: { 204: null },
      problems: [404],
    },
    async ({ parameter, ifMatch }) =>
      removedOrProblem(await domains.remove(knownName(parameter), ifMatch ?? []), what),
  )

async function accept(domains: AcceptedDomains, domain: string, body: AcceptedDomainInput): Promise<Answer> {
  const saved = await domains.create(domain, body)
  if (saved.kind === 'VersionMismatch')
    throw new Problem(
      428,
      `${domain} is accepted already. To replace it, send If-Match with the ETag of a GET.`,
    )
  return created(savedOrProblem(saved, what), `${all}/${domain}`)
}

async function replace(
  domains: AcceptedDomains,
  domain: string,
  body: AcceptedDomainInput,
  ifMatch: ExpectedVersions,
): Promise<Answer> {
  const saved = await domains.replace(domain, body, ifMatch)
  // RFC 9110 §13.1.1: If-Match fails when there is no resource; only a PUT without it creates.
  if (saved.kind === 'NotFound') throw new Problem(412, `${domain} is not accepted yet. Leave If-Match out.`)
  return found(savedOrProblem(saved, what))
}

function knownName(text: string): string {
  const domain = normaliseDomain(text)
  if (domain === null) throw notFound(what)
  return domain
}

function newName(text: string): string {
  const domain = normaliseDomain(text)
  if (domain !== null) return domain
  throw new Problem(422, 'The path does not name a domain.', {
    errors: [{ path: 'domain', message: `"${text}" is not a domain name; wildcards are not allowed` }],
  })
}
