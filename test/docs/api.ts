import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Role } from '../../shared/contract/roles.ts'
import { messageColumns } from '../../shared/event-queries/message-columns.ts'
import { createTestApi } from '../support/api-client.ts'
import { code, page, table } from './markdown.ts'
import { type Field, fieldsOf, type JsonSchema, linkTo, typeOf } from './schema.ts'

interface Operation {
  summary: string
  'x-role': Role
  parameters: { name: string; in: string; required?: boolean; description?: string; schema: JsonSchema }[]
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema }> }
  responses: Record<string, { content?: Record<string, { schema: JsonSchema }> }>
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, JsonSchema> }
}

const noTable = {} as DynamoDBDocumentClient
const { paths, components }: Document = (await createTestApi(noTable).call('GET /openapi.json')).body
export const schemas = Object.entries(components.schemas)

export const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    target: code(`${method.toUpperCase()} ${path}`),
    operation,
  })),
)

const contentOf = ({ content }: { content?: Record<string, { schema: JsonSchema }> }): string =>
  content === undefined
    ? ''
    : Object.entries(content)
        .map(([type, { schema }]) => (type === 'text/csv' ? 'CSV' : typeOf(schema)))
        .join(', ')

const isSuccess = (status: string): boolean => status.startsWith('2')

function operationRow({ target, operation: { summary, requestBody, responses } }: (typeof operations)[0]) {
  const body = requestBody ? `${contentOf(requestBody)}${requestBody.required ? '' : ' (optional)'}` : ''
  const successes = Object.entries(responses).filter(([status]) => isSuccess(status))
  const answers = successes.map(([status, response]) => `${status} ${contentOf(response)}`.trim())
  const problems = Object.keys(responses).filter((status) => !isSuccess(status) && status !== '403')
  return [target, summary, body, answers.join(', '), problems.join(', ')]
}

/** Requests that take the same parameter share a row. */
function parameterRows(): string[][] {
  const rows = operations.flatMap(({ target, operation }) =>
    operation.parameters
      .filter((parameter) => parameter.in !== 'path')
      .map(({ name, in: where, required = false, schema, description = '' }) => ({
        target,
        cells: [
          where === 'query' ? code(name) : `header ${code(name)}`,
          typeOf(schema),
          defaultOf({ path: name, schema, isRequired: required }),
          description,
        ],
      })),
  )
  const shared = Map.groupBy(rows, ({ cells }) => cells.join('|')).values()
  return [...shared].map((same) => [...(same[0]?.cells ?? []), same.map(({ target }) => target).join(', ')])
}

function defaultOf({ schema, isRequired }: Field): string {
  if (schema.default !== undefined) return code(JSON.stringify(schema.default))
  return isRequired ? 'required' : '–'
}

/** Returns the name under which a schema has its own section. */
const nameOf = (schema: JsonSchema): string | undefined => names.get(withoutDescription(schema))

const withoutDescription = ({ description: _, ...schema }: JsonSchema): string => JSON.stringify(schema)
const names = new Map(schemas.map(([name, schema]) => [withoutDescription(schema), name]))

function typeWithLinks(schema: JsonSchema): string {
  const name = nameOf(schema)
  if (name !== undefined) return linkTo(name)
  if (schema.type === 'array' && schema.items) {
    const item = nameOf(schema.items)
    if (item !== undefined) return `list of ${linkTo(item)}`
  }
  const inner = (schema.anyOf ?? schema.oneOf)?.map(typeWithLinks)
  return inner ? [...new Set(inner)].join(' or ') : typeOf(schema)
}

const isLeaf = (schema: JsonSchema): boolean => typeWithLinks(schema).includes('](#')

const isInput = (name: string): boolean => /(Input|Replacement)$/.test(name)

const rowsOf = (name: string, schema: JsonSchema): string[][] =>
  fieldsOf(schema, isLeaf).map((field) => {
    const type = typeWithLinks(field.schema)
    const isOptional = !field.isRequired && field.schema.default === undefined
    const typed = isInput(name) ? [type, defaultOf(field)] : [isOptional ? `${type}, or absent` : type]
    return [code(field.path), ...typed, field.schema.description ?? '']
  })

interface Section {
  name: string
  description: string | undefined
  rows: string[][]
}

/**
 * Describes an object. If the object has every field of an earlier object with three fields or more, its section links
 * to that object and lists only the other fields; an input also lists fields that another input has differently. A
 * connector is not described by the input of its check.
 */
function section({ name, description, rows }: Section, index: number, sections: readonly Section[]): string {
  const has = ([path]: string[]) => rows.some(([own]) => own === path)
  const base = sections
    .slice(0, index)
    .filter((candidate) => candidate.rows.length > 2 && !candidate.name.endsWith('CheckInput'))
    .findLast((candidate) => candidate.rows.every(has))
  const isSame = (row: string[], shared: string[]) =>
    base && isInput(name) && isInput(base.name) ? row.join('|') === shared.join('|') : row[0] === shared[0]
  const own = rows.filter((row) => !base?.rows.some((shared) => isSame(row, shared)))
  const introduction = base && `The fields of ${linkTo(base.name)}, and:`
  const head = isInput(name) ? ['Field', 'Type', 'Default', 'Meaning'] : ['Field', 'Type', 'Meaning']
  return [`### ${name}`, description, introduction, table(head, own)].filter(Boolean).join('\n\n')
}

const csvSchema = operations
  .flatMap(({ operation }) => Object.values(operation.responses))
  .find(({ content }) => content?.['text/csv'])?.content?.['text/csv']?.schema

export const apiPage = (): string =>
  page(
    'API reference',
    'the OpenAPI document (`functions/connector-api/openapi.ts`)',
    '[The HTTP API](../api.md) describes its use and each problem. A problem is `application/problem+json` with the fields of [Problem](#problem) and `type` `about:blank`. Any request may also be answered with 403, 500 or 503.',
    '## Requests',
    table(['Request', 'Effect', 'Body', 'Answer', 'Problems'], operations.map(operationRow)),
    '## Parameters',
    table(['Parameter', 'Type', 'Default', 'Meaning', 'Requests'], parameterRows()),
    '## CSV',
    `Requests whose answer may be CSV have it with \`Accept: text/csv\`. ${csvSchema?.description}. If there is a next page, the header \`link\` has its address. \`GET /messages\` has a line for each recipient; the first columns have the names of Exchange Online's message trace reports:`,
    table(
      ['Column', 'Meaning'],
      messageColumns.map(({ name, meaning }) => [code(name), meaning]),
    ),
    '`GET /changes` has a line for each change, with the fields of [ChangeEntry](#changeentry); `before` and `after` are JSON.',
    '## Objects',
    'A field within another is written with a dot, a field of each entry of a list with `[]`.',
    ...schemas
      .map(([name, schema]) => ({ name, description: schema.description, rows: rowsOf(name, schema) }))
      .map(section),
  )
