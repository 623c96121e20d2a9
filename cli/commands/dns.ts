/** `dns`: what to publish for a domain of ours, and whether it is. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { PublishedCertificate } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { type ApiClient, escaped } from '../api/client.ts'
import { Refusal } from '../api/problem.ts'
import { command, jsonOption } from '../command.ts'
import { type Result, worst } from '../dns/check.ts'
import { factsOf } from '../dns/facts.ts'
import { judge } from '../dns/judge.ts'
import { planOf, policyAddress, ses, type Wish, zoneOf } from '../dns/plan.ts'
import { reportText } from '../dns/report.ts'
import { type ExitStatus, exit, Fault, UsageFault } from '../faults.ts'
import { jsonText } from '../text/words.ts'

/** What is read of it; a gateway of another version may say more. */
const Published = z.object({ hostname: z.string(), certificates: z.array(PublishedCertificate.loose()) })

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
  async run({ values, positionals: [text = ''], world, api }) {
    const domain = normaliseDomain(text)
    if (domain === null) throw new UsageFault(`"${text}" is not a domain`)
    const named = values.host.map(hostOf)
    const wish = {
      domain,
      mode: modeOf(values.mode),
      maxAge: maxAgeOf(values['max-age']),
      reportAddress: addressOf(values['report-address']),
      egress: values.egress.length > 0 ? values.egress.map(egressOf) : [ses],
    }
    const resolver = resolverOf(values['dns-server'])
    const published = await orNull(api.get(Published, '/certificates'))
    const accepted = await isAccepted(api, domain)
    const hosts = named.length > 0 ? [...new Set(named)] : published === null ? [] : [published.hostname]
    if (hosts.length === 0)
      throw new Fault('the gateway has not published its certificates yet, so its name is not known', [
        'Say which name the MX records have: --host HOST.',
      ])
    const whole: Wish = { ...wish, hosts }
    const facts = await factsOf(whole, resolver)
    const served = facts.policy.kind === 'Policy' ? facts.policy.policy : null
    const plan = planOf(whole, published?.certificates ?? null, served)
    const checks = judge(plan, facts, accepted, new Date(world.now()))
    if (values.json)
      world.out(
        jsonText({
          domain,
          hosts,
          records: zoneOf(plan),
          policy: { url: policyAddress(domain), text: plan.policy.text, id: plan.policy.id },
          checks,
        }),
      )
    else world.out(reportText(plan, checks))
    return statusOf(checks.map(({ result }) => result))
  },
})

function statusOf(results: readonly Result[]): ExitStatus {
  const result = worst(results)
  if (result === 'MISSING' || result === 'DIFFERENT') return exit.differs
  return result === 'UNKNOWN' ? exit.fault : exit.ok
}

function hostOf(text: string): string {
  const host = normaliseDomain(text)
  if (host === null) throw new UsageFault(`--host ${text}: not the name of a host`)
  return host
}

function modeOf(text: string | undefined): Wish['mode'] {
  if (text === undefined || text === 'testing' || text === 'enforce') return text ?? null
  throw new UsageFault(`--mode ${text}: the modes are testing and enforce`)
}

/** RFC 8461 §3.2: a year at most. */
const mostDays = 365

function maxAgeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= mostDays) return days * daySeconds
  throw new UsageFault(`--max-age ${text}: not a number of days from 1 to ${mostDays}`)
}

function addressOf(text: string | undefined): string | null {
  if (text === undefined) return null
  if (domainOf(text) === null || text.startsWith('@'))
    throw new UsageFault(`--report-address ${text}: not a mail address`)
  return text
}

function egressOf(text: string): string {
  if (text !== ses && isIP(text) === 0)
    throw new UsageFault(`--egress ${text}: neither an IP address nor ${ses}`)
  return text
}

function resolverOf(servers: readonly string[]) {
  try {
    return createResolver(servers)
  } catch (error) {
    if (servers.length > 0) throw new UsageFault(`--dns-server: ${errorMessage(error)}`)
    throw new Fault(`the resolver of this machine cannot be asked: ${errorMessage(error)}`, [
      'Name one by --dns-server.',
    ])
  }
}

async function isAccepted(api: ApiClient, domain: string): Promise<boolean> {
  return (await orNull(api.get(z.unknown(), `/accepted-domains/${escaped(domain)}`))) !== null
}

/** Null for what is not there. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Refusal && error.status === 404) return null
    throw error
  }
}
