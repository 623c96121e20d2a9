/**
 * OpenSMTPD from Debian's package. The package conflicts with Postfix, so `.ci/run` unpacks it and does not install it.
 * OpenSMTPD has fixed paths and users: it runs in a mount namespace of its own, which has them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Identity } from '../pki.ts'
import { freePort, untilListening } from '../process.ts'
import { domain, type MailServer, refusedSender } from './mail-server.ts'
import { readMaildir } from './peers.ts'

const unpacked = join(import.meta.dirname, '../../../node_modules/.cache/peers/opensmtpd')

/** Returns the reason to skip a test, or false. */
export function missingOpenSmtpd(): string | false {
  if (process.env.CI) return false
  if (!existsSync(unpacked)) return `OpenSMTPD is not in ${unpacked} (see .ci/run)`
  return userInfo().uid === 0 ? false : 'OpenSMTPD starts as root only'
}

export async function startOpenSmtpd(identity: Identity): Promise<MailServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-opensmtpd-'))
  const ports = { tls: await freePort(), clear: await freePort() }
  configure(folder, identity, ports)
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', folder, unpacked], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (text) => {
    log += text
  })
  const ended = new AbortController()
  const exited = once(child, 'exit').then(() => ended.abort())
  const stop = async () => {
    child.kill('SIGTERM')
    await exited
    rmSync(folder, { recursive: true })
  }
  await untilListening(ports.clear, ended.signal)
  if (ended.signal.aborted) throw new Error(`OpenSMTPD has ended: ${log}`)
  return { ports, lineEnd: '\n', mailbox: () => readMaildir(join(folder, 'mail')), stop }
}

/** The arguments are the folder of this server and the folder of the unpacked package. */
const script = `
set -e
for name in passwd group; do mount --bind "$1/$name" "/etc/$name"; done
for path in /run /var/lib /var/spool /usr/libexec; do mount -t tmpfs none "$path"; done
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
cp -a "$2/usr/libexec/opensmtpd" /usr/libexec/
exec "$2/usr/sbin/smtpd" -d -f "$1/smtpd.conf"
`

function configure(folder: string, { key, cert }: Identity, ports: MailServer['ports']): void {
  const file = (name: string) => join(folder, name)
  chmodSync(folder, 0o755)
  mkdirSync(file('mail'))
  chmodSync(file('mail'), 0o777)
  writeFileSync(file('key.pem'), key, { mode: 0o600 })
  writeFileSync(file('certificate.pem'), cert)
  const users = ['opensmtpd', 'opensmtpq'].map((name, index) => ({ name, id: 64_001 + index }))
  writeFileSync(
    file('passwd'),
    readFileSync('/etc/passwd', 'utf8') +
      users.map(({ name, id }) => `${name}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin\n`).join(''),
  )
  writeFileSync(
    file('group'),
    readFileSync('/etc/group', 'utf8') + users.map(({ name, id }) => `${name}:x:${id}:\n`).join(''),
  )
  writeFileSync(
    file('smtpd.conf'),
    `
pki partner cert "${file('certificate.pem')}"
pki partner key "${file('key.pem')}"
table users { "bob" = mail, "carol" = mail }
filter "refusal" phase mail-from match mail-from "${refusedSender}" reject "550 5.7.1 refused"
listen on 127.0.0.1 port ${ports.tls} hostname mx.${domain} tls pki partner filter "refusal"
listen on 127.0.0.1 port ${ports.clear} hostname mx.${domain} filter "refusal"
action store maildir "${file('mail')}" virtual <users>
match from any for domain "${domain}" action store
`,
  )
}
