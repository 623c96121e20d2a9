/**
 * Haraka with its TLS plugin, a list of domains that it accepts, and its plugin that discards messages. Haraka is not a
 * dependency of the project: a fixed version is installed beside the caches of other tools.
 */
import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Identity } from '../support/pki.ts'
import { freePort } from '../support/process.ts'
import { endWithThisProcess, hostname, type Program, stopProcess } from './mailflow.ts'

export const harakaVersion = '3.3.4'

/** Time until Haraka must send its greeting. */
const timeoutMs = 30_000

const home = join(import.meta.dirname, '../../node_modules/.cache/mailflow-bench/haraka')
const packageFolder = join(home, 'node_modules/Haraka')

/** @throws Error when npm cannot install Haraka */
export async function requireHaraka(print: (line: string) => void): Promise<void> {
  if (installedVersion() === harakaVersion) return
  print(`installing Haraka ${harakaVersion} into ${home}`)
  mkdirSync(home, { recursive: true })
  const flags = [
    '--no-save',
    '--no-package-lock',
    '--omit=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ]
  try {
    await promisify(execFile)('npm', ['install', '--prefix', home, ...flags, `Haraka@${harakaVersion}`], {
      timeout: 300_000,
    })
  } catch (error) {
    throw new Error(`npm cannot install Haraka@${harakaVersion}: ${(error as { stderr?: string }).stderr}`)
  }
}

function installedVersion(): string | null {
  const manifest = join(packageFolder, 'package.json')
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null
}

/** @param nodes number of processes that share the port under a parent, or 0 for a single process */
export async function startHaraka(identity: Identity, nodes: number): Promise<Program> {
  const port = await freePort()
  const folder = configure(identity, port, nodes)
  const child = spawn(process.execPath, [join(packageFolder, 'bin/haraka'), '-c', folder], {
    env: { ...process.env, YES_REALLY_DO_DISCARD: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithThisProcess(child)
  let log = ''
  const appendLog = (text: string) => {
    log = `${log}${text}`.slice(-4000)
  }
  child.stdout?.setEncoding('utf8').on('data', appendLog)
  const stop = async () => {
    await stopProcess(child)
    rmSync(folder, { recursive: true, force: true })
  }
  for (const deadline = performance.now() + timeoutMs; !(await greets(port)); await delay(50)) {
    if (child.exitCode === null && performance.now() < deadline) continue
    await stop()
    throw new Error(`Haraka does not start: ${log.trim()}`)
  }
  child.stdout?.off('data', appendLog).resume()
  return { port, pid: child.pid ?? 0, stop }
}

/** Writes the default configuration of Haraka, with these files changed. */
function configure({ cert, key }: Identity, port: number, nodes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-haraka-'))
  cpSync(join(packageFolder, 'config'), join(folder, 'config'), { recursive: true })
  const files = {
    me: hostname,
    'smtp.ini': `listen=127.0.0.1:${port}\n${nodes > 0 ? `nodes=${nodes}\n` : ''}`,
    'tls.ini': 'key=tls_key.pem\ncert=tls_cert.pem\n',
    'tls_key.pem': key,
    'tls_cert.pem': cert,
    host_list: 'ours.example\n',
    plugins: 'tls\nrcpt_to.in_host_list\nqueue/discard\n',
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, 'config', name), content)
  return folder
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', () => {
      resolve(true)
      socket.end('QUIT\r\n')
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
