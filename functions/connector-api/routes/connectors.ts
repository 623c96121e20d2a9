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
import { createWarningFinder, type WarningDependencies } from '../connector-warnings.ts'
import { type Route, route } from '../route.ts'
import { isUlid, KeyedListQuery, keyedListHandler, listOf } from './lists.ts'
import {
  createdResponse,
  notFoundProblem,
  okResponse,
  removedResponse,
  savedValue,
} from './write-responses.ts'

export const InboundConnectorList = listOf(InboundConnector)
export const OutboundConnectorList = listOf(OutboundConnector)

/** Fields that the response to a write adds to the connector. */
const writeResponseFields = {
  warnings: z
    .array(Warning)
    .describe('points to check before relying on the connector, which is saved in any case'),
}
export const SavedInboundConnector = z.strictObject({ ...InboundConnector.shape, ...writeResponseFields })
export const SavedOutboundConnector = z.strictObject({ ...OutboundConnector.shape, ...writeResponseFields })

export function connectorRoutes(
  repository: ConnectorRepository,
  warningDependencies: WarningDependencies,
): Route[] {
  const { inbound, outbound } = repository
  return [
    ...routesFor({
      kind: 'inbound',
      input: InboundConnectorInput,
      stored: InboundConnector,
      saved: SavedInboundConnector,
      list: InboundConnectorList,
      connectors: inbound,
      findWarnings: createWarningFinder(repository, inboundWarnings, warningDependencies),
    }),
    ...routesFor({
      kind: 'outbound',
      input: OutboundConnectorInput,
      stored: OutboundConnector,
      saved: SavedOutboundConnector,
      list: OutboundConnectorList,
      connectors: outbound,
      findWarnings: createWarningFinder(repository, outboundWarnings, warningDependencies),
    }),
  ]
}

interface ConnectorStore<Stored, Input> {
  get(id: string): Promise<Stored | null>
  page(after: string | null, limit: number): Promise<{ items: Stored[]; last: string | null }>
  create(input: Input): Promise<SaveResult<Stored>>
  replace(id: string, input: Input, expected: ExpectedVersions): Promise<SaveResult<Stored>>
  remove(id: string, expected: ExpectedVersions): Promise<RemoveResult>
}

interface ConnectorKind<Input extends z.ZodType, Stored extends z.ZodType> {
  kind: 'inbound' | 'outbound'
  input: Input
  stored: Stored
  /** Schema of the response to a write. */
  saved: z.ZodType
  list: z.ZodType
  connectors: ConnectorStore<z.output<Stored> & { id: string; version: number }, z.output<Input>>
  findWarnings(connector: z.output<Stored>): Promise<Warning[]>
}

function routesFor<Input extends z.ZodType, Stored extends z.ZodType>(
  kind: ConnectorKind<Input, Stored>,
): Route[] {
  const listPath = `/${kind.kind}-connectors`
  const resource: Resource = {
    ...kind,
    resourceName: `${kind.kind} connector`,
    listPath,
    itemPath: `${listPath}/{id}`,
  }
  return [
    listRoute(resource),
    createRoute(resource),
    readRoute(resource),
    replaceRoute(resource),
    removeRoute(resource),
  ]
}

/** Connectors of either kind. The types of `routesFor` ensure that schemas and table agree. */
interface Resource extends ConnectorKind<z.ZodType, z.ZodType> {
  /** Name of one resource in texts. */
  resourceName: string
  listPath: string
  itemPath: string
}

const listRoute = ({ resourceName, listPath, list, connectors }: Resource): Route =>
  route(
    {
      method: 'GET',
      path: listPath,
      summary: `List ${resourceName}s`,
      query: KeyedListQuery,
      answers: { 200: list },
    },
    keyedListHandler(connectors),
  )

const createRoute = ({ resourceName, listPath, input, saved, connectors, findWarnings }: Resource): Route =>
  route(
    {
      method: 'POST',
      path: listPath,
      summary: `Create an ${resourceName}`,
      body: input,
      answers: { 201: saved },
      problems: [409],
    },
    async ({ body }) => {
      const connector = savedValue(await connectors.create(body), resourceName)
      return createdResponse(
        { ...connector, warnings: await findWarnings(connector) },
        `${listPath}/${connector.id}`,
      )
    },
  )

const readRoute = ({ resourceName, itemPath, stored, connectors }: Resource): Route =>
  route(
    {
      method: 'GET',
      path: itemPath,
      summary: `Read an ${resourceName}`,
      answers: { 200: stored },
      problems: [404],
    },
    async ({ parameter }) => {
      const connector = isUlid(parameter) ? await connectors.get(parameter) : null
      if (!connector) throw notFoundProblem(resourceName)
      return okResponse(connector)
    },
  )

const replaceRoute = ({ resourceName, itemPath, input, saved, connectors, findWarnings }: Resource): Route =>
  route(
    {
      method: 'PUT',
      path: itemPath,
      summary: `Replace an ${resourceName}`,
      body: input,
      ifMatch: 'required',
      answers: { 200: saved },
      problems: [404, 409],
    },
    async ({ parameter, body, ifMatch }) => {
      if (!isUlid(parameter)) throw notFoundProblem(resourceName)
      const connector = savedValue(await connectors.replace(parameter, body, ifMatch ?? []), resourceName)
      return okResponse({ ...connector, warnings: await findWarnings(connector) })
    },
  )

const removeRoute = ({ resourceName, itemPath, connectors }: Resource): Route =>
  route(
    {
      method: 'DELETE',
      path: itemPath,
      summary: `Remove an ${resourceName}`,
      ifMatch: 'required',
      answers: { 204: null },
      problems: [404],
    },
    async ({ parameter, ifMatch }) => {
      if (!isUlid(parameter)) throw notFoundProblem(resourceName)
      return removedResponse(await connectors.remove(parameter, ifMatch ?? []), resourceName)
    },
  )
