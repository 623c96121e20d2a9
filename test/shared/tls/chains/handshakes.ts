/** Real handshakes with a chain on the loopback interface, and what the code under test makes of them. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type SecureVersion, setDefaultCACertificates } from 'node:tls'
import { createTlsService } from '../../../../functions/smtp-ingress/tls/tls-service.ts'
import { clientTlsOptions, establishedTls } from '../../../../shared/net/tls-client.ts'
import {
  certificateFaults,
  isAcceptedCertificate,
  toPresentedCertificate,
} from '../../../../shared/policy/client-certificate.ts'
import { assessServerTls } from '../../../../shared/tls/assess-server-tls.ts'
import { predictCertificateFacts } from '../../../../shared/tls/facts.ts'
import { type HopRequirement, opportunistic } from '../../../../shared/tls/requirement.ts'
import { inbound } from '../../../support/fixtures.ts'
import { host } from '../../../support/hostile-certificates.ts'
import { startTlsServer } from '../../../support/ingress/tls-server.ts'
import { within } from '../../../support/within.ts'
import type { Chain } from './kinds.ts'
import { type Issued, issueLeaf } from './openssl.ts'

export interface Setup {
  trust: 'own' | 'public'
  version: SecureVersion
}

const ingress = await issueLeaf({})
const pemOf = (certificates: readonly Issued[]): string[] => certificates.map(({ cert }) => cert)

/** The options of a peer that uses any certificate, however weak. */
const peerOptions = ({ presented }: Chain, version: SecureVersion) => ({
  key: presented[0]?.key ?? '',
  cert: pemOf(presented).join(''),
  ciphers: 'DEFAULT:@SECLEVEL=0',
  minVersion: version,
  maxVersion: version,
})

export interface ClientResult {
  /** `trusted`, or the connector's faults; `no handshake` or `no certificate` if OpenSSL does not get that far. */
  result: string
  /** Whether the handshake, and the prediction of `explain`, found a public root; null without a certificate. */
  byPublicRoots: { trusted: boolean; predicted: boolean } | null
}

/** The ingress's handshake with a client that presents the chain, and the evaluation by a connector. */
export async function resultAsClient(chain: Chain, { trust, version }: Setup): Promise<ClientResult> {
  const authorities = pemOf(chain.anchors)
  const publicRoots = trust === 'public' ? authorities : [ingress.cert]
  const at = new Date()
  const { cert: certificate, key: privateKey } = ingress
  const server = await startTlsServer(
    createTlsService({ privateKey, certificate, now: () => at, publicRoots }),
  )
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...peerOptions(chain, version),
  })
  socket.on('error', () => {})
  const handshake = await within(10_000, server.next(), 'the handshake')
  socket.destroy()
  server.close()
  if (handshake.kind !== 'Facts') return { result: 'no handshake', byPublicRoots: null }
  const presented = toPresentedCertificate(handshake.facts.clientCertificate, at)
  if (presented === null) return { result: 'no certificate', byPublicRoots: null }
  const connector = inbound({
    tlsSenderCertificateNames: [host],
    certificateAuthorities: trust === 'own' ? authorities : [],
  })
  const faults = certificateFaults(connector, presented)
  assert.equal(isAcceptedCertificate(connector, presented), faults.length === 0)
  const [leaf, ...others] = chain.presented.map(({ cert }) => new X509Certificate(cert))
  assert.ok(leaf)
  const predicted = predictCertificateFacts([leaf, ...others], { publicRoots, at })
  return {
    result: faults.length === 0 ? 'trusted' : plainText(faults.join('; ')),
    byPublicRoots: { trusted: presented.certificate.trusted, predicted: predicted.trusted },
  }
}

/** An outbound handshake with a server that presents the chain, and its assessment. */
export async function resultAsServer(chain: Chain, { trust, version }: Setup): Promise<string> {
  const authorities = pemOf(chain.anchors)
  setDefaultCACertificates(trust === 'public' ? authorities : [])
  const requirement: HopRequirement = {
    ...opportunistic,
    level: 'DomainValidation',
    source: 'Connector',
    names: [host],
    certificateAuthorities: trust === 'own' ? authorities : [],
  }
  const { certificateAuthorities } = requirement
  const server = createServer(peerOptions(chain, version), (socket) => socket.on('error', () => {}))
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({
    port,
    host: '127.0.0.1',
    ...clientTlsOptions(requirement, certificateAuthorities, null),
  })
  try {
    const isConnected = await within(
      10_000,
      once(socket, 'secureConnect').then(
        () => true,
        () => false,
      ),
      'the handshake',
    )
    if (!isConnected) return 'no handshake'
    const tls = establishedTls(socket, certificateAuthorities)
    const fault = assessServerTls(requirement, tls, new Date())
    return fault === null ? 'trusted' : plainText(fault.reply.text)
  } finally {
    socket.destroy()
    server.close()
  }
}

/** The reason without its introduction, and with times replaced. */
const plainText = (text: string): string =>
  text
    .replace(/^Certificate is (not trusted|out of date): /, '')
    .replace(/issued by .*?, which is not trusted \((.*?\)?)\)(?=;|$)/, '$1')
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '<time>')
