/** The columns of Parquet files, from the schema of events. Pure. */
import type * as z from 'zod'
import { MailEvent } from '../contract/events.ts'

export type ColumnType = 'timestamp' | 'integer' | 'boolean' | 'text'

export interface EventColumn {
  name: keyof MailEvent
  type: ColumnType
  isOptional: boolean
}

export const eventColumns: readonly EventColumn[] = Object.entries(MailEvent.shape).map(([name, schema]) => ({
  name: name as keyof MailEvent,
  type: name === 'at' ? 'timestamp' : typeOf(schema),
  isOptional: schema.def.type === 'optional',
}))

function typeOf(schema: z.core.$ZodType): ColumnType {
  const { def } = schema as z.ZodType
  switch (def.type) {
    case 'optional':
      return typeOf((schema as z.ZodOptional).def.innerType)
    case 'boolean':
      return 'boolean'
    case 'number':
      return 'integer'
    case 'string':
    case 'enum':
      return 'text'
    default:
      throw new Error(`no column type for ${def.type}`)
  }
}

const maxInteger = 2 ** 31 - 1

/**
 * Returns the value of a column, null if it is absent. A value of another type becomes null too: one wrong value of an
 * event must not prevent the seal of an hour.
 */
export function columnValue(event: Partial<Record<string, unknown>>, column: EventColumn): ColumnValue {
  const value = event[column.name]
  switch (column.type) {
    case 'timestamp':
      return new Date(String(value))
    case 'integer':
      return Number.isInteger(value) && Math.abs(value as number) <= maxInteger ? (value as number) : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'text':
      return typeof value === 'string' ? value : null
  }
}
export type ColumnValue = Date | number | boolean | string | null
