/** Describes JSON Schema in a few words, for the pages of the settings and of the API. */
import { code } from './markdown.ts'

export interface JsonSchema {
  $ref?: string
  type?: string | readonly string[]
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly JsonSchema[]
  oneOf?: readonly JsonSchema[]
  items?: JsonSchema
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  default?: unknown
  description?: string
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

/** Whether the schema sets this bound. For an integer without a bound, zod writes JavaScript's largest safe integer. */
const isBound = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER

function range(min: number | undefined, max: number | undefined): string {
  if (isBound(min) && isBound(max)) return min === max ? `${min}` : `${min}–${max}`
  if (isBound(max)) return `at most ${max}`
  return isBound(min) ? `at least ${min}` : ''
}

const quantified = (name: string, limits: string, unit = ''): string =>
  limits === '' ? name : `${name}, ${limits}${unit}`

export function typeOf(schema: JsonSchema): string {
  if (schema.$ref) return linkTo(schema.$ref.split('/').at(-1) ?? '')
  if (schema.const !== undefined) return code(String(schema.const))
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ')
  const combined =
    schema.anyOf ?? schema.oneOf ?? [schema.type ?? 'any'].flat().map((type) => ({ ...schema, type }))
  return [...new Set(combined.length > 1 ? combined.map(typeOf) : combined.map(typeOfOne))].join(' or ')
}

function typeOfOne(schema: JsonSchema): string {
  const { type, format, items = {} } = schema
  if (type === 'array') {
    const length = range(schema.minItems, schema.maxItems)
    return `list of ${typeOf(items)}${length && `; length ${length}`}`
  }
  if (type === 'string')
    return quantified(format ?? 'string', range(schema.minLength, schema.maxLength), ' characters')
  if (type === 'integer' || type === 'number') return quantified(type, range(schema.minimum, schema.maximum))
  return type === 'null' ? code('null') : String(type)
}

export const linkTo = (heading: string): string => `[${heading}](#${heading.toLowerCase()})`

export interface Field {
  path: string
  schema: JsonSchema
  isRequired: boolean
}

/** Returns the fields of an object and of the objects in it, each with its path, such as `steps[].host`. */
export function fieldsOf(schema: JsonSchema, isLeaf: (schema: JsonSchema) => boolean, at = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = at === '' ? name : `${at}.${name}`
    const own: Field = { path, schema: field, isRequired: schema.required?.includes(name) ?? false }
    if (isLeaf(field)) return [own]
    const [inner, suffix] = innerOf(field)
    return inner?.properties ? [own, ...fieldsOf(inner, isLeaf, path + suffix)] : [own]
  })
}

/**
 * Returns the schema of the object that a field contains: the field itself, one of its alternatives, or each entry of a
 * list. For a list, also returns `[]`, to append to the field's path.
 */
function innerOf(schema: JsonSchema): [JsonSchema | undefined, string] {
  if (schema.type === 'array') return [schema.items && innerOf(schema.items)[0], '[]']
  const inner = schema.anyOf?.find(({ type }) => type === 'object' || type === 'array')
  return inner ? innerOf(inner) : [schema, '']
}
