/** The options of commands that look for messages, and the API's parameters that they become. */
import { isIP } from 'node:net'
import type { ApiClient } from '../api/api-client.ts'
import type { Options } from '../command.ts'
import { CommandError, UsageError } from '../command-error.ts'
import { findConnectors } from '../connectors/find-connectors.ts'
import { parseChoice } from '../input/parse-choice.ts'
import { parseDomain } from '../input/parse-domain.ts'
import { parseSize } from '../input/parse-size.ts'

const states = ['Pending', 'Deferred', 'Delivered', 'Bounced', 'Rejected']
const directions = ['Originating', 'Incoming']
const tlsVersions = ['None', 'TLSv1.2', 'TLSv1.3']

export const messageFilterOptions = {
  sender: {
    type: 'string',
    value: 'ADDRESS',
    description: 'an address, a domain without its subdomains, or <> for delivery status notifications',
  },
  recipient: { type: 'string', value: 'ADDRESS', description: 'an address or a domain' },
  domain: { type: 'string', value: 'DOMAIN', description: "the sender's domain or the recipient's" },
  state: { type: 'string', value: 'STATE', description: states.join(', ') },
  direction: {
    type: 'string',
    value: 'DIRECTION',
    description: 'Originating (from the organisation) or Incoming',
  },
  connector: {
    type: 'string',
    value: 'NAME|ID',
    description: 'only messages that this connector was applied to',
  },
  'message-id': {
    type: 'string',
    value: 'ID',
    description: 'the field Message-ID, with or without its angle brackets',
  },
  'client-ip': { type: 'string', value: 'ADDRESS', description: 'IP address of the client that sent it' },
  'min-size': {
    type: 'string',
    value: 'SIZE',
    description: 'at least this size: 10MB, 500KB or a number of octets',
  },
  'tls-version': {
    type: 'string',
    value: 'VERSION',
    description: "of the client's session: None (in the clear), TLSv1.2 or TLSv1.3",
  },
} as const satisfies Options

type Filters = Readonly<Record<keyof typeof messageFilterOptions, string | undefined>>

/** @returns the parameters by name; undefined without the option */
export async function readMessageFilters(filters: Filters, api: ApiClient) {
  const { sender, recipient, domain, state, direction, connector } = filters
  const { 'client-ip': clientIp, 'min-size': minSize, 'tls-version': tlsVersion } = filters
  return {
    sender,
    recipient,
    domain: domain && parseDomain('--domain', domain),
    state: state && parseChoice('--state', state, 'state', states),
    direction: direction && parseChoice('--direction', direction, 'direction', directions),
    connector: connector && (await findConnectorId(api, connector)),
    messageId: filters['message-id'],
    clientIp: clientIp && parseClientIp(clientIp),
    minSize: minSize && parseSize('--min-size', minSize),
    tlsVersion: tlsVersion && parseChoice('--tls-version', tlsVersion, 'TLS version', tlsVersions),
  }
}

function parseClientIp(text: string): string {
  if (isIP(text) !== 0) return text
  throw new UsageError(`--client-ip ${text}: not an IP address`)
}

async function findConnectorId(api: ApiClient, nameOrId: string): Promise<string> {
  const [first, second] = await findConnectors(api, nameOrId)
  if (second === undefined) return first?.connector.id ?? ''
  throw new CommandError(
    `an inbound and an outbound connector have the name "${nameOrId}"; give an id instead`,
    [...[first, second].map((found) => `${found?.connector.id}  ${found?.kind.singular}`)],
  )
}
