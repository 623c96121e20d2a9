/** Postfix as Debian ships it: each message to its queue on disk, with fsync, before the 250, and then discarded. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { missing, Postfix } from '../peers/support.ts'
import type { Identity } from '../support/pki.ts'
import type { Program } from './mailflow.ts'

export interface PostfixProgram extends Program {
  /** Messages that it has not discarded yet. */
  queued(): number
}

/** @throws Error when it is not here or may not be started */
export function requirePostfix(): void {
  const fault = missing('postfix', 'Debian: apt-get install postfix', true)
  if (fault) throw new Error(fault)
}

export const postfixVersion = (): string =>
  execFileSync('/usr/sbin/postconf', ['-dh', 'mail_version'], { encoding: 'utf8' }).trim()

/** Limits on one client, and those that would make a load of many sessions wait, are lifted. */
export function postfixSettings(connections: number, group: string): Record<string, string> {
  return {
    virtual_transport: 'discard:',
    // One more process than there are sessions keeps it from its settings under stress.
    default_process_limit: String(connections + 50),
    smtpd_client_connection_count_limit: '0',
    smtpd_client_connection_rate_limit: '0',
    in_flow_delay: '0',
    // Debian's own values, which the tests set otherwise.
    smtpd_tls_loglevel: '0',
    tls_eecdh_auto_curves: group,
  }
}

export async function startPostfix(
  identity: Identity,
  connections: number,
  group: string,
): Promise<PostfixProgram> {
  const postfix = await Postfix.start({
    domain: 'ours.example',
    tls: identity,
    settings: postfixSettings(connections, group),
  })
  postfix.dropLog()
  return {
    port: postfix.port,
    pid: postfix.pid,
    stop: () => postfix.stop(),
    queued: () => countFiles(postfix.queue),
  }
}

/** Files of the queues that hold messages. */
const countFiles = (queue: string): number =>
  ['maildrop', 'incoming', 'active', 'deferred', 'hold']
    .map((name) => filesBelow(join(queue, name)))
    .reduce((sum, count) => sum + count, 0)

function filesBelow(folder: string): number {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).length
  } catch {
    // A folder comes and goes with its messages.
    return 0
  }
}
