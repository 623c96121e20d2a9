/** `certificates observed`: lists certificates that partners and this gateway present, with their expiry. */
import * as z from 'zod'
import { CertificateFacts } from '../../shared/contract/certificate.ts'
import { factsSummary } from '../../shared/tls/certificate-facts-text.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { findConnectors } from '../connectors/find-connectors.ts'
import { jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const ObservedHost = z.object({
  kind: z.string(),
  connector: z.object({ name: z.string() }).nullable(),
  domain: z.string().nullable(),
  host: z.string(),
  certificates: z.array(
    z.object({
      issuer: z.string(),
      fingerprint256: z.string(),
      notAfter: z.string(),
      facts: CertificateFacts.strip().nullish(),
      lastSeen: z.string(),
      use: z.string(),
      daysLeft: z.int(),
    }),
  ),
  changes: z.array(
    z.object({ at: z.string(), what: z.array(z.string()), to: z.object({ fingerprint256: z.string() }) }),
  ),
})
type ObservedHost = z.output<typeof ObservedHost>

const maxPageSize = 100

export const observedCertificates = defineCommand({
  usesApi: true,
  options: {
    connector: {
      type: 'string',
      value: 'NAME',
      description: 'only certificates of this connector (name or id)',
    },
    'expiring-within': {
      type: 'string',
      value: 'DAYS',
      description: 'only certificates in use that expire within this many days, or have expired',
    },
    all: {
      type: 'boolean',
      description: 'include certificates that were superseded, or not observed for 30 days',
    },
    ...wideOption,
    ...jsonOption,
  },
  details: `
Certificates of servers (next hops) and clients (senders), and this gateway's client certificates, are recorded when
mail uses them. The certificates of the ingress are also listed; "npx mailflow certificates" shows more about them.
For a client, the last column says what issued the certificate and whether the connector lists its name.
`,
  async run({ values, io, api }) {
    const { connector, all, json } = values
    const within = parseDays(values['expiring-within'])
    const connectors = connector === undefined ? [undefined] : await findConnectors(api, connector)
    const hosts: unknown[] = []
    for (const found of connectors) {
      const query = { connector: found?.connector.id, expiringWithinDays: within }
      for await (const entry of api.list(z.unknown(), '/certificates/observed', query, maxPageSize))
        hosts.push(entry)
    }
    if (json) {
      io.out(jsonText(hosts))
      return exitStatus.ok
    }
    const rows = hosts.flatMap((host) =>
      rowsOf(parseResponse(ObservedHost, host, 'certificate'), all, within),
    )
    io.out(
      rows.length === 0 ? 'No certificates found.\n' : `${table(columns, rows, tableWidth(values, io))}\n`,
    )
    return exitStatus.ok
  },
})

/** @throws UsageError */
function parseDays(text: string | undefined): string | undefined {
  if (text === undefined || /^\d{1,4}$/.test(text)) return text
  throw new UsageError(`--expiring-within ${text}: not a number of days from 0 to 9999`)
}

/** The digest is never cut, because connectors take it as a pin. */
const columns: readonly Column[] = [
  { heading: 'Presented by' },
  { heading: 'Connector', minWidth: 16 },
  { heading: 'Host', minWidth: 24 },
  { heading: 'Days left' },
  { heading: 'Expires' },
  { heading: 'Observed', minWidth: 10 },
  { heading: 'Changed on', minWidth: 10 },
  { heading: 'Issuer', minWidth: 20 },
  { heading: 'SHA-256' },
  { heading: 'At the connector', minWidth: 20 },
]

const presenterText: Readonly<Record<string, string>> = {
  Own: 'gateway',
  PartnerServer: 'server',
  PartnerClient: 'client',
}

function rowsOf(
  { kind, connector, domain, host, certificates, changes }: ObservedHost,
  all: boolean,
  within: string | undefined,
): string[][] {
  return certificates
    .filter(
      ({ use, daysLeft }) =>
        all || (use === 'InUse' && daysLeft <= Number(within ?? Number.POSITIVE_INFINITY)),
    )
    .map(({ issuer, fingerprint256, notAfter, lastSeen, use, daysLeft, facts }) => {
      const change = changes.find(({ to }) => to.fingerprint256 === fingerprint256)
      return [
        presenterText[kind] ?? kind,
        connector === null ? (domain === null ? '' : `none (${domain})`) : connector.name,
        host,
        String(daysLeft),
        notAfter.slice(0, 10),
        use === 'InUse' ? lastSeen.slice(0, 10) : `${lastSeen.slice(0, 10)} (${useText[use] ?? use})`,
        change === undefined ? '' : `${change.at.slice(0, 10)} ${change.what.join(', ')}`,
        issuer,
        fingerprint256,
        facts ? factsSummary(facts) : '',
      ]
    })
}

const useText: Readonly<Record<string, string>> = {
  Superseded: 'superseded',
  NotSeen: 'not observed since',
}
