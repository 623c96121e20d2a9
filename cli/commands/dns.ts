/** `dns`: what to publish for a domain of ours, and whether it is. */
import { command, jsonOption } from '../command.ts'
import { checkDomain } from '../dns/check-domain.ts'
import { type Result, worst } from '../dns/findings/record-finding.ts'
import { readResolver, readWish } from '../dns/read-options.ts'
import { reportJson, reportText } from '../dns/report.ts'
import { type ExitStatus, exit } from '../faults.ts'
import { jsonText } from '../text/words.ts'

export const dns = command({
  name: 'dns',
  summary: 'Say what to publish in DNS for a domain, from MX to TLSA, and whether it is',
  takes: { shown: 'DOMAIN', least: 1, most: 1 },
  usesApi: true,
  options: {
    host: {
      type: 'string',
      value: 'HOST',
      multiple: true,
      says: "a name in the MX records (the gateway's own); may be repeated",
    },
    'report-address': { type: 'string', value: 'ADDRESS', says: 'who gets reports on TLS' },
    mode: {
      type: 'string',
      value: 'testing|enforce',
      says: "of the MTA-STS policy (the published one's, else testing)",
    },
    'max-age': { type: 'string', value: 'DAYS', says: "of the MTA-STS policy (the published one's, else 7)" },
    egress: {
      type: 'string',
      value: 'ADDRESS|ses',
      multiple: true,
      says: 'an address that mail leaves from, or ses for Amazon SES (ses); may be repeated',
    },
    'dns-server': {
      type: 'string',
      value: 'ADDRESS',
      multiple: true,
      says: "ask this resolver, such as tls://9.9.9.9#dns.quad9.net (the system's); may be repeated",
    },
    ...jsonOption,
  },
  details: `
Nothing is changed. It ends with 3 when a record is missing or different, and with 1 when something could not be found
out. TLSA records count in a signed zone only; whether it is signed shows a resolver that validates, see --dns-server.
`,
  async run({ values, positionals: [domain = ''], world, api }) {
    const wish = readWish(domain, values)
    const resolver = readResolver(values['dns-server'])
    const { plan, findings } = await checkDomain(wish, { api, resolver, now: new Date(world.now()) })
    world.out(values.json ? jsonText(reportJson(plan, findings)) : reportText(plan, findings))
    return statusOf(worst(findings.map(({ result }) => result)))
  },
})

function statusOf(result: Result): ExitStatus {
  if (result === 'MISSING' || result === 'DIFFERENT') return exit.differs
  return result === 'UNKNOWN' ? exit.fault : exit.ok
}
