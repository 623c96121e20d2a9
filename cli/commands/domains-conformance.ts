/** `domains conformance`: compares an accepted domain's MX hosts and DNS records with published standards. */
import * as z from 'zod'
import {
  ConformanceCriterion,
  ConformanceHost,
  DomainConformance,
} from '../../shared/conformance/domain-conformance.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { conformanceLines, countsText } from '../check/conformance/check-conformance.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { formatTime, jsonText, printable } from '../text/format.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const LooseConformance = DomainConformance.extend({
  hosts: z.array(ConformanceHost.loose()),
  criteria: z.array(ConformanceCriterion.loose()),
}).loose()
type Conformance = z.output<typeof LooseConformance>

export const domainConformance = defineCommand({
  positionalUsage: { usage: 'DOMAIN', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: { ...jsonOption },
  details: `
The gateway makes about thirty connections to each of the domain's first three MX hosts, queries DNS, and answers within
25 seconds. The lines are those of "check --conformance"; those about deliveries were measured for the gateway's
version. A host that refuses handshakes may record them as rejections.

Exit status: 1 if a line is FAIL, otherwise 0.
`,
  async run({ values, positionals: [domain = ''], io, api }) {
    const response = await api.get(z.unknown(), `/accepted-domains/${encodeUrlPart(domain)}/conformance`)
    const conformance = parseResponse(LooseConformance, response, 'conformance')
    io.out(values.json ? jsonText(response) : textOf(conformance))
    const hasFailed = conformance.criteria.some(({ verdict }) => verdict === 'FAIL')
    return hasFailed ? exitStatus.failure : exitStatus.ok
  },
})

function textOf({ domain, checkedAt, softwareVersion, hosts, detail, criteria }: Conformance): string {
  const groups = Map.groupBy(criteria, ({ subject, host }) =>
    host === null ? headings[subject] : `${headings[subject]} ${host}`,
  )
  return [
    `${domain}, ${formatTime(checkedAt)}, mailflow ${softwareVersion}`,
    ...(detail === null ? [] : [`No MX host: ${detail}`]),
    ...hosts.map(hostText),
    ...[...groups].flatMap(([heading, results]) => ['', `${heading}:`, ...conformanceLines(results)]),
    '',
    countsText(criteria),
    '',
  ]
    .map(printable)
    .join('\n')
}

const hostText = ({ host, port, state, detail, measuredAt }: Conformance['hosts'][number]): string =>
  `MX host ${host}, port ${port}: ${state} ${formatTime(measuredAt)}${detail === null ? '' : `. ${detail}`}`

const headings = {
  Host: 'TLS of',
  Certificate: 'Certificate of',
  Domain: 'DNS',
  Deliveries: 'Deliveries of this version',
} as const
