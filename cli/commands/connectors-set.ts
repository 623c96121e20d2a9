/** `connectors set`: changes fields of one connector, or of all. */
import { defineCommand } from '../command.ts'
import { UsageError } from '../command-error.ts'
import { assign, parseAssignment, readValueFile } from '../connectors/assignments.ts'
import {
  connectorsOf,
  type Edit,
  editChange,
  editOptions,
  parseDirection,
  planFor,
} from '../connectors/edit-connectors.ts'
import { connectorKinds } from '../connectors/entry-kinds.ts'
import { changeQuestion, makeChanges } from '../connectors/make-changes.ts'

export const setConnector = defineCommand({
  positionalUsage: { usage: 'NAME|ID FIELD=VALUE …', minCount: 1, maxCount: Number.POSITIVE_INFINITY },
  usesApi: true,
  options: {
    all: { type: 'boolean', description: 'change all connectors; give no NAME' },
    ...editOptions,
  },
  details: `
The fields are those of the file (docs/generated/api.md). VALUE is a text, true, false, a number or null. A list has
commas between its entries; FIELD+=VALUE adds entries, FIELD-=VALUE removes them. @FILE reads the value from a file, for
example certificateAuthorities=@ca.pem. A smart host is HOST or HOST:PORT.

The command shows the differences, the warnings and what happens to waiting mail, and asks.
`,
  async run({ values, positionals, io, api }) {
    const [first = ''] = positionals
    const texts = values.all ? positionals : positionals.slice(1)
    if (texts.length === 0)
      throw new UsageError(
        /^\w+[+-]?=/.test(first)
          ? 'connectors set requires a NAME before FIELD=VALUE, or --all'
          : 'connectors set requires FIELD=VALUE',
      )
    const assignments = await Promise.all(texts.map((text) => readValueFile(parseAssignment(text))))
    const repeated = assignments.find(
      ({ field, operator }, index) =>
        operator === '=' &&
        assignments.slice(0, index).some((earlier) => earlier.field.toLowerCase() === field.toLowerCase()),
    )
    if (repeated) throw new UsageError(`${repeated.field} is given twice`)
    const edit: Edit = (kind, fields) =>
      assignments.reduce((edited, assignment) => assign(kind, edited, assignment), fields)
    const kinds = parseDirection(values.direction)
    return makeChanges(
      values.all
        ? ({ current }) =>
            connectorsOf(current, kinds ?? connectorKinds).map((found) => editChange(found, edit))
        : planFor(first, values.direction, (found) => editChange(found, edit)),
      changeQuestion,
      values,
      { api, io },
    )
  },
})
