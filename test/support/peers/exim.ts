/**
 * Exim on the loopback interface, as a server and as a client. Debian cannot install it beside Postfix, so its packages
 * are unpacked into node_modules/.cache/exim: `node test/support/peers/exim.ts`, or on first use in CI.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { eventually } from '../eventually.ts'
import type { Identity } from '../pki.ts'
import { freePort } from '../process.ts'

const cache = join(import.meta.dirname, '../../../node_modules/.cache/exim')
const program = join(cache, 'exim')
const packages = ['exim4-daemon-light', 'libidn12']

/** The user and group of Exim, which every Debian has. */
const eximUser = { name: 'mail', id: 8 }

/** Returns the reason to skip Exim's tests, or false. In CI, no test is skipped. */
export function missingExim(): string | false {
  if (process.env.CI) {
    if (!isInstalled()) install()
    return false
  }
  if (!isInstalled()) return 'exim is not unpacked (node test/support/peers/exim.ts)'
  return userInfo().uid === 0 ? false : 'exim starts as root only'
}

const isInstalled = (): boolean => globSync(program).length > 0

/** @throws Error when a package cannot be downloaded */
function install(): void {
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  execFileSync('apt-get', ['download', '-qq', ...packages], { cwd: cache, stdio: 'inherit' })
  for (const file of globSync(join(cache, '*.deb'))) execFileSync('dpkg-deb', ['-x', file, cache])
  // Debian's Exim does not start without its user, whose name is compiled in. The package would create the user.
  const compiledName = 'Debian-exim\0'
  const octets = readFileSync(join(cache, 'usr/sbin/exim4'))
  const at = octets.indexOf(compiledName)
  if (at < 0) throw new Error('exim4 does not contain the name of its user')
  octets.write(eximUser.name.padEnd(compiledName.length, '\0'), at, 'latin1')
  writeFileSync(program, octets, { mode: 0o755 })
}

export interface EximOptions {
  /** The domain whose mail Exim accepts, at `mx.` of the domain. */
  domain: string
  /** When absent, STARTTLS is not offered. */
  tls?: Identity
  /** Port of the loopback address that gets the mail of all other domains, over TLS. */
  nextHopPort?: number
  /** Further options, for example `chunking_advertise_hosts`, which is empty without CHUNKING. */
  settings?: Record<string, string>
}

export class Exim {
  readonly port: number
  readonly #folder: string
  readonly #daemon: ChildProcess

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
    this.#daemon = spawn(program, ['-C', join(folder, 'exim.conf'), '-bdf'], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  static async start(options: EximOptions): Promise<Exim> {
    const port = await freePort()
    const exim = new Exim(configure(options, port), port)
    try {
      await exim.logged(/daemon started/)
      return exim
    } catch (error) {
      await exim.stop()
      throw error
    }
  }

  /**
   * The lines of Exim's log so far. `<=` is a message received, `=>` delivered, `**` bounced, `==` deferred. ` K ` in a
   * line says that CHUNKING was used.
   */
  get log(): string[] {
    try {
      return readFileSync(join(this.#folder, 'log/mainlog'), 'utf8').split('\n')
    } catch {
      return []
    }
  }

  /** Returns the first line of the log, past or future, that matches. */
  async logged(pattern: RegExp): Promise<string> {
    const find = () => this.log.find((line) => pattern.test(line))
    await eventually(() => find() !== undefined, `Exim logs ${pattern}`).catch((error) => {
      throw new Error(`${error.message}:\n${this.log.join('\n')}`)
    })
    return find() ?? ''
  }

  /** Returns the messages in the mailbox, with LF as line end. */
  mailbox(): string[] {
    const files = globSync('mail/new/*', { cwd: this.#folder }).sort()
    return files.map((file) => readFileSync(join(this.#folder, file), 'latin1'))
  }

  /**
   * Submits a message. Resolves after Exim's first attempt to deliver it; `log` has the result.
   * @param content with LF as line end
   */
  async send(from: string, recipients: readonly string[], content: string): Promise<void> {
    const args = ['-C', join(this.#folder, 'exim.conf'), '-odi', '-oi', '-f', from, ...recipients]
    const child = execFile(program, args, { env: environment() })
    const exited = once(child, 'exit')
    child.stdin?.end(content)
    await exited
  }

  async stop(): Promise<void> {
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) {
      const exited = once(this.#daemon, 'exit')
      this.#daemon.kill()
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The folder of libidn, which Exim's own processes need too (`keep_environment`). */
function environment(): NodeJS.ProcessEnv {
  const [library = ''] = globSync(join(cache, 'usr/lib/*/libidn.so.12'))
  return { PATH: process.env.PATH, LD_LIBRARY_PATH: dirname(library) }
}

function configure({ domain, tls, nextHopPort, settings = {} }: EximOptions, port: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-exim-'))
  chmodSync(folder, 0o755)
  const pem = join(folder, 'tls.pem')
  if (tls) writeFileSync(pem, `${tls.key}\n${tls.cert}\n`, { mode: 0o600 })
  for (const name of ['spool', 'log', 'mail']) mkdirSync(join(folder, name))
  for (const name of readdirSync(folder)) chownSync(join(folder, name), eximUser.id, eximUser.id)
  const main = {
    primary_hostname: `mx.${domain}`,
    exim_path: program,
    keep_environment: 'LD_LIBRARY_PATH',
    spool_directory: join(folder, 'spool'),
    log_file_path: join(folder, 'log/%slog'),
    pid_file_path: join(folder, 'exim.pid'),
    log_selector: '+smtp_confirmation +tls_cipher',
    local_interfaces: '127.0.0.1',
    daemon_smtp_ports: String(port),
    host_lookup: '',
    chunking_advertise_hosts: '*',
    acl_smtp_mail: 'sender',
    acl_smtp_rcpt: 'recipient',
    ...(tls
      ? { tls_advertise_hosts: '*', tls_certificate: pem, tls_privatekey: pem }
      : { tls_advertise_hosts: '' }),
    ...settings,
  }
  const lines = Object.entries(main).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(
    join(folder, 'exim.conf'),
    [...lines, ...sections(folder, domain, nextHopPort), ''].join('\n'),
  )
  return folder
}

/** Exim refuses the senders and recipients whose local part is `refused`. */
const sections = (folder: string, domain: string, nextHopPort?: number): string[] => [
  'begin acl',
  'sender:\n  deny senders = refused@*\n  accept',
  `recipient:\n  deny local_parts = refused\n  accept domains = ${domain}\n  deny message = relay not permitted`,
  'begin routers',
  `mailbox:\n  driver = accept\n  domains = ${domain}\n  transport = mailbox`,
  ...(nextHopPort === undefined
    ? []
    : [
        `next_hop:\n  driver = manualroute\n  route_list = * 127.0.0.1::${nextHopPort}\n  self = send\n  transport = smtp`,
      ]),
  'begin transports',
  `mailbox:\n  driver = appendfile\n  directory = ${join(folder, 'mail')}\n  maildir_format\n  envelope_to_add\n  user = ${eximUser.name}`,
  'smtp:\n  driver = smtp\n  allow_localhost\n  hosts_require_tls = *',
]

if (import.meta.main) install()
