/** Builds the OpenAPI 3.1 document from the routes and the schemas that validate them. */
import * as z from 'zod'
import { DomainConformance } from '../../shared/conformance/domain-conformance.ts'
import { AcceptedDomain } from '../../shared/connectors/schema.ts'
import { OutboundValidation } from '../../shared/connectors/validation.ts'
import { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { Health } from '../../shared/contract/health.ts'
import { DomainDns } from '../../shared/domain-records/domain-dns.ts'
import { DryRun, StartedDryRun } from '../../shared/event-queries/dry-run-schemas.ts'
import { StartedErasure } from '../../shared/event-queries/erasure.ts'
import { MessageEvents } from '../../shared/event-queries/message-events.ts'
import { MessageSearchResult, StartedSearch } from '../../shared/event-queries/message-search.ts'
import { Report, ReportList } from '../../shared/event-queries/reports/report-schemas.ts'
import { Erasure } from '../../shared/events/erasures.ts'
import { csvDescription } from '../../shared/http-api/csv.ts'
import type { RouteDescription } from '../../shared/http-api/route.ts'
import { TraceEntry } from '../../shared/messages/trace-entry.ts'
import { InboundValidation } from './inbound-validation.ts'
import { AcceptedDomainList } from './routes/accepted-domains.ts'
import { CallerAnswer } from './routes/caller.ts'
import { ChangeEntry, ChangeList } from './routes/changes.ts'
import { Configuration } from './routes/configuration.ts'
import {
  ConnectorCheck,
  InboundConnectorList,
  OutboundConnectorList,
  ReadInboundConnector,
  ReadOutboundConnector,
  SavedInboundConnector,
  SavedOutboundConnector,
} from './routes/connectors.ts'
import { DeadLetterList, Redrive } from './routes/dead-letters.ts'
import { ExplanationAnswer } from './routes/explain.ts'
import { MessageList } from './routes/messages.ts'
import { ObservedCertificates, ObservedCertificatesList } from './routes/observed-certificates.ts'
import { QueueList, RequestedQueues } from './routes/queues.ts'
import { RejectedEvent, RejectedEventList } from './routes/rejected.ts'
import { TlsReport, TlsReportList } from './routes/tls-reports.ts'
import { UnknownCertificate, UnknownCertificateList } from './routes/unknown-certificates.ts'
import { WaitingMail, WaitingRecipients } from './routes/waiting-mail.ts'

const Problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().optional(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  })
  .describe('problem details, RFC 9457')

const outputs = {
  CallerAnswer,
  Configuration,
  Health,
  InboundConnector: ReadInboundConnector,
  InboundConnectorList,
  InboundValidation,
  OutboundConnector: ReadOutboundConnector,
  OutboundConnectorList,
  OutboundValidation,
  SavedInboundConnector,
  SavedOutboundConnector,
  ConnectorCheck,
  AcceptedDomain,
  AcceptedDomainList,
  DomainDns,
  DomainConformance,
  ChangeEntry,
  ChangeList,
  TraceEntry,
  MessageList,
  RejectedEvent,
  RejectedEventList,
  WaitingRecipients,
  WaitingMail,
  QueueList,
  RequestedQueues,
  DeadLetterList,
  Redrive,
  MessageEvents,
  StartedSearch,
  StartedDryRun,
  DryRun,
  MessageSearchResult,
  StartedErasure,
  Erasure,
  ReportList,
  Report,
  ExplanationAnswer,
  TlsReport,
  TlsReportList,
  PublishedCertificates,
  ObservedCertificates,
  ObservedCertificatesList,
  UnknownCertificate,
  UnknownCertificateList,
  Problem,
}

type JsonSchema = Record<string, unknown>

export function openApi(routes: readonly RouteDescription[]) {
  const inputs = Object.fromEntries(
    routes.flatMap(({ body, bodyName }) => (body && bodyName !== undefined ? [[bodyName, body]] : [])),
  )
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) }
  return {
    openapi: '3.1.0',
    info: {
      title: 'mailflow',
      version: '1',
      description:
        'Connectors, accepted domains, message trace, reports, TLS reports, certificates and health of a mail gateway.',
    },
    paths,
    components: {
      schemas: {
        ...mapValues(inputs, (schema) => jsonSchema(schema, 'input')),
        ...mapValues(outputs, (schema) => jsonSchema(schema, 'output')),
      },
    },
  }
}

function operation(route: RouteDescription) {
  return {
    summary: route.summary,
    operationId: operationId(route),
    'x-role': route.role,
    parameters: [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)],
    ...(route.body && {
      requestBody: {
        required: !route.bodyOptional,
        content: bodyContent(route.body, route),
      },
    }),
    responses: { ...answers(route), ...problems(route) },
  }
}

/** `GET /inbound-connectors/{id}` is `getInboundConnectorsById`. */
function operationId({ method, path }: RouteDescription): string {
  const words = path
    .replaceAll(/\{(\w+)\}/g, 'by-$1')
    .split(/\W+/)
    .filter(Boolean)
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function pathParameters({ path }: RouteDescription) {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: RouteDescription) {
  if (!query) return []
  const { properties = {} } = jsonSchema(query, 'input') as { properties?: Record<string, JsonSchema> }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(description !== undefined && { description }),
    schema,
  }))
}

function headerParameters({ ifMatch }: RouteDescription) {
  if (!ifMatch) return []
  const description = 'the ETag of a GET, POST, PUT or PATCH, or * for any version'
  const required = ifMatch === 'required'
  return [{ name: 'If-Match', in: 'header', required, description, schema: { type: 'string' } }]
}

function answers({ answers, query, csv = false }: RouteDescription) {
  const hasPages = csv && query instanceof z.ZodObject && 'cursor' in query.shape
  const csvContent = { 'text/csv': { schema: { type: 'string', description: csvDescription } } }
  const link = {
    description: 'of CSV that has a next page: the address of that page, with rel="next" (RFC 8288)',
    schema: { type: 'string' },
  }
  return mapValues(answers, (schema) =>
    schema
      ? {
          description: 'Success',
          ...(hasPages && { headers: { link } }),
          content: { ...json(reference(schema)), ...(csv && csvContent) },
        }
      : { description: 'Success, without a body' },
  )
}

/** Returns the problem responses: those that the route lists, and those that its inputs can cause. */
function problems({ query, body, ifMatch, problems = [] }: RouteDescription) {
  const statuses = new Set<number>([403, ...problems])
  if (query || body || ifMatch) statuses.add(400)
  if (body) for (const status of [413, 415, 422]) statuses.add(status)
  if (ifMatch) for (const status of [412, 428]) statuses.add(status)
  const response = {
    description: 'Problem details (RFC 9457)',
    content: { 'application/problem+json': { schema: reference(Problem) } },
  }
  return Object.fromEntries([...statuses].sort().map((status) => [status, response]))
}

const json = (schema: JsonSchema) => ({ 'application/json': { schema } })

const referenceTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

function bodyContent(schema: z.ZodType, { bodyName, patchOf }: RouteDescription) {
  if (patchOf === undefined)
    return json(bodyName === undefined ? jsonSchema(schema, 'input') : referenceTo(bodyName))
  const { required: _, properties, ...patched } = jsonSchema(patchOf, 'input')
  const description = 'the fields to change; null gives a field its default (RFC 7396)'
  const patch = {
    ...patched,
    properties: mapValues(properties as Record<string, JsonSchema>, withoutDefault),
    description,
  }
  return { 'application/merge-patch+json': { schema: patch }, 'application/json': { schema: patch } }
}

const withoutDefault = ({ default: _, ...schema }: JsonSchema): JsonSchema => schema

function reference(schema: z.ZodType): JsonSchema {
  if (schema instanceof z.ZodUnion)
    return { anyOf: schema.options.map((option) => reference(option as z.ZodType)) }
  const name = Object.entries(outputs).find(([, component]) => component === schema)?.[0]
  return name ? referenceTo(name) : jsonSchema(schema, 'output')
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // A transformation (of a domain, a fingerprint) returns a string.
      if (zodSchema._zod.def.type === 'transform') jsonSchema.type = 'string'
      // zod leaves out the default of a schema with a transformation.
      const { def } = zodSchema._zod
      if (def.type === 'default') jsonSchema.default = (def as z.core.$ZodDefaultDef).defaultValue
    },
  })
  return rest
}

function mapValues<T, U>(record: Record<string, T>, transform: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, transform(value)]))
}
