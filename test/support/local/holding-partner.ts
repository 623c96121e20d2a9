/** A partner without TLS. It never replies to a message that arrives while the test has set `isHolding`. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { listen } from '../listen.ts'
import { within } from '../within.ts'

export interface HoldingPartner {
  readonly port: number
  /** Every message received completely, in order. */
  readonly received: string[]
  /** Messages answered 250 on a connection that was still open. */
  readonly answered: string[]
  isHolding: boolean
  /** Resolves when this number of messages has arrived while `isHolding` was set. */
  waitForHeld(count: number): Promise<void>
  /** Resolves when this number of connections were closed while their message waited. */
  waitForAbandoned(count: number): Promise<void>
  stop(): Promise<void>
}

export async function startHoldingPartner(): Promise<HoldingPartner> {
  const received: string[] = []
  const answered: string[] = []
  let [held, abandoned] = [0, 0]
  const events = new EventTarget()
  const answer = (socket: Socket, content: string) => {
    if (!socket.writable) return
    answered.push(content)
    socket.write('250 2.0.0 taken\r\n')
  }
  const server = createServer((socket) => {
    serve(socket, (content) => {
      received.push(content)
      if (!partner.isHolding) return answer(socket, content)
      held += 1
      socket.once('close', () => {
        abandoned += 1
        events.dispatchEvent(new Event('change'))
      })
      events.dispatchEvent(new Event('change'))
    })
  })
  const { port, stop } = await listen(server)
  const partner: HoldingPartner = {
    port,
    received,
    answered,
    isHolding: false,
    waitForHeld: async (count) => {
      while (held < count) await within(60_000, once(events, 'change'), `message ${held + 1}`)
    },
    waitForAbandoned: async (count) => {
      while (abandoned < count)
        await within(60_000, once(events, 'change'), `abandoned connection ${abandoned + 1}`)
    },
    stop,
  }
  return partner
}

function serve(socket: Socket, take: (content: string) => void): void {
  let [buffered, inData] = ['', false]
  socket.write('220 mx.holding.example ESMTP\r\n')
  socket.on('data', (octets) => {
    buffered += octets.toString('latin1')
    for (;;) {
      const end = buffered.indexOf(inData ? '\r\n.\r\n' : '\r\n')
      if (end < 0) return
      const part = buffered.slice(0, end)
      buffered = buffered.slice(end + (inData ? 5 : 2))
      if (inData) take(part)
      else socket.write(replyTo(part))
      inData = !inData && part === 'DATA'
    }
  })
}

function replyTo(command: string): string {
  if (command === 'DATA') return '354 go on\r\n'
  return command === 'QUIT' ? '221 2.0.0 bye\r\n' : '250 2.0.0 OK\r\n'
}
