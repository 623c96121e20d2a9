/** `connectors list`: lists all connectors in a table. */

import { countText, firstNames } from '../../shared/policy/words.ts'
import { command, jsonOption } from '../command.ts'
import { everyConnector, type Found } from '../connectors/find-connectors.ts'
import { inboundConnectors, outboundConnectors } from '../connectors/kinds.ts'
import { exit } from '../faults.ts'
import { table } from '../text/table.ts'
import { jsonText, printable } from '../text/words.ts'

export const listConnectors = command({
  name: 'connectors list',
  summary: 'List the connectors of both directions',
  usesApi: true,
  options: jsonOption,
  async run({ values, world, api }) {
    const all = await everyConnector(api)
    if (values.json) world.out(jsonText(asJson(all)))
    else if (all.length === 0) world.out('No connectors found.\n')
    else world.out(`${table(heading, all.map(row))}\n`)
    return exit.ok
  },
})

const heading = ['Direction', 'Name', 'Type', 'State', 'Domains', 'Requires']

const asJson = (all: readonly Found[]) =>
  Object.fromEntries(
    [inboundConnectors, outboundConnectors].map((kind) => [
      kind.name,
      all.filter((one) => one.kind === kind).map(({ connector }) => connector.answer),
    ]),
  )

function row({ kind, connector: { label, fields } }: Found): string[] {
  return [
    kind === inboundConnectors ? 'inbound' : 'outbound',
    printable(label),
    String(fields.connectorType),
    fields.enabled === false ? 'disabled' : fields.mode === 'ReportOnly' ? 'report only' : 'enforced',
    domainsOf(kind === inboundConnectors ? fields.senderDomains : fields.recipientDomains, fields),
    kind === inboundConnectors ? inboundDemands(fields) : outboundDemands(fields),
  ]
}

type Fields = Readonly<Record<string, unknown>>

/** Names three domains: that is enough to recognise the partner. */
function domainsOf(domains: unknown, { allAcceptedDomains }: Fields): string {
  return firstThree([...(allAcceptedDomains === true ? ['accepted domains'] : []), ...(domains as string[])])
}

const firstThree = (all: readonly string[]): string => firstNames(all, 3)

function inboundDemands(fields: Fields): string {
  const demands = [
    fields.requireTls === true ? (fields.minimumTlsVersion === 'TLSv1.3' ? 'TLSv1.3' : 'TLS') : '',
    fields.restrictDomainsToCertificate === true ? 'certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'address' : '',
  ].filter(Boolean)
  const held = demands.length > 0 && fields.onViolation === 'Defer' ? ', else deferred' : ''
  const relay = fields.connectorType === 'OnPremises' ? `; may relay: ${firstThree(knownBy(fields))}` : ''
  return `${demands.join(', ') || 'nothing'}${held}${relay}`
}

/** Auditors ask which servers an OnPremises connector allows to relay. */
function knownBy(fields: Fields): string[] {
  const pinned = fields.certificateFingerprints as string[]
  return [
    ...(fields.tlsSenderCertificateNames as string[]),
    ...(pinned.length > 0 ? [countText(pinned.length, 'pinned certificate')] : []),
    ...(fields.senderIpAddresses as string[]),
  ]
}

function outboundDemands({ tlsSettings, tlsDomain, minimumTlsVersion }: Fields): string {
  if (tlsSettings === null) return 'nothing (opportunistic TLS)'
  const level = tlsDomain === null ? String(tlsSettings) : `${tlsSettings} ${tlsDomain}`
  return minimumTlsVersion === 'TLSv1.3' ? `${level}, TLSv1.3` : level
}
