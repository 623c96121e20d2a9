/** `check exchange-online`: checks whether mail can reach a tenant of Exchange Online without the gateway. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { checkBypass } from '../check/bypass/check-bypass.ts'
import { findingsText } from '../check/findings-text.ts'
import { parseTarget, type Target } from '../check/target.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { parseTenant, type Tenant } from '../exchange-online/tenant-host.ts'
import { jsonText } from '../text/format.ts'

/** A reserved domain, which sends no mail. */
const defaultOtherSender = 'mailflow-check@example.com'
const timeoutMs = 20_000

export const checkExchangeOnline = defineCommand({
  positionalUsage: { usage: 'TENANT', minCount: 1, maxCount: 1 },
  usesApi: false,
  options: {
    domain: {
      type: 'string',
      multiple: true,
      value: 'DOMAIN',
      description: "a domain of the tenant (default: the tenant's .onmicrosoft.com domain); repeatable",
    },
    recipient: {
      type: 'string',
      value: 'ADDRESS',
      description: 'an existing mailbox of the tenant (default: postmaster of the first domain)',
    },
    send: {
      type: 'string',
      value: 'ADDRESS',
      description: 'send a short test message to this mailbox of the tenant, from each sender',
    },
    sender: {
      type: 'string',
      value: 'ADDRESS',
      description: `a sender outside the tenant (default: ${defaultOtherSender})`,
    },
    ca: { type: 'string', value: 'FILE', description: 'also trust the certificate authorities in this file' },
    ...jsonOption,
  },
  details: `
TENANT is the tenant's name (contoso or contoso.onmicrosoft.com) or its host (contoso-com.mail.protection.outlook.com).
Run the command outside your network, from an address that is in no connector, with open port 25.

The command offers a message as a client without a certificate: from the mailbox itself, and from a sender outside the
tenant. A Partner connector with RestrictDomainsToCertificate or RestrictDomainsToIPAddresses refuses both (550 5.7.51).
Reject Direct Send refuses only the first (550 5.7.68). Without --send the session ends after RCPT TO, and no message
is sent; an accepted RCPT TO is then undetermined. A message that is accepted may still be held by a rule of the tenant.

The last line is the verdict. The exit status is 0 for locked, 1 when a line is FAIL, and 3 for undetermined.
`,
  async run({ values, positionals: [text = ''], io }) {
    const tenant = parseTenant(text)
    const domains = domainsOf(values.domain, tenant)
    const recipient = values.send ?? values.recipient ?? `postmaster@${domains[0] ?? ''}`
    if (values.send !== undefined && values.recipient !== undefined)
      throw new UsageError('give --send or --recipient, not both')
    const options = {
      domains,
      recipient: parseAddress(recipient),
      otherSender: parseAddress(values.sender ?? defaultOtherSender),
      sendsMessage: values.send !== undefined,
      serverName: null,
      authorities: values.ca,
      timeoutMs,
    }
    const findings = await checkBypass(targetOf(text, tenant), options, io)
    io.out(values.json ? jsonText(findings) : findingsText(findings))
    if (findings.some(({ result }) => result === 'FAIL')) return exitStatus.failure
    return findings.at(-1)?.result === 'OK' ? exitStatus.ok : exitStatus.differences
  },
})

const targetOf = (text: string, tenant: Tenant | null): Target =>
  tenant === null ? parseTarget(text) : { host: tenant.host, port: 25 }

function domainsOf(given: readonly string[], tenant: Tenant | null): string[] {
  const names = given.length > 0 ? given : tenant?.initialDomain ? [tenant.initialDomain] : []
  if (names.length === 0) throw new UsageError('a host needs --domain DOMAIN, a domain of the tenant')
  return names.map((name) => {
    const domain = normaliseDomain(name)
    if (domain === null) throw new UsageError(`--domain ${name}: not a domain`)
    return domain
  })
}

/** RFC 5322 §3.2.3: a dot-atom, which needs no quoting in a command or a field. */
function parseAddress(text: string): string {
  const at = text.lastIndexOf('@')
  const [local, domain] = [text.slice(0, Math.max(at, 0)), normaliseDomain(text.slice(at + 1))]
  if (domain !== null && /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/.test(local))
    return `${local}@${domain}`
  throw new UsageError(`${text}: not an address such as user@contoso.com`)
}
