/** The servers of `npm run bench:client`. */
import { missing } from '../support/peers/peers.ts'
import { createPki } from '../support/pki.ts'
import { serverName } from './client-load.ts'
import { SmtpSink, startDelayProxy } from './client-postfix.ts'
import { type Program, startProgram, tlsEnvironment } from './mailflow.ts'

/** Milliseconds before each reply, in place of a network's round trip. */
export const pauses = [0, 20] as const
export type Pause = (typeof pauses)[number]

/** One server, behind a port for each pause. */
export interface ServerPorts {
  ports: Record<Pause, number>
  /** The authority of the server's certificate, in PEM; null without TLS. */
  ca: string | null
}

/** @throws Error when Postfix is not installed or may not be started */
export async function startClearServer(register: Register): Promise<ServerPorts & { sink: SmtpSink }> {
  const fault = missing('smtp-sink', 'Debian: apt-get install postfix', true)
  if (fault) throw new Error(`${fault}; --only tls needs no Postfix`)
  const sink = register(await SmtpSink.start())
  const proxy = register(await startDelayProxy(sink.port, pauses[1]))
  return { ports: { 0: sink.port, 20: proxy.port }, ca: null, sink }
}

export async function startTlsServers(
  register: Register,
): Promise<{ data: ServerPorts; chunking: ServerPorts }> {
  const pki = await createPki()
  const environment = tlsEnvironment(await pki.issue({ names: [serverName] }))
  const start = async (pauseMs: Pause, extension: string) => {
    const args = [String(pauseMs), extension]
    return register(await startProgram('test/bench/sink.ts', { args, environment })).port
  }
  const startBoth = async (extension: string) => ({
    ports: { 0: await start(0, extension), 20: await start(20, extension) },
    ca: pki.ca,
  })
  return { data: await startBoth(''), chunking: await startBoth('chunking') }
}

export type Register = <T extends Pick<Program, 'stop'>>(program: T) => T
