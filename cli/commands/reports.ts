/** `reports`: lists the reports, or the columns of one. */
import * as z from 'zod'
import { columnHeading } from '../../shared/event-queries/reports/column-heading.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { CommandError, exitStatus } from '../command-error.ts'
import { ReportSummary } from '../reports/report-schema.ts'
import { displayWidth, fillToWidth } from '../text/display-width.ts'
import { jsonText, printable } from '../text/format.ts'
import { table, wrapText } from '../text/table.ts'

const List = z.object({ items: z.array(z.looseObject(ReportSummary.shape)) })

export const reports = defineCommand({
  positionalUsage: { usage: '[NAME]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: { ...jsonOption },
  details: `
With NAME it explains the columns of this report. "mailflow report NAME" prints the report.
`,
  async run({ values, positionals: [name], io, api }) {
    const { items } = parseResponse(List, await api.get(z.unknown(), '/reports'), 'list of reports')
    const found = name === undefined ? items : findReport(items, name)
    if (values.json) io.out(jsonText(found))
    else io.out(`${Array.isArray(found) ? listText(found) : columnsText(found, io.columns)}\n`)
    return exitStatus.ok
  },
})

type Summary = z.output<typeof List>['items'][number]

function findReport(items: readonly Summary[], name: string): Summary {
  const found = items.find((report) => report.name === name)
  if (found !== undefined) return found
  throw new CommandError(
    `no report "${name}"; the reports are ${items.map((report) => report.name).join(', ')}`,
  )
}

const listText = (items: readonly Summary[]): string =>
  table(
    [{ heading: 'Name' }, { heading: 'Title' }],
    items.map(({ name, title }) => [name, title]),
    undefined,
  )

function columnsText({ columns }: Summary, width = 110): string {
  const headings = columns.map(({ name }) => printable(columnHeading(name)))
  const indent = Math.max(...headings.map(displayWidth)) + 2
  return columns
    .map(({ description }, index) => {
      const heading = fillToWidth(headings[index] ?? '', indent)
      return heading + wrapText(description, width - indent).join(`\n${' '.repeat(indent)}`)
    })
    .join('\n')
}
