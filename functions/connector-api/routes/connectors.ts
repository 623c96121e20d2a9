/** `/inbound-connectors` and `/outbound-connectors`. */
import * as z from 'zod'
import {
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  type OutboundConnectorInput,
  outboundConnectorInput,
} from '../../../shared/connectors/schema.ts'
import type {
  ConnectorRepository,
  PreviewResult,
  RemoveResult,
  SaveResult,
} from '../../../shared/connectors-table/repository.ts'
import type { ExpectedVersions } from '../../../shared/contract/expected-versions.ts'
import { isUlid, KeyedListQuery, keyedListHandler, listOf } from '../../../shared/http-api/lists.ts'
import { type Route, type RouteResponse, route } from '../../../shared/http-api/route.ts'
import { Warning, type WarningScope } from '../../../shared/policy/warnings/warning.ts'
import { inboundWarnings, outboundWarnings } from '../../../shared/policy/warnings/warnings.ts'
import { createWarningFinder, type WarningDependencies, type WarningFinder } from '../connector-warnings.ts'
import type { SelectionDependencies } from '../mail-selection.ts'
import {
  applyMergePatch,
  checkReadOnly,
  MergePatch,
  separateReadOnly,
  withReadOnlyFields,
} from '../read-only-fields.ts'
import {
  type WaitingChoice,
  WaitingChoiceQuery,
  type WaitingMailOfChange,
  waitingMailOfChange,
} from '../waiting-choice.ts'
import type { MailRequest } from '../waiting-mail.ts'
import type { Deployment } from './configuration.ts'
import { mailRequest, WaitingMail, waitingMail } from './waiting-mail.ts'
import {
  checkVersion,
  createdResponse,
  notFoundProblem,
  okResponse,
  removedResponse,
  savedValue,
} from './write-responses.ts'

/** Fields that responses add to the connector. */
const responseFields = {
  warnings: z
    .array(Warning)
    .describe(
      'points to check before relying on the connector; a list leaves out overlaps that weaken no requirement',
    ),
}
/** Answer to a connector that is not saved. */
export const ConnectorCheck = z.strictObject({
  warnings: z.array(Warning).describe('the warnings that saving the connector would return'),
})
const checkedId = {
  id: z
    .ulid('is not the id of a connector')
    .optional()
    .describe('the connector that this one would replace; absent: it would be a new one'),
}
/** A client may send back what GET returned. The warnings may have changed since, so they are not compared. */
const ignoredFields = { warnings: z.array(Warning).optional().describe('ignored: as GET returned it') }

export const ReadInboundConnector = z.strictObject({ ...InboundConnector.shape, ...responseFields })
export const ReadOutboundConnector = z.strictObject({ ...OutboundConnector.shape, ...responseFields })
export const InboundConnectorList = listOf(ReadInboundConnector)
export const OutboundConnectorList = listOf(ReadOutboundConnector)

export const SavedInboundConnector = z.strictObject({ ...InboundConnector.shape, ...responseFields })
export const SavedOutboundConnector = z.strictObject({
  ...OutboundConnector.shape,
  ...responseFields,
  waiting: WaitingMail.optional().describe(
    'the returned mail; while nextCursor is not null, send it to POST …/return',
  ),
})

export function connectorRoutes(
  repository: ConnectorRepository,
  { defaultRoute, deliversInVpc, validatesDnssec = true }: Deployment,
  warningDependencies: WarningDependencies,
  dependencies: SelectionDependencies,
): Route[] {
  const { inbound, outbound } = repository
  const findOutboundWarnings: typeof outboundWarnings = (connector, all, now, options) =>
    outboundWarnings(connector, all, now, { ...options, deliversInVpc, validatesDnssec })
  return [
    ...routesFor({
      kind: 'inbound',
      input: InboundConnectorInput,
      stored: InboundConnector,
      read: ReadInboundConnector,
      saved: SavedInboundConnector,
      list: InboundConnectorList,
      connectors: inbound,
      findWarnings: createWarningFinder(inboundWarnings, warningDependencies),
      waitingMail: null,
    }),
    ...routesFor({
      kind: 'outbound',
      input: outboundConnectorInput(defaultRoute),
      stored: OutboundConnector,
      read: ReadOutboundConnector,
      saved: SavedOutboundConnector,
      list: OutboundConnectorList,
      connectors: outbound,
      findWarnings: createWarningFinder(findOutboundWarnings, warningDependencies),
      waitingMail: {
        ...waitingMailOfChange(outbound, dependencies),
        requestBy: (caller) => mailRequest('Return', caller, dependencies),
      },
    }),
  ]
}

interface ConnectorStore<Stored, Input> {
  get(id: string): Promise<Stored | null>
  page(after: string | null, limit: number): Promise<{ items: Stored[]; last: string | null }>
  preview(input: Input, id: string | null): Promise<PreviewResult<Stored>>
  create(input: Input, actor: string): Promise<SaveResult<Stored>>
  replace(id: string, input: Input, expected: ExpectedVersions, actor: string): Promise<SaveResult<Stored>>
  remove(id: string, expected: ExpectedVersions, actor: string): Promise<RemoveResult>
}

interface ConnectorKind<Input extends z.ZodObject, Stored extends z.ZodObject> {
  kind: 'inbound' | 'outbound'
  input: Input
  stored: Stored
  /** Schema of the response to a GET. */
  read: z.ZodType
  /** Schema of the response to a write. */
  saved: z.ZodType
  list: z.ZodType
  connectors: ConnectorStore<z.output<Stored> & { id: string; version: number }, z.output<Input>>
  /** Returns the warnings about each connector, in their order. */
  findWarnings(connectors: readonly z.output<Stored>[], scope: WarningScope): Promise<Warning[][]>
  /** Null for inbound connectors: mail that they hold is decided by the current connectors. */
  waitingMail: WaitingMailOfWrites | null
}

interface WaitingMailOfWrites extends WaitingMailOfChange {
  requestBy(caller: string): MailRequest
}

function routesFor<Input extends z.ZodObject, Stored extends z.ZodObject>(
  kind: ConnectorKind<Input, Stored>,
): Route[] {
  const listPath = `/${kind.kind}-connectors`
  const resource: Resource = {
    ...kind,
    resourceName: `${kind.kind} connector`,
    listPath,
    itemPath: `${listPath}/{id}`,
    schemaPrefix: kind.kind === 'inbound' ? 'InboundConnector' : 'OutboundConnector',
  }
  return [
    listRoute(resource),
    createRoute(resource),
    checkRoute(resource),
    readRoute(resource),
    replaceRoute(resource),
    patchRoute(resource),
    removeRoute(resource),
  ]
}

/** Connectors of either kind. The types of `routesFor` ensure that schemas and table agree. */
interface Resource extends ConnectorKind<z.ZodObject, z.ZodObject> {
  /** Name of one resource in texts. */
  resourceName: string
  listPath: string
  itemPath: string
  /** Beginning of the names of schemas in the OpenAPI document. */
  schemaPrefix: string
}

const listRoute = ({ resourceName, listPath, list, connectors, findWarnings }: Resource): Route =>
  route(
    {
      method: 'GET',
      path: listPath,
      role: 'read',
      summary: `List ${resourceName}s`,
      query: KeyedListQuery,
      answers: { 200: list },
    },
    keyedListHandler({
      async page(after, limit) {
        const { items, last } = await connectors.page(after, limit)
        const warnings = await findWarnings(items, 'WhatWeakens')
        return { items: items.map((item, index) => ({ ...item, warnings: warnings[index] })), last }
      },
    }),
  )

async function withWarnings<Stored>(
  connector: Stored,
  findWarnings: WarningFinder<Stored>,
): Promise<Stored & { warnings: Warning[] }> {
  const [warnings = []] = await findWarnings([connector], 'Everything')
  return { ...connector, warnings }
}

const createRoute = (resource: Resource): Route => {
  const { resourceName, listPath, schemaPrefix, input, saved, connectors, findWarnings } = resource
  return route(
    {
      method: 'POST',
      path: listPath,
      role: 'administer',
      summary: `Create an ${resourceName}`,
      body: input,
      bodyName: `${schemaPrefix}Input`,
      answers: { 201: saved },
      problems: [409],
    },
    async ({ body, caller }) => {
      const connector = savedValue(await connectors.create(body, caller), resourceName)
      return createdResponse(await withWarnings(connector, findWarnings), `${listPath}/${connector.id}`)
    },
  )
}

/** Warns before the connector is live. That its name is free is not checked. */
const checkRoute = (resource: Resource): Route => {
  const { resourceName, listPath, schemaPrefix, input, connectors, findWarnings } = resource
  return route(
    {
      method: 'POST',
      path: `${listPath}/check`,
      role: 'read',
      summary: `Read the warnings about an ${resourceName} as it would be. Changes nothing`,
      body: input.safeExtend(checkedId),
      bodyName: `${schemaPrefix}CheckInput`,
      answers: { 200: ConnectorCheck },
      problems: [404],
    },
    async ({ body }) => {
      const { id = null, ...fields } = body
      const connector = savedValue(await connectors.preview(fields, id as string | null), resourceName)
      const { warnings } = await withWarnings(connector, findWarnings)
      return { status: 200, body: { warnings } }
    },
  )
}

const readRoute = ({ resourceName, itemPath, read, connectors, findWarnings }: Resource): Route =>
  route(
    {
      method: 'GET',
      path: itemPath,
      role: 'read',
      summary: `Read an ${resourceName}`,
      answers: { 200: read },
      problems: [404],
    },
    async ({ parameter }) => {
      const connector = isUlid(parameter) ? await connectors.get(parameter) : null
      if (!connector) throw notFoundProblem(resourceName)
      return okResponse(await withWarnings(connector, findWarnings))
    },
  )

const replaceRoute = (resource: Resource): Route => {
  const { resourceName, itemPath, schemaPrefix, input, stored, saved } = resource
  return route(
    {
      method: 'PUT',
      path: itemPath,
      role: 'administer',
      summary: `Replace an ${resourceName}`,
      body: withReadOnlyFields(input, stored).safeExtend(ignoredFields),
      bodyName: `${schemaPrefix}Replacement`,
      ifMatch: 'required',
      ...queryOf(resource),
      answers: { 200: saved },
      problems: [404, 409],
    },
    async ({ parameter: id, body, ifMatch, query, caller }) => {
      const expected = ifMatch ?? []
      const { warnings: _, ...rest } = body
      const { fields, readOnly } = separateReadOnly(input, rest)
      if (Object.keys(readOnly).length > 0)
        checkReadOnly(readOnly, await currentConnector(resource, id, expected))
      return replace(resource, { id, after: fields, expected, choice: query.waiting }, caller)
    },
  )
}

const patchRoute = (resource: Resource): Route => {
  const { resourceName, itemPath, input, saved } = resource
  return route(
    {
      method: 'PATCH',
      path: itemPath,
      role: 'administer',
      summary: `Change fields of an ${resourceName}`,
      body: MergePatch,
      patchOf: input,
      ifMatch: 'required',
      ...queryOf(resource),
      answers: { 200: saved },
      problems: [404, 409],
    },
    async ({ parameter: id, body, ifMatch, query, caller }) => {
      const current = await currentConnector(resource, id, ifMatch ?? [])
      const { warnings: _, ...patch } = body
      const after = applyMergePatch(patch, current, input)
      return replace(resource, { id, after, expected: [current.version], choice: query.waiting }, caller)
    },
  )
}

/** @throws Problem 404, or 412 for another version than the expected */
async function currentConnector(
  { resourceName, connectors }: Resource,
  id: string,
  expected: ExpectedVersions,
): Promise<Record<string, unknown> & { version: number }> {
  const current = isUlid(id) ? await connectors.get(id) : null
  if (!current) throw notFoundProblem(resourceName)
  checkVersion(current, expected, resourceName)
  return current
}

interface ConnectorChange {
  id: string
  /** Null when the connector is deleted. */
  after: Record<string, unknown> | null
  expected: ExpectedVersions
  choice: WaitingChoice | undefined
}

async function replace(
  resource: Resource,
  change: ConnectorChange & { after: Record<string, unknown> },
  caller: string,
): Promise<RouteResponse> {
  const { resourceName, connectors, findWarnings } = resource
  const { id, after, expected } = change
  if (!isUlid(id)) throw notFoundProblem(resourceName)
  const { connector, waiting } = await changeAndRequest(resource, change, caller, async () => ({
    connector: savedValue(await connectors.replace(id, after, expected, caller), resourceName),
  }))
  return okResponse({ ...(await withWarnings(connector, findWarnings)), ...(waiting && { waiting }) })
}

const removeRoute = (resource: Resource): Route => {
  const { resourceName, itemPath, connectors, waitingMail: ofWrites } = resource
  return route(
    {
      method: 'DELETE',
      path: itemPath,
      role: 'administer',
      summary: `Remove an ${resourceName}`,
      ifMatch: 'required',
      ...queryOf(resource),
      answers: { 204: null, ...(ofWrites && { 200: WaitingMail }) },
      problems: ofWrites ? [404, 409] : [404],
    },
    async ({ parameter, ifMatch, query, caller }) => {
      if (!isUlid(parameter)) throw notFoundProblem(resourceName)
      const expected = ifMatch ?? []
      const { response, waiting } = await changeAndRequest(
        resource,
        { id: parameter, after: null, expected, choice: query.waiting },
        caller,
        async () => ({
          response: removedResponse(await connectors.remove(parameter, expected, caller), resourceName),
        }),
      )
      return waiting ? { status: 200, body: waiting } : response
    },
  )
}

type WaitingQuery = { waiting?: WaitingChoice | undefined }

/** Only outbound connectors have the parameter; the type lets both kinds share a handler. */
const queryOf = ({ waitingMail: ofWrites }: Resource): { query: z.ZodType<WaitingQuery> } => ({
  query: ofWrites ? WaitingChoiceQuery : z.strictObject({}),
})

/** Checks and makes a change, and then returns the mail that waits under the connector, if requested. */
async function changeAndRequest<T>(
  { waitingMail: ofWrites }: Resource,
  change: ConnectorChange,
  caller: string,
  write: () => Promise<T>,
): Promise<T & { waiting: z.output<typeof WaitingMail> | null }> {
  const { id, choice } = change
  const after = change.after as OutboundConnectorInput | null
  const isLowered = (await ofWrites?.check({ ...change, after })) ?? false
  const written = await write()
  if (ofWrites === null || !isLowered || choice !== 'return') return { ...written, waiting: null }
  const requested = await ofWrites.request(id, ofWrites.requestBy(caller))
  return { ...written, waiting: waitingMail(requested) }
}
