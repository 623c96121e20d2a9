/**
 * Forwards connections to a port of this machine, and holds back each octet of the server for some milliseconds, in
 * place of a network's round trip. Arguments: port, milliseconds. Prints its own port when it listens.
 */
import { type AddressInfo, connect, createServer } from 'node:net'

const [port, delayMs] = process.argv.slice(2).map(Number)

const proxy = createServer({ noDelay: true }, (client) => {
  const server = connect({ port: port ?? 0, host: '127.0.0.1', noDelay: true })
  for (const socket of [client, server]) socket.on('error', () => {})
  // Timers of equal length run in the order in which they were set.
  const later = (work: () => void) => void setTimeout(work, delayMs)
  server.on('data', (octets) => later(() => client.writable && client.write(octets)))
  server.on('close', () => later(() => client.end()))
  client.on('close', () => server.destroy())
  client.pipe(server)
})
proxy.listen(0, '127.0.0.1', () => console.log((proxy.address() as AddressInfo).port))
