/**
 * A mail server that discards messages, in its own process. Takes TLS_PRIVATE_KEY and TLS_CERTIFICATE, and as its
 * argument the milliseconds before each reply. Prints its port when it listens.
 */
import type { AddressInfo } from 'node:net'
import { createSink } from './sink-server.ts'

const { TLS_PRIVATE_KEY: key = '', TLS_CERTIFICATE: cert = '' } = process.env
const server = createSink({ tls: { key, cert }, pauseMs: Number(process.argv[2] ?? 0) })
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
