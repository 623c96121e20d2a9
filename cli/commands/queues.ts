/** `queues`: lists what waits, by partner and reason. */
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { readAllConnectors } from '../connectors/find-connectors.ts'
import { filterOptions, readFilter } from '../queues/queue-filter.ts'
import { type Queue, readQueues } from '../queues/read-queues.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

export const queues = defineCommand({
  usesApi: true,
  options: { ...filterOptions, ...wideOption, ...jsonOption },
  details: `
Each row is deferred mail of one partner, direction, reason and connector. The partner is the sender's domain if an
inbound connector holds the mail, and otherwise the recipient's. "Expires" is when the first message bounces. The last
column has the message that expires first: "messages ID" shows why it waits.
`,
  async run({ values, io, api }) {
    const list = await readQueues(api, await readFilter(values, api))
    const { items, omitted, complete } = list
    if (values.json) io.out(jsonText(list))
    else if (items.length === 0) io.out('No mail waits.\n')
    else io.out(`${table(columns, await rowsOf(items, api), tableWidth(values, io))}\n`)
    if (omitted > 0) io.err(`Not listed: ${countText(omitted, 'group')}. Use the options to select.\n`)
    if (!complete) io.err('The search ran out of time: more mail waits than these numbers say.\n')
    return exitStatus.ok
  },
})

const columns: readonly Column[] = [
  { heading: 'Expires' },
  { heading: 'Partner', minWidth: 20 },
  { heading: 'Direction' },
  { heading: 'Reason' },
  { heading: 'Connector', minWidth: 16 },
  { heading: 'Messages' },
  { heading: 'Recipients' },
  { heading: 'Octets' },
  { heading: 'Oldest' },
  { heading: 'Next attempt' },
  { heading: 'First message' },
]

async function rowsOf(queues: readonly Queue[], api: ApiClient): Promise<string[][]> {
  const connectors = queues.some(({ connector }) => connector !== null) ? await readAllConnectors(api) : []
  const names = new Map(connectors.map(({ connector }) => [connector.id, connector.label]))
  return queues.map((queue) => [
    formatTime(queue.expires),
    queue.partner ?? '–',
    queue.direction,
    queue.reason,
    // A deleted connector has no name.
    queue.connector === null ? '–' : (names.get(queue.connector) ?? queue.connector),
    ...[queue.messages, queue.recipients, queue.octets].map(String),
    formatTime(queue.oldest),
    formatTime(queue.nextAttempt),
    queue.samples[0] ?? '–',
  ])
}
