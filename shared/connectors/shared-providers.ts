/**
 * Certificate names and networks that a mail provider shares among its customers: every customer can send mail with the
 * name, from the network. The networks are those that send mail, from the provider's list or SPF record. They change, so
 * a network that is not listed may be shared, too. The list does not know the dedicated addresses of single customers.
 */
import { IpRanges } from './ip-ranges.ts'

export interface SharedProvider {
  name: string
  /** Whether `exchangeOnline` can tell its customers apart. */
  isExchangeOnline: boolean
  /** Registered by the provider: it and every name below it are the provider's hosts. */
  domains: readonly string[]
  networks: readonly string[]
}

export const sharedProviders: readonly SharedProvider[] = [
  {
    // Rows of port 25 in https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges, and in the
    // lists for GCC High, DoD and 21Vianet (China) beside it. The hosts: *.mail.protection.outlook.com, *.mx.microsoft,
    // *.protection.office365.us, *.protection.apps.mil, *.mail.protection.partner.outlook.cn.
    name: 'Exchange Online',
    isExchangeOnline: true,
    // Its certificate also has mail.messaging.microsoft.com
    // (https://learn.microsoft.com/archive/blogs/eopfieldnotes/tls-connectors-and-you). pamx1.hotmail.com: its MX hosts.
    domains: [
      ...['outlook.com', 'mx.microsoft', 'messaging.microsoft.com', 'pamx1.hotmail.com'],
      ...['office365.us', 'protection.apps.mil', 'outlook.cn'],
    ],
    networks: [
      ...['40.92.0.0/15', '40.107.0.0/16', '52.100.0.0/14', '104.47.0.0/17'],
      ...['2a01:111:f400::/48', '2a01:111:f403::/48'],
      ...['23.103.191.0/24', '23.103.199.0/24', '23.103.204.0/22', '23.103.208.0/22'],
      ...['2001:489a:2202::/62', '2001:489a:2202:4::/62', '2001:489a:2202:8::/62'],
      ...['2001:489a:2202:c::/62', '2001:489a:2202:2000::/63'],
      ...['42.159.33.192/27', '42.159.36.0/24', '42.159.161.192/27', '42.159.164.0/24'],
      ...['139.219.16.0/27', '139.219.17.0/24', '139.219.24.0/22', '139.219.145.0/27'],
      ...['139.219.146.0/24', '139.219.156.0/22'],
      ...['2406:e500:4440::/43', '2406:e500:c020::/44', '2406:e500:c120::/44'],
    ],
  },
  {
    // https://support.google.com/a/answer/60764: the SPF record _spf.google.com, and the networks of forwarded mail.
    name: 'Google Workspace',
    isExchangeOnline: false,
    domains: ['google.com', 'googlemail.com', 'gmail.com', '1e100.net'],
    networks: [
      ...['35.190.247.0/24', '64.233.160.0/19', '66.102.0.0/20', '66.249.80.0/20', '72.14.192.0/18'],
      ...['74.125.0.0/16', '108.177.8.0/21', '173.194.0.0/16', '209.85.128.0/17', '216.58.192.0/19'],
      ...['216.239.32.0/19', '172.217.0.0/19', '172.217.32.0/20', '172.217.128.0/19', '172.217.160.0/20'],
      ...['172.217.192.0/19', '172.253.56.0/21', '172.253.112.0/20', '108.177.96.0/19', '35.191.0.0/16'],
      ...['130.211.0.0/22', '108.177.16.0/23', '142.250.220.0/23'],
      ...['2001:4860:4000::/36', '2404:6800:4000::/36', '2607:f8b0:4000::/36', '2800:3f0:4000::/36'],
      ...['2a00:1450:4000::/36', '2c0f:fb50:4000::/36', '2600:1901:101::/48'],
    ],
  },
  {
    // https://aws.amazon.com/blogs/messaging-and-targeting/amazon-ses-ip-addresses/: the SPF record amazonses.com.
    name: 'Amazon SES',
    isExchangeOnline: false,
    domains: ['amazonses.com'],
    networks: [
      ...['199.255.192.0/22', '199.127.232.0/22', '54.240.0.0/17', '69.169.224.0/20', '23.249.208.0/20'],
      ...['23.251.224.0/19', '76.223.176.0/20', '76.223.128.0/19', '216.221.160.0/19', '206.55.144.0/20'],
      '24.110.64.0/18',
    ],
  },
  {
    // The SPF record sendgrid.net, which https://sendgrid.com/docs/glossary/spf/ tells customers to include.
    name: 'SendGrid',
    isExchangeOnline: false,
    domains: ['sendgrid.net'],
    networks: [
      ...['167.89.0.0/17', '208.117.48.0/20', '50.31.32.0/19', '198.37.144.0/20', '198.21.0.0/21'],
      ...['192.254.112.0/20', '168.245.0.0/17', '149.72.0.0/16'],
    ],
  },
  {
    // The SPF record mailgun.org and the records that it includes.
    name: 'Mailgun',
    isExchangeOnline: false,
    domains: ['mailgun.org', 'mailgun.net'],
    networks: [
      ...['209.61.151.0/24', '166.78.68.0/22', '198.61.254.0/23', '192.237.158.0/23', '23.253.182.0/23'],
      ...['104.130.96.0/28', '104.130.122.0/23', '146.20.113.0/24', '146.20.191.0/24', '146.20.112.0/26'],
      ...['159.135.224.0/20', '69.72.32.0/20', '161.38.192.0/20', '143.55.224.0/21', '143.55.232.0/22'],
      ...['159.112.240.0/20', '198.244.48.0/20', '141.193.32.0/23'],
    ],
  },
  // Their hosts serve many customers. Their lists of networks are per region and customer, so only the names are here.
  { name: 'Proofpoint', isExchangeOnline: false, domains: ['pphosted.com', 'ppe-hosted.com'], networks: [] },
  { name: 'Mimecast', isExchangeOnline: false, domains: ['mimecast.com'], networks: [] },
]

/**
 * @param pattern a host name, or `*.` and a domain
 * @returns the provider that owns the matching names
 */
export function providerOfName(pattern: string): SharedProvider | null {
  const name = pattern.replace(/^\*\./, '')
  const isProviders = (domain: string) => name === domain || name.endsWith(`.${domain}`)
  return sharedProviders.find(({ domains }) => domains.some(isProviders)) ?? null
}

const byNetwork = new IpRanges(
  sharedProviders.flatMap((provider) => provider.networks.map((network) => [network, provider] as const)),
)

export const isSharedAddress = (ip: string): boolean => byNetwork.has(ip)

/** @returns the provider of which some network has an address of the range */
export const providerOfRange = (range: string): SharedProvider | null => byNetwork.overlapping(range)
