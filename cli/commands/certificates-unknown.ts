/** `certificates unknown`: lists certificates that clients present and connectors do not accept. */
import * as z from 'zod'
import { CertificateFacts } from '../../shared/contract/certificate.ts'
import { factsSummary } from '../../shared/tls/certificate-facts-text.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { findConnectorId } from '../connectors/find-connectors.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const UnknownCertificate = z.object({
  id: z.string(),
  state: z.string(),
  connector: z.object({ name: z.string() }),
  presented: z.object({ subject: z.string() }),
  facts: CertificateFacts.strip(),
  lastSeen: z.string(),
  effects: z.array(z.object({ effect: z.string() })),
  proposals: z.array(z.object({ field: z.string(), add: z.string() })),
})
type UnknownCertificate = z.output<typeof UnknownCertificate>

const maxPageSize = 100

export const unknownCertificates = defineCommand({
  usesApi: true,
  options: {
    connector: {
      type: 'string',
      value: 'NAME',
      description: 'only certificates at this connector (name or id)',
    },
    all: { type: 'boolean', description: 'include certificates that are resolved or dismissed' },
    ...wideOption,
    ...jsonOption,
  },
  details: `
Certificates that an attacker cannot create are first. The last column is the safest addition that makes the connector
accept the certificate; "npx mailflow connectors set NAME" makes it. First ask the partner for the SHA-256 fingerprint,
by a way that you know from before (telephone), not by a reply to this mail.
`,
  async run({ values, io, api }) {
    const connector =
      values.connector === undefined ? undefined : await findConnectorId(api, values.connector)
    const state = values.all ? undefined : 'Open'
    const found: unknown[] = []
    for (const trusted of ['true', 'false']) {
      const query = { connector, state, trusted }
      for await (const entry of api.list(z.unknown(), '/certificates/unknown', query, maxPageSize))
        found.push(entry)
    }
    if (values.json) {
      io.out(jsonText(found))
      return exitStatus.ok
    }
    const rows = found.map((entry) => rowOf(parseResponse(UnknownCertificate, entry, 'certificate')))
    io.out(
      rows.length === 0
        ? 'No client presents an unknown certificate.\n'
        : `${table(columns, rows, tableWidth(values, io))}\n`,
    )
    return exitStatus.ok
  },
})

/** The id is never cut, because "certificates dismiss" takes it. */
const columns: readonly Column[] = [
  { heading: 'State' },
  { heading: 'Connector', minWidth: 16 },
  { heading: 'Last seen' },
  { heading: 'Mail', minWidth: 8 },
  { heading: 'Subject', minWidth: 20 },
  { heading: 'At the connector', minWidth: 20 },
  { heading: 'Id' },
  { heading: 'Accepted with', minWidth: 20 },
]

function rowOf(certificate: UnknownCertificate): string[] {
  const { id, state, connector, presented, facts, lastSeen, effects, proposals } = certificate
  const [safest] = proposals
  return [
    state,
    connector.name,
    formatTime(lastSeen),
    effects.map(({ effect }) => effect).join(', '),
    presented.subject,
    factsSummary(facts),
    id,
    safest === undefined ? 'no addition' : `${safest.field}+=${safest.add}`,
  ]
}
