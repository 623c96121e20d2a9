/** The server of Python's package aiosmtpd. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Identity } from '../pki.ts'
import { freePort, untilListening } from '../process.ts'
import { type MailServer, refusedRecipient, refusedSender } from './mail-server.ts'
import { readMaildir } from './peers.ts'

/** Debian's own interpreter, which has python3-aiosmtpd. */
const python = '/usr/bin/python3'
const program = join(import.meta.dirname, '../../peers/aiosmtpd-server.py')

/** Returns the reason to skip a test, or false. */
export function missingAiosmtpd(): string | false {
  if (process.env.CI || spawnSync(python, ['-c', 'import aiosmtpd']).status === 0) return false
  return 'aiosmtpd is missing: apt-get install python3-aiosmtpd'
}

export async function startAiosmtpd({ key, cert }: Identity): Promise<MailServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-aiosmtpd-'))
  for (const name of ['new', 'tmp']) mkdirSync(join(folder, 'mail', name), { recursive: true })
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(folder, 'certificate.pem'), cert)
  const ports = { tls: await freePort(), clear: await freePort() }
  const child = spawn(
    python,
    [program, folder, String(ports.tls), String(ports.clear), refusedSender, refusedRecipient],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const ended = new AbortController()
  const exited = once(child, 'exit').then(() => ended.abort())
  await untilListening(ports.clear, ended.signal)
  if (ended.signal.aborted) throw new Error('aiosmtpd has ended')
  return {
    ports,
    lineEnd: '\r\n',
    mailbox: () => readMaildir(join(folder, 'mail')),
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true })
    },
  }
}
