/** Starts `sink.ts`, a mail server in its own process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { firstLine } from '../support/process.ts'

export interface SinkProcess {
  port: number
  stop(): Promise<void>
}

/** @param pauseMs milliseconds before each reply */
export async function startSink(
  { cert, key }: { cert: string; key: string },
  pauseMs: number,
): Promise<SinkProcess> {
  const sink = spawn(process.execPath, ['test/bench/sink.ts', String(pauseMs)], {
    env: { ...process.env, TLS_CERTIFICATE: cert, TLS_PRIVATE_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return {
    port: Number(await firstLine(sink)),
    async stop() {
      sink.kill('SIGTERM')
      await once(sink, 'exit')
    },
  }
}
