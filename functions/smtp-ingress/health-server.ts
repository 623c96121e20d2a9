/** Serves the load balancer's health check, which decides whether this task gets new connections. */
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { readProxyHeader } from './connection/proxy-protocol.ts'

/** Enough for a load balancer in each zone and an administrator. */
const maxConnections = 64

const timeoutMs = 5000

/**
 * A load balancer with the PROXY protocol also sends a PROXY header before a health check. The server skips that header
 * from any address, because no decision of the health check depends on the address.
 * @param unhealthyReason returns the reason why the task is unhealthy, or null
 */
export function createHealthServer(unhealthyReason: () => string | null): Server {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/health') {
      response.writeHead(404).end('not found\n')
      return
    }
    const fault = unhealthyReason()
    response.writeHead(fault === null ? 200 : 503, { 'content-type': 'text/plain' }).end(`${fault ?? 'ok'}\n`)
  })
  server.maxConnections = maxConnections
  const httpListeners = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', (socket) => {
    skipProxyHeader(socket, () => {
      for (const listener of httpListeners) listener.call(server, socket)
    })
  })
  return server
}

function skipProxyHeader(socket: Socket, onSkipped: () => void): void {
  let octets: Buffer = Buffer.alloc(0)
  const closeSocket = () => socket.destroy()
  const handOver = (rest: Buffer) => {
    socket.off('data', onData).off('error', closeSocket).setTimeout(0).off('timeout', closeSocket)
    socket.unshift(rest)
    onSkipped()
  }
  const onData = (chunk: Buffer) => {
    octets = Buffer.concat([octets, chunk])
    // A PROXY header begins with CR; the load balancer's HTTP request does not.
    if (octets[0] !== 0x0d) return handOver(octets)
    const header = readProxyHeader(octets)
    if ('fault' in header) socket.destroy()
    else if (!('need' in header)) handOver(octets.subarray(header.length))
  }
  socket.on('error', closeSocket).setTimeout(timeoutMs).on('timeout', closeSocket).on('data', onData)
}
