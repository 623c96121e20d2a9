/** `connectors list`: all connectors at a glance. */
import { command, jsonOption } from '../command.ts'
import { everyConnector, type Found } from '../configuration/find.ts'
import { inboundConnectors, outboundConnectors } from '../configuration/kinds.ts'
import { exit } from '../faults.ts'
import { table } from '../text/table.ts'
import { printable } from '../text/words.ts'

export const listConnectors = command({
  name: 'connectors list',
  summary: 'List the connectors of both directions',
  usesApi: true,
  options: jsonOption,
  async run({ values, world, api }) {
    const all = await everyConnector(api)
    if (values.json) world.out(`${JSON.stringify(asJson(all), null, 2)}\n`)
    else if (all.length === 0) world.out('There are no connectors.\n')
    else world.out(`${table(heading, all.map(row))}\n`)
    return exit.ok
  },
})

const heading = ['Direction', 'Name', 'Type', 'State', 'Domains', 'Demands']

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
    fields.enabled === false ? 'disabled' : fields.mode === 'ReportOnly' ? 'reports only' : 'enforced',
    domainsOf(kind === inboundConnectors ? fields.senderDomains : fields.recipientDomains, fields),
    kind === inboundConnectors ? inboundDemands(fields) : outboundDemands(fields),
  ]
}

/** Three of them say which partner it is. */
function domainsOf(domains: unknown, { allAcceptedDomains }: Readonly<Record<string, unknown>>): string {
  const all = [...(allAcceptedDomains === true ? ['accepted domains'] : []), ...(domains as string[])]
  const more = all.length > 3 ? ` and ${all.length - 3} more` : ''
  return `${all.slice(0, 3).join(', ')}${more}`
}

function inboundDemands(fields: Readonly<Record<string, unknown>>): string {
  const demands = [
    fields.requireTls === true ? (fields.minimumTlsVersion === 'TLSv1.3' ? 'TLSv1.3' : 'TLS') : '',
    fields.restrictDomainsToCertificate === true ? 'certificate' : '',
    fields.restrictDomainsToIpAddresses === true ? 'address' : '',
  ].filter(Boolean)
  return demands.join(', ') || 'nothing'
}

function outboundDemands({ tlsSettings, tlsDomain }: Readonly<Record<string, unknown>>): string {
  if (tlsSettings === null) return 'nothing (opportunistic TLS)'
  return tlsDomain === null ? String(tlsSettings) : `${tlsSettings} ${tlsDomain}`
}
