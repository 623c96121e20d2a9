/** Servers on free ports of the loopback interface. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export interface Listening {
  port: number
  /** `http://127.0.0.1:port` */
  url: string
  /** The number of connections so far. */
  connections(): number
  /** The number of open connections. */
  open(): number
  /** Ends the server and its connections. */
  stop(): Promise<void>
}

export async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    open: () => sockets.size,
    async stop() {
      for (const socket of sockets) socket.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Starts a server that accepts connections and never sends data. */
export const listenSilently = (): Promise<Listening> => listen(createServer())
