/** Mail servers and clients by other authors, as Debian installs them. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Identity } from '../pki.ts'
import { freePort } from '../process.ts'

/**
 * Returns the reason to skip a peer's tests, or false. In CI, no test is skipped: a missing program fails there.
 * @param hint how to install the program
 */
export function missing(program: string, hint: string, needsRoot = false): string | false {
  if (process.env.CI) return false
  if (!isInstalled(program)) return `${program} is not installed (${hint})`
  return needsRoot && userInfo().uid !== 0 ? `${program} starts as root only` : false
}

/** Daemons are in /usr/sbin, which is not in every user's path. */
const path = `${process.env.PATH}:/usr/sbin:/sbin`
const environment = { ...process.env, PATH: path }

function isInstalled(program: string): boolean {
  return path.split(':').some((folder) => {
    try {
      return readdirSync(folder).includes(program)
    } catch {
      return false
    }
  })
}

export interface PostfixOptions {
  /** The domain whose mail Postfix accepts. */
  domain: string
  /** When absent, STARTTLS is not offered. */
  tls?: Identity
  /** Further lines of main.cf. */
  settings?: Record<string, string>
  /** Further lines of master.cf. */
  services?: readonly string[]
}

/** A Postfix on a free port of the loopback interface, with its own folders. */
export class Postfix {
  readonly port: number
  /** The lines of Postfix's log so far. */
  readonly log: string[] = []
  readonly #folder: string
  readonly #master: ChildProcess
  readonly #lines: Interface
  readonly #ended = new AbortController()

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.port = port
    // Postfix opens /dev/stdout again. A pipe permits that; the socket that Node uses as a pipe does not.
    this.#master = spawn('sh', ['-c', 'postfix -c "$0" start-fg 2>&1 | cat', join(folder, 'etc')], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#lines = createInterface({ input: this.#master.stdout as NonNullable<ChildProcess['stdout']> })
    this.#lines.on('line', (line) => this.log.push(line))
    this.#lines.on('close', () => this.#ended.abort())
  }

  static async start(options: PostfixOptions): Promise<Postfix> {
    const port = await freePort()
    const postfix = new Postfix(configure(options, port), port)
    try {
      await postfix.logged(/daemon started/)
      return postfix
    } catch (error) {
      rmSync(postfix.#folder, { recursive: true, force: true })
      throw error
    }
  }

  /**
   * The first line of the log, past or future, that matches. The test's own timeout limits the wait.
   * @param from skips the lines before this one
   */
  async logged(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      const match = this.log.find((line, index) => index >= from && pattern.test(line))
      if (match !== undefined) return match
      const [line] = await once(this.#lines, 'line', { signal: this.#ended.signal }).catch(() => [null])
      if (line === null) throw new Error(`Postfix ended without logging ${pattern}:\n${this.log.join('\n')}`)
    }
  }

  /** Returns the messages in the mailbox. */
  mailbox(): string[] {
    return readMaildir(join(this.#folder, 'mail/all'))
  }

  /** The process that started Postfix's services. */
  get pid(): number {
    return Number(readFileSync(join(this.#folder, 'queue/pid/master.pid'), 'latin1'))
  }

  /** The folder of the queue. */
  get queue(): string {
    return join(this.#folder, 'queue')
  }

  /** The folder of main.cf. */
  get configuration(): string {
    return join(this.#folder, 'etc')
  }

  /** From now on, the log is read and dropped. */
  dropLog(): void {
    this.#lines.close()
    this.#master.stdout?.resume()
  }

  async stop(): Promise<void> {
    const exited = once(this.#master, 'exit')
    try {
      execFileSync('postfix', ['-c', this.configuration, 'stop'], {
        env: environment,
        stdio: 'ignore',
      })
      await exited
    } finally {
      rmSync(this.#folder, { recursive: true, force: true })
    }
  }
}

/** Returns the messages in a Maildir, as latin1 text. */
export function readMaildir(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'new')).map((name) => readFileSync(join(folder, 'new', name), 'latin1'))
  } catch {
    return []
  }
}

/** User and group of the mailbox. Postfix's service that stores mail in files refuses ids below 100. */
const none = 65_534

function configure({ domain, tls, settings = {}, services = [] }: PostfixOptions, port: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-postfix-'))
  chmodSync(folder, 0o755)
  for (const name of ['etc', 'queue', 'data', 'mail']) mkdirSync(join(folder, name))
  chownSync(join(folder, 'data'), userIdOf('postfix'), 0)
  chownSync(join(folder, 'mail'), none, none)
  if (tls) writeFileSync(join(folder, 'etc/tls.pem'), `${tls.key}\n${tls.cert}\n`, { mode: 0o600 })
  const main = {
    compatibility_level: '3.6',
    queue_directory: join(folder, 'queue'),
    data_directory: join(folder, 'data'),
    maillog_file: '/dev/stdout',
    myhostname: `mx.${domain}`,
    mydestination: '',
    mynetworks: '',
    alias_maps: '',
    local_recipient_maps: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    smtpd_relay_restrictions: 'reject_unauth_destination',
    virtual_mailbox_domains: domain,
    virtual_mailbox_base: join(folder, 'mail'),
    virtual_mailbox_maps: 'static:all/',
    virtual_uid_maps: `static:${none}`,
    virtual_gid_maps: `static:${none}`,
    smtpd_tls_loglevel: '1',
    smtpd_tls_received_header: 'yes',
    ...(tls
      ? { smtpd_tls_security_level: 'may', smtpd_tls_chain_files: join(folder, 'etc/tls.pem') }
      : { smtpd_tls_security_level: 'none' }),
    ...settings,
  }
  const lines = Object.entries(main).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(join(folder, 'etc/main.cf'), lines.join(''))
  writeFileSync(join(folder, 'etc/master.cf'), [...servicesAt(port), ...services, ''].join('\n'))
  return folder
}

/** No service runs in a chroot jail, because the queue folder has none of the files that a jail needs. */
function servicesAt(port: number): string[] {
  return [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'proxymap unix - - n - - proxymap',
    'anvil unix - - n - 1 anvil',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'smtp unix - - n - - smtp',
    'virtual unix - n n - - virtual',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
}

const userIdOf = (user: string): number =>
  Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }).trim())

/** swaks' transcript of one session; its lines from the server begin with `<`, over TLS with `<~`. */
export function swaks(endpoint: string, ...args: string[]): Promise<string> {
  const [host = '', port = ''] = endpoint.split(':')
  const allArguments = [
    '--server',
    host,
    '--port',
    port,
    '--helo',
    'client.example',
    '--timeout',
    '20',
    ...args,
  ]
  return new Promise((resolve, reject) => {
    // The exit code names only the kind of reply that swaks did not expect; the transcript has more.
    execFile('swaks', allArguments, { env: environment }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error)
      else resolve(stdout + stderr)
    })
  })
}
