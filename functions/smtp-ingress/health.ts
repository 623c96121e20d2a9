/** The load balancer's health check: whether this task should get new connections. */
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { readProxyHeader } from './connection/proxy.ts'

/** Enough for a load balancer in each zone and an administrator. */
const connectionsAtOnce = 64

const patienceMs = 5000

/**
 * A load balancer with the PROXY protocol also sends its header with health checks. The server skips the header from
 * any address, since no decision here depends on the address.
 * @param reason why the task is unhealthy, or null
 */
export function healthServer(reason: () => string | null): Server {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/health') {
      response.writeHead(404).end('not found\n')
      return
    }
    const fault = reason()
    response.writeHead(fault === null ? 200 : 503, { 'content-type': 'text/plain' }).end(`${fault ?? 'ok'}\n`)
  })
  server.maxConnections = connectionsAtOnce
  const serve = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket) => {
    skipProxyHeader(socket, () => {
      for (const listener of serve) listener.call(server, socket)
    })
  })
  return server
}

function skipProxyHeader(socket: Socket, then: () => void): void {
  let octets: Buffer = Buffer.alloc(0)
  const give = () => socket.destroy()
  const goOn = (rest: Buffer) => {
    socket.off('data', take).off('error', give).setTimeout(0).off('timeout', give)
    socket.unshift(rest)
    then()
  }
  const take = (chunk: Buffer) => {
    octets = Buffer.concat([octets, chunk])
    // An HTTP request never begins with CR.
    if (octets[0] !== 0x0d) return goOn(octets)
    const header = readProxyHeader(octets)
    if ('fault' in header) socket.destroy()
    else if (!('need' in header)) goOn(octets.subarray(header.length))
  }
  socket.on('error', give).setTimeout(patienceMs).on('timeout', give).on('data', take)
}
