/** The mailboxes behind a deployment: the domain ours.example, and the server that receives its mail. */
import type { Api } from './runner.ts'

interface Server {
  /** Default: 127.0.0.1. */
  host?: string
  port: number
}

/** The connector that routes mail for accepted domains to a server. */
export const mailboxConnector = ({ host = '127.0.0.1', port }: Server, changes: object = {}) => ({
  name: 'our mailboxes',
  connectorType: 'OnPremises',
  allAcceptedDomains: true,
  route: 'SmartHosts',
  smartHosts: [{ host, port }],
  ...changes,
})

/**
 * Accepts mail for ours.example and routes it to the server.
 * @returns the connector's id
 */
export async function setUpMailboxServer(api: Api, server: Server, changes: object = {}): Promise<string> {
  await api.call('PUT', '/accepted-domains/ours.example', {})
  return api.create('outbound', mailboxConnector(server, changes))
}
