/** The stack, the partners and the connectors of a recording, in this process. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Endpoints } from '../../../infra/local/endpoints.ts'
import { parseOptions } from '../../../infra/local/options.ts'
import { startRunner } from '../../../infra/local/runner.ts'
import { DestinationStandings } from '../../../shared/transport/destination-standings.ts'
import { setUpMailboxServer } from '../../support/local/mailbox-server.ts'
import { Api } from '../../support/local/runner.ts'
import { createSink } from '../sink-server.ts'
import { recorderKey } from './call-recorder.ts'
import { partnerReplyMs } from './latencies.ts'
import type { Route } from './recording.ts'
import type { LoadTarget } from './send-load.ts'

export interface Setup extends LoadTarget {
  readonly endpoints: Endpoints
  /** Messages that the partners' servers have received. */
  received(): number
  stop(): Promise<void>
}

/** Domains to which the route `mx` sends. */
const partnerCount = 20
const domainOf = (index: number) => `partner-${index}.example`

const internalConnector = {
  name: 'Our mail server',
  connectorType: 'OnPremises',
  senderDomains: ['*'],
  senderIpAddresses: ['127.0.0.1'],
  requireTls: false,
}

export async function startSetup(route: Route): Promise<Setup> {
  let received = 0
  let stopSink = async () => {}
  let sinkPort = 0
  const options = parseOptions(['--smtp-port', '0', '--api-port', '0', '--no-demo'])
  if (options === 'Help') throw new Error('unreachable')
  // Without the runner's own settings: the certificate is read as often as in a deployment.
  const settings = { defaultRoute: route === 'ses' ? 'Ses' : 'Mx', certificate: {} }
  const runner = await startRunner(
    { ...options, settings },
    async (authority) => {
      const identity = await authority.issue('mx.partner.example')
      const sink = createSink({
        tls: { cert: identity.certificate, key: identity.privateKey },
        pauseMs: partnerReplyMs,
        onMessage: () => {
          received += 1
        },
      })
      sink.listen(0, '127.0.0.1')
      await once(sink, 'listening')
      sinkPort = (sink.address() as AddressInfo).port
      stopSink = async () => void sink.close()
      return { zone: zoneFor(sinkPort), close: stopSink }
    },
    (line) => process.stderr.write(`${line}\n`),
    new AbortController().signal,
  )
  const { endpoints } = runner
  await setUpConnectors(new Api(endpoints), route, sinkPort)
  if (route === 'mx') await proveDomains(endpoints)
  return {
    endpoints,
    received: () => received,
    sender: route === 'inbound' ? 'a@elsewhere.example' : 'a@ours.example',
    recipientOf: (serial) =>
      route === 'inbound'
        ? `user-${serial % 500}@ours.example`
        : `user-${serial % 500}@${domainOf(serial % partnerCount)}`,
    stop: () => runner.stop(),
  }
}

async function setUpConnectors(api: Api, route: Route, sinkPort: number): Promise<void> {
  const smartHost = { host: '127.0.0.1', port: sinkPort }
  if (route === 'inbound')
    return void (await setUpMailboxServer(api, smartHost, { tlsSettings: 'EncryptionOnly' }))
  await api.create('inbound', internalConnector)
  if (route === 'smart-host')
    await api.create('outbound', {
      name: 'Smart host',
      connectorType: 'OnPremises',
      recipientDomains: ['*'],
      route: 'SmartHosts',
      smartHosts: [smartHost],
      tlsSettings: 'EncryptionOnly',
    })
}

/** Stores that each domain has accepted mail, as after a day of mail. */
async function proveDomains({ dynamodb, tables }: Endpoints): Promise<void> {
  const credentials = { accessKeyId: recorderKey, secretAccessKey: recorderKey }
  const client = new DynamoDBClient({ region: 'us-east-1', credentials, endpoint: dynamodb })
  const standings = new DestinationStandings(DynamoDBDocumentClient.from(client), tables.transport ?? '')
  for (let index = 0; index < partnerCount; index += 1)
    await standings.recordProof(domainOf(index), new Date())
  client.destroy()
}

/** Each partner has its own address, all with the same server. */
function zoneFor(port: number) {
  const addresses = Array.from({ length: partnerCount }, (_, index) => `127.0.1.${index + 1}`)
  const names = addresses.flatMap((address, index) => [
    [domainOf(index), { MX: [[10, `mx.${domainOf(index)}`]] }],
    [`mx.${domainOf(index)}`, { A: [address] }],
  ])
  return {
    names: Object.fromEntries(names),
    ports: Object.fromEntries(addresses.map((address) => [address, `127.0.0.1:${port}`])),
  }
}
