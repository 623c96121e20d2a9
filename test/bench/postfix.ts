/**
 * Starts Postfix as Debian installs it. Postfix writes each message to its queue on disk, with fsync, before the 250,
 * and then discards the message. To measure receiving alone, Postfix holds the messages in the queue until the load is
 * over.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { missing, Postfix } from '../support/peers/peers.ts'
import type { Identity } from '../support/pki.ts'
import type { Server } from './measure.ts'

/** @throws Error when Postfix is not installed or may not be started */
export function requirePostfix(): void {
  const fault = missing('postfix', 'Debian: apt-get install postfix', true)
  if (fault) throw new Error(fault)
}

export const postfixVersion = (): string =>
  execFileSync('/usr/sbin/postconf', ['-dh', 'mail_version'], { encoding: 'utf8' }).trim()

export interface PostfixLoad {
  connections: number
  /** The only key exchange. */
  group: string
  /** Whether messages stay in the queue. */
  holds: boolean
}

/** Removes limits on one client, and limits that would delay a load of many sessions. */
const settings = ({ connections, group, holds }: PostfixLoad): Record<string, string> => ({
  virtual_transport: 'discard:',
  // With more processes than sessions, Postfix does not enter stress mode.
  default_process_limit: String(connections + 50),
  smtpd_client_connection_count_limit: '0',
  smtpd_client_connection_rate_limit: '0',
  in_flow_delay: '0',
  // Postfix's default, in place of the value 1 that `Postfix.start` sets for tests.
  smtpd_tls_loglevel: '0',
  tls_eecdh_auto_curves: group,
  ...(holds && { smtpd_recipient_restrictions: 'check_client_access static:HOLD' }),
})

export async function startPostfix(identity: Identity, load: PostfixLoad): Promise<Server> {
  const postfix = await Postfix.start({ domain: 'ours.example', tls: identity, settings: settings(load) })
  postfix.dropLog()
  const queueFolders = ['maildrop', 'incoming', 'active', 'deferred'].map((name) => join(postfix.queue, name))
  return {
    port: postfix.port,
    pid: postfix.pid,
    stop: () => postfix.stop(),
    queued: () => queueFolders.reduce((sum, folder) => sum + filesBelow(folder).length, 0),
    clear: () => filesBelow(join(postfix.queue, 'hold')).forEach((path) => void rmSync(path)),
  }
}

/** @returns the paths of all files below the folder; none if the folder was removed with its message */
export function filesBelow(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  } catch {
    return []
  }
}
