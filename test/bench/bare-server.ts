/**
 * smtp-server with the ingress's TLS options and no storage: it reads and discards messages. Takes TLS_PRIVATE_KEY
 * and TLS_CERTIFICATE. Prints its port when it listens.
 */
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { serverTlsOptions } from '../../shared/tls/server-options.ts'

const { TLS_PRIVATE_KEY = '', TLS_CERTIFICATE = '' } = process.env

const server = new SMTPServer({
  ...serverTlsOptions(TLS_PRIVATE_KEY, TLS_CERTIFICATE),
  disabledCommands: ['AUTH'],
  disableReverseLookup: true,
  onData: (stream, _session, answer) => stream.on('end', () => answer()).resume(),
})
server.listen(0, '127.0.0.1', () => console.log((server.server.address() as AddressInfo).port))
