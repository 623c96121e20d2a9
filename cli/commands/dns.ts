/** `dns`: shows the DNS records to publish for an accepted domain, and checks the published ones. */

import { type Result, worstResult } from '../../shared/domain-records/findings/record-finding.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { type ExitStatus, exitStatus } from '../command-error.ts'
import { checkDomain } from '../dns/check-domain.ts'
import { readDnsOptions, readResolver } from '../dns/read-options.ts'
import { reportJson, reportText } from '../dns/report.ts'
import { jsonText } from '../text/format.ts'

export const dns = defineCommand({
  positionalUsage: { usage: 'DOMAIN', minCount: 1, maxCount: 1 },
  usesApi: true,
  options: {
    host: {
      type: 'string',
      value: 'HOST',
      multiple: true,
      description: "a host in the MX records (default: the gateway's host name); may be repeated",
    },
    'report-address': {
      type: 'string',
      value: 'ADDRESS',
      description: 'the address for TLS reports (TLS-RPT; default: tls-reports@DOMAIN)',
    },
    mode: {
      type: 'string',
      value: 'testing|enforce',
      description: 'mode of the MTA-STS policy (default: as published, else testing)',
    },
    'max-age': {
      type: 'string',
      value: 'DAYS',
      description: 'max_age of the MTA-STS policy (default: as published, else 7)',
    },
    egress: {
      type: 'string',
      value: 'ADDRESS|ses',
      multiple: true,
      description: 'an IP address that sends mail, or ses for Amazon SES (default: ses); may be repeated',
    },
    'dkim-selector': {
      type: 'string',
      value: 'NAME',
      multiple: true,
      description: 'a DKIM selector to check, such as tlsReporting.dkim.selector; may be repeated',
    },
    'dns-server': {
      type: 'string',
      value: 'ADDRESS',
      multiple: true,
      description: "resolver, such as tls://9.9.9.9#dns.quad9.net (default: the system's); may be repeated",
    },
    ...jsonOption,
  },
  details: `
The command changes nothing. The exit status is 3 when a record is missing or different, else 1 when something could
not be checked, for example because DNS did not answer. ADVICE has no effect on it, nor has UNKNOWN for CAA, DNSSEC,
IPv6 and unnamed DKIM keys. Senders use TLSA records only in a signed zone. Only a validating resolver (--dns-server)
shows whether a zone is signed.
`,
  async run({ values, positionals: [domain = ''], io, api }) {
    const settings = readDnsOptions(domain, values)
    const resolver = readResolver(values['dns-server'])
    const { plan, findings } = await checkDomain(settings, { api, resolver, now: new Date(io.now()) })
    io.out(values.json ? jsonText(reportJson(plan, findings)) : reportText(plan, findings))
    return statusOf(worstResult(findings))
  },
})

function statusOf(result: Result): ExitStatus {
  if (result === 'MISSING' || result === 'DIFFERENT') return exitStatus.differences
  return result === 'UNKNOWN' ? exitStatus.failure : exitStatus.ok
}
