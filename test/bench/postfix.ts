/**
 * Postfix as Debian ships it: each message to its queue on disk, with fsync, before the 250, and then discarded. Or, to
 * tell what receiving alone costs, put on hold there until the load is over.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { missing, Postfix } from '../support/peers/peers.ts'
import type { Identity } from '../support/pki.ts'
import type { Server } from './measure.ts'

/** @throws Error when it is not here or may not be started */
export function requirePostfix(): void {
  const fault = missing('postfix', 'Debian: apt-get install postfix', true)
  if (fault) throw new Error(fault)
}

export const postfixVersion = (): string =>
  execFileSync('/usr/sbin/postconf', ['-dh', 'mail_version'], { encoding: 'utf8' }).trim()

export interface PostfixLoad {
  connections: number
  /** The one key exchange it needs. */
  group: string
  /** Whether messages stay in its queue. */
  holds: boolean
}

/** Limits on one client, and those that would make a load of many sessions wait, are lifted. */
const settings = ({ connections, group, holds }: PostfixLoad): Record<string, string> => ({
  virtual_transport: 'discard:',
  // With more processes than there are sessions it does not think itself under stress.
  default_process_limit: String(connections + 50),
  smtpd_client_connection_count_limit: '0',
  smtpd_client_connection_rate_limit: '0',
  in_flow_delay: '0',
  // Its own value, which the tests set otherwise.
  smtpd_tls_loglevel: '0',
  tls_eecdh_auto_curves: group,
  ...(holds && { smtpd_recipient_restrictions: 'check_client_access static:HOLD' }),
})

export async function startPostfix(identity: Identity, load: PostfixLoad): Promise<Server> {
  const postfix = await Postfix.start({ domain: 'ours.example', tls: identity, settings: settings(load) })
  postfix.dropLog()
  const waiting = ['maildrop', 'incoming', 'active', 'deferred'].map((name) => join(postfix.queue, name))
  return {
    port: postfix.port,
    pid: postfix.pid,
    stop: () => postfix.stop(),
    queued: () => waiting.reduce((sum, folder) => sum + filesBelow(folder).length, 0),
    clear: () => filesBelow(join(postfix.queue, 'hold')).forEach((path) => void rmSync(path)),
  }
}

/** None where a folder went with its message. */
function filesBelow(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  } catch {
    return []
  }
}
