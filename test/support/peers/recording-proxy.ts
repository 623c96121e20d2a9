/** A proxy between a client and a server that shows which command carried a message. */
import { connect, createServer } from 'node:net'
import { type Listening, listen } from '../listen.ts'

export interface Recording {
  /** All octets of the client, as latin1 text. */
  sent: string
  /** All octets of the server, as latin1 text. */
  received: string
}

export interface RecordingProxy extends Listening {
  /** One for each connection, in order. */
  recordings: Recording[]
}

/** @param port the server's, on the loopback interface */
export async function startRecordingProxy(port: number): Promise<RecordingProxy> {
  const recordings: Recording[] = []
  const listening = await listen(
    createServer((client) => {
      const recording = { sent: '', received: '' }
      recordings.push(recording)
      const server = connect({ port, host: '127.0.0.1' })
      server.on('error', () => client.destroy())
      client.on('data', (octets) => {
        recording.sent += octets.toString('latin1')
      })
      server.on('data', (octets) => {
        recording.received += octets.toString('latin1')
      })
      client.on('close', () => server.destroy())
      client.pipe(server).pipe(client)
    }),
  )
  return { ...listening, recordings }
}

/** The command that carried the content of the session's first message; null when no content was sent. */
export function contentVerb({ sent }: Recording): 'DATA' | 'BDAT' | null {
  const verb = /^(DATA|BDAT \d+(?: LAST)?)\r$/m.exec(sent)?.[1]
  return verb === undefined ? null : verb === 'DATA' ? verb : 'BDAT'
}

/** Whether the server announced CHUNKING (RFC 3030) in the clear. */
export const announcesChunking = ({ received }: Recording): boolean => /^250[- ]CHUNKING\r$/m.test(received)
