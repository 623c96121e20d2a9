/** A port of the loopback interface whose connections are never answered, not even with a refusal. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { within } from './within.ts'

export interface BlackHole {
  port: number
  stop(): Promise<void>
}

/** Listens and then sleeps forever. The kernel queues at most two connections for the port. */
const sleeper = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
  })`

/** Fills the port's queue: of the four connections, the kernel queues at most two. It drops all others. */
export async function startBlackHole(): Promise<BlackHole> {
  const worker = new Worker(sleeper, { eval: true })
  const [port] = (await once(worker, 'message')) as [number]
  const fillers: Socket[] = [0, 1, 2, 3].map(() => connect(port, '127.0.0.1').on('error', () => {}))
  let connected = 0
  const full = new Promise<void>((resolve) => {
    for (const socket of fillers)
      socket.once('connect', () => {
        connected += 1
        if (connected === 2) resolve()
      })
  })
  await within(10_000, full, 'two connections')
  return {
    port,
    async stop() {
      for (const socket of fillers) socket.destroy()
      await worker.terminate()
    },
  }
}
