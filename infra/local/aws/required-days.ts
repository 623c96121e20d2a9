/**
 * Finds the days of which a query needs files, from its syntax tree. It reads simple conditions on the column `day`, such
 * as the shared SQL has, and takes every other condition as true: a day too many only costs time. Pure.
 */
import * as z from 'zod'

/** A node of a tree of DuckDB's `json_serialize_sql`. */
type Node = Readonly<Record<string, unknown>>

const column = 'day'

const Table = z.object({ type: z.literal('BASE_TABLE'), table_name: z.string(), alias: z.string() })

/** A SELECT from one table, whose columns keep their names. */
const Select = z.object({
  type: z.literal('SELECT_NODE'),
  from_table: Table.extend({ column_name_alias: z.array(z.unknown()).length(0) }),
})

/**
 * @param tree the tree of a query
 * @returns whether the query may need rows of a day of the table
 */
export function requiredDays(tree: unknown, table: string): (day: string) => boolean {
  const conditions = [...conditionsOf(tree, table)]
  return (day) => conditions.some((condition) => condition(day))
}

type Condition = (day: string) => boolean

/** Yields a condition for each use of the table in the query. */
function* conditionsOf(node: unknown, table: string): Generator<Condition> {
  if (typeof node !== 'object' || node === null) return
  const select = Select.safeParse(node).data
  if (select !== undefined && isTable(select.from_table, table)) {
    const { from_table: from, ...others } = node as Node
    const { alias, table_name } = select.from_table
    yield (day) => mayHold(others.where_clause, { day, qualifier: alias || table_name })
    yield* conditionsOf(others, table)
  } else if (isTable(node, table)) yield () => true
  else for (const child of Object.values(node)) yield* conditionsOf(child, table)
}

function isTable(node: unknown, table: string): boolean {
  const { table_name } = Table.safeParse(node).data ?? {}
  return table_name?.toLowerCase() === table
}

interface Row {
  readonly day: string
  /** The name of the table in the query. */
  readonly qualifier: string
}

const Conjunction = z.object({
  type: z.enum(['CONJUNCTION_AND', 'CONJUNCTION_OR']),
  children: z.array(z.unknown()),
})
const Comparison = z.object({
  class: z.literal('COMPARISON'),
  type: z.string(),
  left: z.unknown(),
  right: z.unknown(),
})
const Between = z.object({
  type: z.literal('COMPARE_BETWEEN'),
  input: z.unknown(),
  lower: z.unknown(),
  upper: z.unknown(),
})
const In = z.object({ type: z.literal('COMPARE_IN'), children: z.tuple([z.unknown()], z.unknown()) })

const comparisons: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  COMPARE_EQUAL: (a, b) => a === b,
  COMPARE_LESSTHAN: (a, b) => a < b,
  COMPARE_LESSTHANOREQUALTO: (a, b) => a <= b,
  COMPARE_GREATERTHAN: (a, b) => a > b,
  COMPARE_GREATERTHANOREQUALTO: (a, b) => a >= b,
}

/** Whether a condition may hold for a row of this day. */
function mayHold(node: unknown, row: Row): boolean {
  const conjunction = Conjunction.safeParse(node).data
  if (conjunction !== undefined) {
    const holds = (child: unknown) => mayHold(child, row)
    const { type, children } = conjunction
    return type === 'CONJUNCTION_AND' ? children.every(holds) : children.some(holds)
  }
  const { type, left, right } = Comparison.safeParse(node).data ?? {}
  const compare = comparisons[type ?? '']
  if (compare !== undefined) return dayPasses(left, [right], row, (value) => compare(row.day, value))
  const between = Between.safeParse(node).data
  if (between !== undefined)
    return (
      dayPasses(between.input, [between.lower], row, (value) => row.day >= value) &&
      dayPasses(between.input, [between.upper], row, (value) => row.day <= value)
    )
  const [input, ...list] = In.safeParse(node).data?.children ?? []
  return dayPasses(input, list, row, (value) => value === row.day)
}

/** Whether one of the values passes; true unless all are texts to which the column `day` is compared. */
function dayPasses(
  input: unknown,
  list: readonly unknown[],
  row: Row,
  passes: (value: string) => boolean,
): boolean {
  const texts = list.map(textOf)
  if (!isDay(input, row) || texts.includes(null)) return true
  return texts.some((value) => value !== null && passes(value))
}

const ColumnReference = z.object({ class: z.literal('COLUMN_REF'), column_names: z.array(z.string()) })

function isDay(node: unknown, { qualifier }: Row): boolean {
  const names = ColumnReference.safeParse(node).data?.column_names.map((name) => name.toLowerCase()) ?? []
  return names.length > 0 && [column, `${qualifier.toLowerCase()}.${column}`].includes(names.join('.'))
}

const Text = z.object({
  class: z.literal('CONSTANT'),
  value: z.object({
    type: z.object({ id: z.literal('VARCHAR') }),
    is_null: z.literal(false),
    value: z.string(),
  }),
})

const textOf = (node: unknown): string | null => Text.safeParse(node).data?.value.value ?? null
