/** The mail of the proof: who sends it, from where, over which session, to whom. The same seed plans the same mail. */
import { Random } from '../../support/random.ts'

/** A client: its address, its TLS, and the name of its certificate. */
export interface Client {
  ip: string
  tls: 'None' | 'TLSv1.2' | 'TLSv1.3'
  certificate?: CertificateName
}

export const certificateNames = [
  'contoso',
  'contosoOwnAuthority',
  'contosoSelfSigned',
  'contosoExpired',
  'contosoWildcard',
  'ourServer',
  'exchangeOnline',
] as const
export type CertificateName = (typeof certificateNames)[number]

export interface PlannedMail {
  number: number
  client: Client
  /** The reverse path; its local part, or that of the recipients, has the number. */
  sender: string
  recipients: string[]
  /** The domain of From:. */
  author: string
  /** The value of X-MS-Exchange-CrossTenant-Id. */
  tenantId?: string
}

export const ourTenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'
export const otherTenant = '00000000-1111-2222-3333-444444444444'
export const reportAddress = 'tls-reports@ours.example'
export const gatewayPostmaster = 'postmaster@mail.example.com'

export const accepted = ['ours.example', 'second.example']
/** Domains of next hops that behave as setup.ts says. */
export const elsewhere = [
  'plain.example',
  'good.example',
  'strange.example',
  'tls12.example',
  'misnamed.example',
  'privateca.example',
  'refusing.example',
  'temporary.example',
  'double.example',
  'nomail.example',
] as const

/** What a group of clients sends, and how often. */
interface Group {
  weight: number
  clients: Client[]
  senders: string[]
  recipients: 'Accepted' | 'Elsewhere' | 'Any'
}

const over = (ip: string, tls: Client['tls'], certificate?: CertificateName): Client => ({
  ip,
  tls,
  ...(certificate && { certificate }),
})

const groups: Group[] = [
  {
    weight: 26,
    clients: [
      over('127.0.0.2', 'None'),
      over('127.0.0.2', 'TLSv1.2'),
      over('127.0.0.3', 'TLSv1.3'),
      over('127.0.0.5', 'None'),
    ],
    senders: [
      'unknown.example',
      'fabrikam.example',
      'bank.example',
      'mail.contoso.example',
      '',
      '[192.0.2.1]',
    ],
    recipients: 'Accepted',
  },
  {
    weight: 26,
    clients: [
      over('127.0.0.2', 'TLSv1.3', 'contoso'),
      over('127.0.0.5', 'TLSv1.2', 'contoso'),
      over('127.0.0.2', 'TLSv1.3', 'contosoWildcard'),
      over('127.0.0.2', 'TLSv1.3', 'contosoOwnAuthority'),
      over('127.0.0.3', 'TLSv1.3', 'contosoSelfSigned'),
      over('127.0.0.2', 'TLSv1.3', 'contosoExpired'),
      over('127.0.0.2', 'TLSv1.3'),
      over('127.0.0.2', 'None'),
    ],
    senders: ['contoso.example', 'contoso.example', 'contoso.example', 'mail.contoso.example'],
    recipients: 'Accepted',
  },
  {
    weight: 30,
    clients: [
      over('127.0.0.2', 'TLSv1.3', 'ourServer'),
      over('127.0.0.3', 'TLSv1.2', 'ourServer'),
      over('127.0.0.4', 'None'),
      over('127.0.0.4', 'TLSv1.3'),
    ],
    senders: ['ours.example', 'ours.example', 'second.example', ''],
    recipients: 'Elsewhere',
  },
  {
    weight: 12,
    clients: [over('127.0.0.6', 'TLSv1.3', 'exchangeOnline')],
    senders: ['ours.example', 'unknown.example', ''],
    recipients: 'Any',
  },
  {
    weight: 6,
    clients: [
      over('127.0.0.2', 'None'),
      over('127.0.0.5', 'TLSv1.3'),
      over('127.0.0.2', 'TLSv1.3', 'contoso'),
    ],
    senders: ['ours.example', 'unknown.example', 'contoso.example'],
    recipients: 'Elsewhere',
  },
]

export const planMail = (count: number, seed: number): PlannedMail[] => {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, number) => plan(number, random))
}

function plan(number: number, random: Random): PlannedMail {
  const group = groupOf(random)
  const client = random.of(group.clients)
  const domain = random.of(group.senders)
  const sender = domain === '' ? '' : `m${number}@${domain}`
  const author = random.happens(0.2)
    ? 'contoso.example'
    : domain === '' || domain.startsWith('[')
      ? 'unknown.example'
      : domain
  return {
    number,
    client,
    sender,
    recipients: recipientsOf(number, sender, group, random),
    author,
    ...(client.certificate === 'exchangeOnline' && tenantOf(random)),
  }
}

function groupOf(random: Random): Group {
  let remainder = random.number() * groups.reduce((sum, { weight }) => sum + weight, 0)
  for (const group of groups) {
    remainder -= group.weight
    if (remainder < 0) return group
  }
  return groups[0] as Group
}

function tenantOf(random: Random): { tenantId?: string } {
  const tenantId = random.of([ourTenant, ourTenant, otherTenant, undefined])
  return tenantId === undefined ? {} : { tenantId }
}

/** Special recipients have no number, so their sender has one. */
function recipientsOf(number: number, sender: string, { recipients }: Group, random: Random): string[] {
  if (sender !== '' && recipients === 'Accepted' && random.happens(0.06))
    return [random.of([gatewayPostmaster, reportAddress])]
  const domains = { Accepted: accepted, Elsewhere: elsewhere, Any: [...accepted, ...elsewhere] }[recipients]
  const count = random.happens(0.15) ? 2 : 1
  return Array.from({ length: count }, (_, index) => `r${number}x${index}@${random.of<string>(domains)}`)
}

/** The number of the mail, from one of its addresses. */
export function numberIn(sender: string | undefined, recipient: string | undefined): number | null {
  const [, digits] = /^m(\d+)@/.exec(sender ?? '') ?? /^r(\d+)x\d+@/.exec(recipient ?? '') ?? []
  return digits === undefined ? null : Number(digits)
}

export const contentOf = ({ author, tenantId, number }: PlannedMail): string =>
  [
    ...(tenantId === undefined ? [] : [`X-MS-Exchange-CrossTenant-Id: ${tenantId}`]),
    `From: <author@${author}>`,
    'To: <list@ours.example>',
    `Subject: mail ${number}`,
    `Message-ID: <${number}.${Math.random().toString(36).slice(2)}@${author}>`,
    '',
    'text',
    '',
  ].join('\r\n')
