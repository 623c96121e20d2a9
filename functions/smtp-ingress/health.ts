/** What the load balancer asks: whether this task should get new connections. */
import { createServer, type Server } from 'node:http'

/** @param reason why not, or null */
export function healthServer(reason: () => string | null): Server {
  return createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/health') {
      response.writeHead(404).end('not found\n')
      return
    }
    const fault = reason()
    response.writeHead(fault === null ? 200 : 503, { 'content-type': 'text/plain' }).end(`${fault ?? 'ok'}\n`)
  })
}
