/** `/inbound-connectors` and `/outbound-connectors`. */
import { z } from 'zod'
import {
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  OutboundConnectorInput,
} from '../../../shared/connectors/schema.ts'
import type {
  ConnectorRepository,
  ExpectedVersions,
  RemoveResult,
  SaveResult,
} from '../../../shared/connectors-table/repository.ts'
import { Warning } from '../../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../../shared/policy/warnings/warnings.ts'
import { type RemarksDependencies, remarksOn } from '../remarks.ts'
import { type Route, route } from '../route.ts'
import { isId, KeyedList, keyedListHandler, listOf } from './lists.ts'
import { created, found, notFound, removedOrProblem, savedOrProblem } from './outcomes.ts'

export const InboundConnectorList = listOf(InboundConnector)
export const OutboundConnectorList = listOf(OutboundConnector)

/** Fields that the response to a write adds to the connector. */
const savedFields = {
  warnings: z
    .array(Warning)
    .describe('what to check before relying on the connector; it is saved in any case'),
}
export const SavedInboundConnector = z.strictObject({ ...InboundConnector.shape, ...savedFields })
export const SavedOutboundConnector = z.strictObject({ ...OutboundConnector.shape, ...savedFields })

export function connectorRoutes(repository: ConnectorRepository, remarks: RemarksDependencies): Route[] {
  const { inbound, outbound } = repository
  return [
    ...routesFor({
      kind: 'inbound',
      input: InboundConnectorInput,
      stored: InboundConnector,
      saved: SavedInboundConnector,
      list: InboundConnectorList,
      connectors: inbound,
      remarks: remarksOn(repository, inboundWarnings, remarks),
    }),
    ...routesFor({
      kind: 'outbound',
      input: OutboundConnectorInput,
      stored: OutboundConnector,
      saved: SavedOutboundConnector,
      list: OutboundConnectorList,
      connectors: outbound,
      remarks: remarksOn(repository, outboundWarnings, remarks),
    }),
  ]
}

interface Connectors<Stored, Input> {
  get(id: string): Promise<Stored | null>
  page(after: string | null, limit: number): Promise<{ items: Stored[]; last: string | null }>
  create(input: Input): Promise<SaveResult<Stored>>
  replace(id: string, input: Input, expected: ExpectedVersions): Promise<SaveResult<Stored>>
  remove(id: string, expected: ExpectedVersions): Promise<RemoveResult>
}

interface Kind<Input extends z.ZodType, Stored extends z.ZodType> {
  kind: 'inbound' | 'outbound'
  input: Input
  stored: Stored
  /** Schema of the response to a write. */
  saved: z.ZodType
  list: z.ZodType
  connectors: Connectors<z.output<Stored> & { id: string; version: number }, z.output<Input>>
  remarks(connector: z.output<Stored>): Promise<Warning[]>
}

function routesFor<Input extends z.ZodType, Stored extends z.ZodType>(kind: Kind<Input, Stored>): Route[] {
  const all = `/${kind.kind}-connectors`
  const resource: Resource = { ...kind, what: `${kind.kind} connector`, all, one: `${all}/{id}` }
  return [
    listRoute(resource),
    createRoute(resource),
    readRoute(resource),
    replaceRoute(resource),
    removeRoute(resource),
  ]
}

/** Connectors of either kind. `routesFor` has checked that schemas and table agree. */
interface Resource extends Kind<z.ZodType, z.ZodType> {
  /** Name of one resource, for texts. */
  what: string
  /** The path of the list. */
  all: string
  /** The path of one connector. */
  one: string
}

const listRoute = ({ what, all, list, connectors }: Resource): Route =>
  route(
    { method: 'GET', path: all, summary: `List ${what}s`, query: KeyedList, answers: { 200: list } },
    keyedListHandler(connectors),
  )

const createRoute = ({ what, all, input, saved, connectors, remarks }: Resource): Route =>
  route(
    {
      method: 'POST',
      path: all,
      summary: `Create an ${what}`,
      body: input,
      answers: { 201: saved },
      problems: [409],
    },
    async ({ body }) => {
      const connector = savedOrProblem(await connectors.create(body), what)
      return created({ ...connector, warnings: await remarks(connector) }, `${all}/${connector.id}`)
    },
  )

const readRoute = ({ what, one, stored, connectors }: Resource): Route =>
  route(
    { method: 'GET', path: one, summary: `Read an ${what}`, answers: { 200: stored }, problems: [404] },
    async ({ parameter }) => {
      const connector = isId(parameter) ? await connectors.get(parameter) : null
      if (!connector) throw notFound(what)
      return found(connector)
    },
  )

const replaceRoute = ({ what, one, input, saved, connectors, remarks }: Resource): Route =>
  route(
    {
      method: 'PUT',
      path: one,
      summary: `Replace an ${what}`,
      body: input,
      ifMatch: 'required',
      answers: { 200: saved },
      problems: [404, 409],
    },
    async ({ parameter, body, ifMatch }) => {
      if (!isId(parameter)) throw notFound(what)
      const connector = savedOrProblem(await connectors.replace(parameter, body, ifMatch ?? []), what)
      return found({ ...connector, warnings: await remarks(connector) })
    },
  )

const removeRoute = ({ what, one, connectors }: Resource): Route =>
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
  )
