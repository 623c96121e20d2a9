/**
 * A mail server that discards messages, in its own process. Takes TLS_PRIVATE_KEY and TLS_CERTIFICATE, and as its
 * arguments the milliseconds before each reply, and `chunking` to announce CHUNKING. Prints its port when it listens.
 */
import type { AddressInfo } from 'node:net'
import { createSink } from './sink-server.ts'

const { TLS_PRIVATE_KEY: key = '', TLS_CERTIFICATE: cert = '' } = process.env
const [pauseMs = '0', chunking] = process.argv.slice(2)
const server = createSink({
  tls: { key, cert },
  pauseMs: Number(pauseMs),
  hasChunking: chunking === 'chunking',
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
