/**
 * HTTPS servers on ports of the loopback interface, each in place of port 443 of its own address. This process's
 * sockets are redirected to them. `trust` adds a test's authority to the public roots of this process.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type Server, type Socket } from 'node:net'
import {
  getCACertificates,
  type SecureContextOptions,
  setDefaultCACertificates,
  type TLSSocket,
} from 'node:tls'
import { installTranslation } from '../../infra/local/lambda/nat.ts'
import { listen } from './listen.ts'

export interface PolicyHost {
  /** The address whose port 443 is redirected to the server. */
  address: string
  /** The port on 127.0.0.1. */
  port: number
  requests: { method: string; path: string; host: string; serverName: string; protocol: string }[]
  connections(): number
  stop(): Promise<void>
}

export type ResponseHandler = (request: IncomingMessage, response: ServerResponse) => void

const rules: Record<string, string> = {}
let translating = false
let hosts = 0

export async function startPolicyHost(
  tls: SecureContextOptions,
  answer: ResponseHandler,
): Promise<PolicyHost> {
  const requests: PolicyHost['requests'] = []
  const server = createHttps(tls, (request, response) => {
    const socket = request.socket as TLSSocket & { servername?: string }
    requests.push({
      method: request.method ?? '',
      path: request.url ?? '',
      host: request.headers.host ?? '',
      serverName: socket.servername ?? '',
      protocol: socket.getProtocol() ?? '',
    })
    answer(request, response)
  })
  server.on('tlsClientError', () => {})
  return place(server, requests)
}

/** Starts a host without TLS. */
export function startHostWithoutTls(onConnection: (socket: Socket) => void): Promise<PolicyHost> {
  return place(createTcp(onConnection), [])
}

async function place(server: Server, requests: PolicyHost['requests']): Promise<PolicyHost> {
  if (!translating) installTranslation(rules)
  translating = true
  const { port, connections, stop } = await listen(server)
  hosts += 1
  const address = `127.1.${Math.floor(hosts / 250)}.${1 + (hosts % 250)}`
  redirect(`${address}:443`, port)
  return {
    address,
    port,
    requests,
    connections,
    async stop() {
      delete rules[`${address}:443`]
      await stop()
    },
  }
}

/** Redirects another endpoint, such as `[::1]:443`, to a port of 127.0.0.1. */
export function redirect(from: string, port: number): void {
  rules[from] = `127.0.0.1:${port}`
}

export function trust(...authorities: string[]): void {
  setDefaultCACertificates([...getCACertificates('default'), ...authorities])
}

/** @param fields replace fields of the default policy */
export function policyText(fields: { mode?: string; mx?: string[]; maxAge?: number } = {}): string {
  const { mode = 'enforce', mx = ['mx.partner.example'], maxAge = 604_800 } = fields
  return [
    'version: STSv1',
    `mode: ${mode}`,
    ...mx.map((host) => `mx: ${host}`),
    `max_age: ${maxAge}`,
    '',
  ].join('\r\n')
}

export const plainText =
  (text: string): ResponseHandler =>
  (_, response) => {
    response.setHeader('Content-Type', 'text/plain')
    response.end(text)
  }
