/** The criteria that depend on the customer's DNS and network, not on the server's TLS. Pure. */
import {
  bsiMail,
  type ConformanceResult,
  internetNl,
  mtaSts,
  type Reference,
  tlsReports,
} from './criterion.ts'

const byDns = '`npx mailflow dns DOMAIN` shows it'

const rows: readonly (readonly [id: string, requirement: string, references: Reference[], toDo: string])[] = [
  [
    'dnssec',
    "The domain and its MX hosts' domains are signed (DNSSEC)",
    [internetNl('DNSSEC', 'must'), bsiMail('DNSSEC', 'must')],
    byDns,
  ],
  [
    'dane',
    'TLSA records match the certificate of each MX host',
    [internetNl('DANE', 'must'), bsiMail('DANE', 'must')],
    byDns,
  ],
  [
    'dane-rollover',
    'A second TLSA record permits a rollover',
    [internetNl('DANE rollover', 'optional')],
    byDns,
  ],
  ['mta-sts', 'An MTA-STS policy in mode enforce', [mtaSts('§3', 'optional')], byDns],
  ['tls-rpt', 'A record for TLS reports', [tlsReports('§3', 'optional')], byDns],
  ['spf', 'An SPF record that ends with ~all or -all', [internetNl('SPF, SPF policy', 'must')], byDns],
  [
    'dkim',
    'Mail is signed with DKIM',
    [internetNl('DKIM', 'must')],
    "the organisation's own mail server signs",
  ],
  ['dmarc', 'A DMARC record with quarantine or reject', [internetNl('DMARC, DMARC policy', 'must')], byDns],
  ['ipv6', 'Name servers and MX hosts have IPv6 addresses', [internetNl('IPv6', 'must')], byDns],
  ['caa', 'A CAA record names the authority', [internetNl('CAA', 'should')], byDns],
  [
    'rpki',
    'A route origin authorisation covers the addresses',
    [internetNl('RPKI', 'must')],
    'the owner of the address range publishes it',
  ],
]

export const customerResults: readonly ConformanceResult[] = rows.map(
  ([id, requirement, references, toDo]) => ({
    id,
    requirement,
    references,
    verdict: 'CUSTOMER',
    seen: 'depends on DNS or the network',
    advice: toDo,
  }),
)
