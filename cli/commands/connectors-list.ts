/** `connectors list`: lists all connectors in a table. */

import { countText, firstNames } from '../../shared/policy/text-lists.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { inboundConnectors, outboundConnectors } from '../connectors/entry-kinds.ts'
import { type FoundConnector, readAllConnectors } from '../connectors/find-connectors.ts'
import { jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

export const listConnectors = defineCommand({
  usesApi: true,
  options: { ...wideOption, ...jsonOption },
  async run({ values, io, api }) {
    const all = await readAllConnectors(api)
    if (values.json) io.out(jsonText(toJson(all)))
    else if (all.length === 0) io.out('No connectors found.\n')
    else io.out(`${table(columns, all.map(row), tableWidth(values, io))}\n`)
    return exitStatus.ok
  },
})

/** The name is never cut, because other commands take it. */
const columns: readonly Column[] = [
  { heading: 'Direction' },
  { heading: 'Name' },
  { heading: 'Type' },
  { heading: 'State' },
  { heading: 'Domains', minWidth: 16 },
  { heading: 'Requires', minWidth: 20 },
]

const toJson = (all: readonly FoundConnector[]) =>
  Object.fromEntries(
    [inboundConnectors, outboundConnectors].map((kind) => [
      kind.name,
      all.filter((found) => found.kind === kind).map(({ connector }) => connector.response),
    ]),
  )

function row({ kind, connector: { label, fields } }: FoundConnector): string[] {
  return [
    kind === inboundConnectors ? 'inbound' : 'outbound',
    label,
    String(fields.connectorType),
    fields.enabled === false ? 'disabled' : fields.mode === 'ReportOnly' ? 'report only' : 'enforced',
    domainsOf(kind === inboundConnectors ? fields.senderDomains : fields.recipientDomains, fields),
    kind === inboundConnectors ? inboundRequirements(fields) : outboundRequirements(fields),
  ]
}

type Fields = Readonly<Record<string, unknown>>

/** Lists at most three domains, which are enough to recognise the partner. */
function domainsOf(domains: unknown, { allAcceptedDomains }: Fields): string {
  return firstThree([...(allAcceptedDomains === true ? ['accepted domains'] : []), ...(domains as string[])])
}

const firstThree = (all: readonly string[]): string => firstNames(all, 3)

function inboundRequirements(fields: Fields): string {
  const requirements = [
    fields.requireTls === true ? (fields.minimumTlsVersion === 'TLSv1.3' ? 'TLSv1.3' : 'TLS') : '',
    fields.restrictDomainsToCertificate === true ? 'certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'address' : '',
    fields.requireDmarc === true ? 'DMARC' : '',
  ].filter(Boolean)
  const deferralText = requirements.length > 0 && fields.onViolation === 'Defer' ? ', else deferred' : ''
  const relay =
    fields.connectorType === 'OnPremises'
      ? `; relays if identified by: ${firstThree(identifiers(fields))}`
      : ''
  return `${requirements.join(', ') || 'nothing'}${deferralText}${relay}`
}

/**
 * Lists the names, pinned certificates and addresses by which an OnPremises connector identifies the servers that may
 * relay.
 */
function identifiers(fields: Fields): string[] {
  const pinned = fields.certificateFingerprints as string[]
  return [
    ...(fields.tlsSenderCertificateNames as string[]),
    ...(pinned.length > 0 ? [countText(pinned.length, 'pinned certificate')] : []),
    ...(fields.senderIpAddresses as string[]),
    ...tenantIds(fields.exchangeOnline),
  ]
}

const tenantIds = (exchangeOnline: unknown): string[] =>
  ((exchangeOnline as { tenantIds: string[] } | null)?.tenantIds ?? []).map((id) => `tenant ${id}`)

function outboundRequirements(fields: Fields): string {
  const { tlsSettings, tlsDomain, minimumTlsVersion } = fields
  const requirements = [
    tlsSettings === null ? '' : tlsDomain === null ? String(tlsSettings) : `${tlsSettings} ${tlsDomain}`,
    minimumTlsVersion === 'TLSv1.3' ? 'TLSv1.3' : '',
    fields.smtpDaneMode === 'Mandatory' ? 'DANE' : '',
    fields.mtaStsMode === 'Mandatory' ? 'MTA-STS' : '',
  ].filter(Boolean)
  return requirements.join(', ') || 'nothing (opportunistic TLS)'
}
