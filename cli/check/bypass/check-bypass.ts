/**
 * `npx mailflow check exchange-online TENANT`: checks whether mail can reach a tenant of Exchange Online without the
 * gateway. `probe-sender.ts` offers messages; `assess-bypass.ts` assesses the replies.
 */
import type { Io } from '../../command.ts'
import { type CheckOptions, checkServer } from '../check-tls.ts'
import { hostAddresses, mxHostsOf } from '../facts/host-addresses.ts'
import { type Check, type Finding, ok, warn } from '../findings/finding.ts'
import type { Target } from '../target.ts'
import { bypassFindings, type SenderProbe } from './assess-bypass.ts'
import { probeSender } from './probe-sender.ts'

export interface BypassOptions extends CheckOptions {
  /** The tenant's domains whose MX records are shown. */
  readonly domains: readonly string[]
  /** An address of the tenant. It is also the sender in a domain of the tenant. */
  readonly recipient: string
  /** A sender outside the tenant. */
  readonly otherSender: string
  readonly sendsMessage: boolean
}

/** Checks of the server that are shown when they have no fault. */
const shownChecks: readonly Check[] = ['address', 'connection', 'starttls', 'protocol', 'trust', 'name']

/** @throws CommandError when the file of authorities cannot be read; every fault of the server is a finding */
export async function checkBypass(target: Target, options: BypassOptions, io: Io): Promise<Finding[]> {
  const serverFindings = await checkServer(target, options, io)
  const mxFindings = await Promise.all(options.domains.map((domain) => mxFinding(domain, options.timeoutMs)))
  return [
    ...mxFindings,
    ...serverFindings.filter(({ check, result }) => result === 'FAIL' || shownChecks.includes(check)),
    ...bypassFindings(await probeSenders(target, options, io)),
  ]
}

async function mxFinding(domain: string, timeoutMs: number): Promise<Finding> {
  const hosts = await mxHostsOf(domain, timeoutMs)
  if (hosts.length === 0) return warn('mx', 'no MX record found', 'check the name of the domain', domain)
  const tenantHost = hosts.find((host) =>
    /\.(outlook\.com|mx\.microsoft|office365\.us|outlook\.cn)\.?$/i.test(host),
  )
  return tenantHost === undefined
    ? ok('mx', `mail goes to ${hosts.join(', ')}`, domain)
    : warn(
        'mx',
        `mail goes straight to Exchange Online: ${tenantHost}`,
        'while the MX record names Exchange Online, every sender reaches it: point the record at the gateway',
        domain,
      )
}

/** One after another: the second session of one address at a time may be refused. */
async function probeSenders(target: Target, options: BypassOptions, io: Io): Promise<SenderProbe[]> {
  const { recipient, otherSender, sendsMessage, timeoutMs } = options
  const addresses = await hostAddresses(target.host, timeoutMs)
  const ip = addresses.kind === 'Found' ? addresses.ips[0] : target.host
  const probes: SenderProbe[] = []
  for (const sender of [recipient, otherSender]) {
    const outcome =
      ip === undefined || addresses.kind === 'Failed'
        ? ({ kind: 'Failed', cause: 'the host has no address' } as const)
        : await probeSender(
            { ...target, ip },
            { sender, recipient, sendsMessage, timeout: timeoutMs, at: new Date(io.now()) },
          )
    probes.push({ sender, isOwn: sender === recipient, outcome })
  }
  return probes
}
