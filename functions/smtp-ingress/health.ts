/** What the load balancer asks: whether this task should get new connections. */
import { createServer, type Server } from 'node:http'

/** Those of a load balancer in each zone, and of a person who looks. */
const connectionsAtOnce = 64

/** @param reason why not, or null */
export function healthServer(reason: () => string | null | Promise<string | null>): Server {
  const server = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/health') {
      response.writeHead(404).end('not found\n')
      return
    }
    const fault = await reason()
    response.writeHead(fault === null ? 200 : 503, { 'content-type': 'text/plain' }).end(`${fault ?? 'ok'}\n`)
  })
  server.maxConnections = connectionsAtOnce
  return server
}
