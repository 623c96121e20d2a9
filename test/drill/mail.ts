/** The connectors, mail servers and messages of the restore drill. */
import { selfSigned } from '../../infra/local/certificates.ts'
import type { Endpoints } from '../../infra/local/endpoints.ts'
import { type Api, messageIdIn, sendMessage, waitForResult } from '../support/local/runner.ts'
import { type Partner, type PartnerOptions, startPartner } from '../support/smtp-partner.ts'

export interface MailServers {
  /** Accepts all mail for ours.example. */
  mailbox: Partner
  /** Offers no STARTTLS until it comes up. */
  partner: Partner
  /** Closes every connection until it comes up. */
  branch: Partner
  /** Refuses its recipient. */
  shop: Partner
  /** Repairs the partner and the branch. */
  comeUp(): void
  stop(): Promise<void>
}

export async function startMailServers(): Promise<MailServers> {
  const { certificate, privateKey } = await selfSigned('mx.partner.example')
  let isUp = false
  const partnerOptions: PartnerOptions = {}
  const mailbox = await startPartner()
  const partner = await startPartner(partnerOptions)
  const branch = await startPartner({ answer: () => (isUp ? undefined : null) })
  const shop = await startPartner({
    answer: (command) => (command.startsWith('RCPT') ? '550 5.1.1 No such mailbox' : undefined),
  })
  return {
    mailbox,
    partner,
    branch,
    shop,
    comeUp() {
      isUp = true
      partnerOptions.tls = { cert: certificate, key: privateKey }
    },
    stop: async () => {
      await Promise.all([mailbox, partner, branch, shop].map((server) => server.stop()))
    },
  }
}

export const holdingConnector = 'From the bank'

const inbound = [
  {
    name: 'Our server',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    senderIpAddresses: ['127.0.0.1'],
    requireTls: false,
  },
  {
    name: holdingConnector,
    connectorType: 'Partner',
    senderDomains: ['bank.example'],
    onViolation: 'Defer',
  },
  {
    name: 'From the clinic',
    connectorType: 'Partner',
    mode: 'ReportOnly',
    senderDomains: ['clinic.example'],
    tlsSenderCertificateNames: ['mx.clinic.example'],
    restrictDomainsToCertificate: true,
  },
]

const outbound = ({ mailbox, partner, branch, shop }: MailServers) => {
  const via = ({ port }: Partner) => ({ route: 'SmartHosts', smartHosts: [{ host: '127.0.0.1', port }] })
  const to = (name: string, recipientDomains: string[]) => ({
    name,
    connectorType: 'Partner',
    recipientDomains,
  })
  return [
    { name: 'Our mailboxes', connectorType: 'OnPremises', allAcceptedDomains: true, ...via(mailbox) },
    { ...to('To the partner', ['partner.example']), tlsSettings: 'EncryptionOnly', ...via(partner) },
    { ...to('To the branch', ['branch.example', '*.branch.example']), ...via(branch) },
    { ...to('To the shop', ['shop.example']), ...via(shop) },
    {
      ...to('To the vault', ['vault.example']),
      enabled: false,
      route: 'Mx',
      tlsSettings: 'DomainValidation',
      tlsDomain: 'mx.vault.example',
      comment: 'from March',
    },
  ]
}

export async function configure(api: Api, servers: MailServers): Promise<void> {
  await api.call('PUT', '/accepted-domains/ours.example', {})
  await api.call('PUT', '/accepted-domains/sister.example', { comment: 'since 2026' })
  for (const connector of inbound) await api.create('inbound', connector)
  for (const connector of outbound(servers)) await api.create('outbound', connector)
}

interface SentMessage {
  readonly from: string
  readonly to: readonly string[]
  /** The state of each recipient before the restore. */
  readonly states: readonly string[]
}

const messages: readonly SentMessage[] = [
  { from: 'sam@elsewhere.example', to: ['ann@ours.example'], states: ['Delivered'] },
  { from: 'teller@bank.example', to: ['ann@ours.example'], states: ['Deferred'] },
  {
    from: 'teller@bank.example',
    to: ['ann@ours.example', 'ben@ours.example'],
    states: ['Deferred', 'Deferred'],
  },
  { from: 'ann@ours.example', to: ['carol@partner.example'], states: ['Deferred'] },
  { from: 'ann@ours.example', to: ['bob@branch.example'], states: ['Deferred'] },
  {
    from: 'ann@ours.example',
    to: ['ben@ours.example', 'eve@hq.branch.example'],
    states: ['Delivered', 'Deferred'],
  },
  { from: 'ann@ours.example', to: ['unknown@shop.example'], states: ['Bounced'] },
]

/** Copies of a message that a mail server received, by recipient and message number. */
export type Copies = Record<string, { copies: number; haveSentOctets: boolean }>

const contentOf = ({ from, to }: SentMessage, number: number): string =>
  [
    `From: <${from}>`,
    `To: ${to.map((address) => `<${address}>`).join(', ')}`,
    `Subject: message ${number}`,
    '',
    `.The text of message ${number}: \u00e4\u00f6\u00fc`,
    'x'.repeat(900),
    '',
  ].join('\r\n')

/** Sends the messages and waits until each recipient has its expected state. @returns the messages' ids */
export async function sendMessages(endpoints: Endpoints, api: Api): Promise<string[]> {
  const ids: string[] = []
  for (const [number, message] of messages.entries()) {
    const { from, to } = message
    // The ingress reads new connectors once a second.
    const id = await waitForResult(() =>
      sendMessage(endpoints, from, to, contentOf(message, number))
        .then(messageIdIn)
        .catch(() => null),
    )
    ids.push(id)
  }
  for (const [number, id] of ids.entries()) {
    const { recipients } = await api.settled(id)
    const states = Object.fromEntries(recipients.map(({ address, state }) => [address, state]))
    const { to, states: expected } = messages[number] as SentMessage
    for (const [index, address] of to.entries())
      if (states[address] !== expected[index])
        throw new Error(`message ${number} to ${address} is ${states[address]}, not ${expected[index]}`)
  }
  return ids
}

/** One copy with the sent octets for each recipient, except those that bounced. */
export function expectedMessages(): Copies {
  const delivered = messages.flatMap(({ to, states }, number) =>
    to.filter((_, index) => states[index] !== 'Bounced').map((address) => `message ${number} to ${address}`),
  )
  return Object.fromEntries(delivered.map((key) => [key, { copies: 1, haveSentOctets: true }]))
}

/** Counts the copies at all mail servers. DSNs are left out. */
export function receivedMessages({ mailbox, partner, branch, shop }: MailServers): Copies {
  const copies: Copies = {}
  for (const { mail, recipients, content } of [mailbox, partner, branch, shop].flatMap((s) => s.received)) {
    if (mail.startsWith('MAIL FROM:<>')) continue
    const text = content.toString('latin1')
    const number = Number(/^Subject: message (\d+)/m.exec(text)?.[1])
    // SmtpClient sends the characters of the content in UTF-8.
    const sent = Buffer.from(contentOf(messages[number] as SentMessage, number)).toString('latin1')
    const hasSentOctets = withoutAddedFields(text) === sent
    for (const recipient of recipients) {
      const key = `message ${number} to ${/<(.*)>/.exec(recipient)?.[1]}`
      const earlier = copies[key] ?? { copies: 0, haveSentOctets: true }
      copies[key] = {
        copies: earlier.copies + 1,
        haveSentOctets: earlier.haveSentOctets && hasSentOctets,
      }
    }
  }
  return copies
}

/** Removes the fields that the gateway adds, with their continuation lines. */
const withoutAddedFields = (text: string): string =>
  text.replace(/^(?:(?:Authentication-Results|Received-SPF|Received):.*\r\n(?:[ \t].*\r\n)*)+/, '')
