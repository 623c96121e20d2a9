/** `health`: shows the status of the gateway and its alarms. */
import * as z from 'zod'
import { Health, HealthAlarm } from '../../shared/contract/health.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { formatTime, jsonText, printable } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const LooseHealth = Health.extend({ alarms: z.array(HealthAlarm.loose()) }).loose()

export const health = defineCommand({
  usesApi: true,
  options: {
    all: { type: 'boolean', description: 'list also the alarms that are OK' },
    ...wideOption,
    ...jsonOption,
  },
  details: `
The first word is Good (every alarm is OK), Alarms (at least one rings) or Unknown (none rings, but one lacks data, or
the alarms cannot be read). Alarms that ring are listed first, then those that lack data; of one state, the one that has
it for the longest time is first. The last column is the section of the runbook.

Exit status: 0 if the status is Good, otherwise 1.
`,
  async run({ values, io, api }) {
    const response = await api.get(z.unknown(), '/health')
    const { status, summary, softwareVersion, alarms } = parseResponse(LooseHealth, response, 'health')
    if (values.json) io.out(jsonText(response))
    else {
      io.out(`${status}: ${printable(summary)}\nmailflow ${printable(softwareVersion)}\n`)
      const rows = alarms.filter(({ state }) => values.all || state !== 'OK').map(rowOf)
      if (rows.length > 0) io.out(`\n${table(columns, rows, tableWidth(values, io))}\n`)
    }
    return status === 'Good' ? exitStatus.ok : exitStatus.failure
  },
})

const columns: readonly Column[] = [
  { heading: 'State' },
  { heading: 'Since' },
  { heading: 'Alarm' },
  { heading: 'Impact', minWidth: 40 },
  { heading: 'What to do' },
]

const rowOf = ({ state, since, title, impact, runbook }: HealthAlarm): string[] => [
  state,
  formatTime(since),
  title,
  impact,
  runbook,
]
