/** `report`: prints a report over the events. */
import * as z from 'zod'
import { encodeUrlPart } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { parseDomain } from '../input/parse-domain.ts'
import { type PeriodOptions, parsePeriod } from '../input/parse-period.ts'
import { checkTimeZone } from '../input/time-zone.ts'
import { Report } from '../reports/report-schema.ts'
import { reportText } from '../reports/report-text.ts'
import { jsonText } from '../text/format.ts'
import { checkFormat, csvOption, printCsv } from '../text/print-csv.ts'

export const report = defineCommand({
  positionalUsage: { usage: 'NAME', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: {
    since: {
      type: 'string',
      value: 'TIME',
      description:
        'begin of the period, rounded down to the hour (default: 7 days, the day of --until included)',
    },
    until: {
      type: 'string',
      value: 'TIME',
      description: 'end of the period, rounded up to the hour (default: now)',
    },
    partner: { type: 'string', value: 'DOMAIN', description: 'only mail from or to this domain' },
    connector: {
      type: 'string',
      value: 'NAME|ID',
      description: 'only mail that this connector was applied to; of a name, in both directions',
    },
    'time-zone': {
      type: 'string',
      value: 'ZONE',
      description: 'time zone of the days and of TIME, such as Europe/Berlin (default: UTC)',
    },
    samples: { type: 'boolean', description: 'print the ids of up to five messages of each row' },
    ...wideOption,
    ...jsonOption,
    ...csvOption,
  },
  details: `
"mailflow reports" lists the reports, "mailflow reports NAME" explains the columns. TIME is ISO 8601 (2026-02-03,
2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. Without --samples, each row has the id of one message if
it fits the terminal; of a refusal, the id of its event. --csv and --json have all samples.
`,
  async run({ values, positionals: [name = ''], io, api }) {
    checkFormat(values)
    const query = queryOf(values, io.now())
    const response = await api.get(z.unknown(), `/reports/${encodeUrlPart(name)}`, query)
    if (values.json) io.out(jsonText(response))
    else {
      const found = parseResponse(Report, response, 'report')
      if (values.csv) await printCsv([found], 1, csvOf(found), io)
      else io.out(`${reportText(found, tableWidth(values, io), values.samples)}\n`)
    }
    return exitStatus.ok
  },
})

interface QueryOptions extends PeriodOptions {
  readonly partner: string | undefined
  readonly connector: string | undefined
  readonly 'time-zone': string | undefined
}

function queryOf({ partner, connector, 'time-zone': timeZone, ...period }: QueryOptions, now: number) {
  if (timeZone !== undefined) checkTimeZone('--time-zone', timeZone)
  return {
    ...parsePeriod(period, now, timeZone),
    partner: partner && parseDomain('--partner', partner),
    connector,
    timeZone,
  }
}

const csvOf = ({ columns, rows, samples }: Report) => ({
  columns: [...columns.map(({ name }) => name), 'samples'],
  rowsOf: () => rows.map((row, index) => ({ ...row, samples: (samples[index] ?? []).join(' ') })),
})
