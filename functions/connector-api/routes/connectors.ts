/** `/inbound-connectors` and `/outbound-connectors`. */
import type { z } from 'zod'
import type { ConnectorRepository, Expected, Removed, Saved } from '../../../shared/connectors/repository.ts'
import {
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  OutboundConnectorInput,
} from '../../../shared/connectors/schema.ts'
import { type Route, route } from '../route.ts'
import { isId, KeyedList, listAnswer, listOf } from './lists.ts'
import { created, found, notFound, removedOrProblem, savedOrProblem } from './outcomes.ts'

export const InboundConnectorList = listOf(InboundConnector)
export const OutboundConnectorList = listOf(OutboundConnector)

export function connectorRoutes({ inbound, outbound }: ConnectorRepository): Route[] {
  return [
    ...routesFor({
      kind: 'inbound',
      input: InboundConnectorInput,
      stored: InboundConnector,
      list: InboundConnectorList,
      connectors: inbound,
    }),
    ...routesFor({
      kind: 'outbound',
      input: OutboundConnectorInput,
      stored: OutboundConnector,
      list: OutboundConnectorList,
      connectors: outbound,
    }),
  ]
}

interface Connectors<Stored, Input> {
  get(id: string): Promise<Stored | null>
  page(after: string | null, limit: number): Promise<{ items: Stored[]; last: string | null }>
  create(input: Input): Promise<Saved<Stored>>
  replace(id: string, input: Input, expected: Expected): Promise<Saved<Stored>>
  remove(id: string, expected: Expected): Promise<Removed>
}

interface Kind<Input extends z.ZodType, Stored extends z.ZodType> {
  kind: 'inbound' | 'outbound'
  input: Input
  stored: Stored
  list: z.ZodType
  connectors: Connectors<z.output<Stored> & { id: string; version: number }, z.output<Input>>
}

function routesFor<Input extends z.ZodType, Stored extends z.ZodType>(kind: Kind<Input, Stored>): Route[] {
  const { input, stored, list, connectors } = kind
  const what = `${kind.kind} connector`
  const all = `/${kind.kind}-connectors`
  const one = `${all}/{id}`
  return [
    route(
      { method: 'GET', path: all, summary: `List ${what}s`, query: KeyedList, answers: { 200: list } },
      async ({ query }) => {
        const { items, last } = await connectors.page(query.cursor ?? null, query.limit)
        return listAnswer(items, last)
      },
    ),
    route(
      {
        method: 'POST',
        path: all,
        summary: `Create an ${what}`,
        body: input,
        answers: { 201: stored },
        problems: [409],
      },
      async ({ body }) => {
        const connector = savedOrProblem(await connectors.create(body), what)
        return created(connector, `${all}/${connector.id}`)
      },
    ),
    route(
      { method: 'GET', path: one, summary: `Read an ${what}`, answers: { 200: stored }, problems: [404] },
      async ({ parameter }) => {
        const connector = isId(parameter) ? await connectors.get(parameter) : null
        if (!connector) throw notFound(what)
        return found(connector)
      },
    ),
    route(
      {
        method: 'PUT',
        path: one,
        summary: `Replace an ${what}`,
        body: input,
        ifMatch: 'required',
        answers: { 200: stored },
        problems: [404, 409],
      },
      async ({ parameter, body, ifMatch }) => {
        if (!isId(parameter)) throw notFound(what)
        return found(savedOrProblem(await connectors.replace(parameter, body, ifMatch ?? []), what))
      },
    ),
    route(
      {
        method: 'DELETE',
        path: one,
        summary: `Remove an ${what}`,
        ifMatch: 'required',
        answers: { 204: null },
        problems: [404],
      },
      async ({ parameter, ifMatch }) => {
        if (!isId(parameter)) throw notFound(what)
        return removedOrProblem(await connectors.remove(parameter, ifMatch ?? []), what)
      },
    ),
  ]
}
