/**
 * The demo's world: our own mailbox server and three partners' servers, each with the TLS of its kind. All of
 * them listen on loopback; the zone gives every partner a name and an address of its own.
 */
import { type LocalAuthority, selfSigned } from '../certificates.ts'
import type { World } from '../runner.ts'
import { type MailServer, startMailServer } from './mail-server.ts'

export interface DemoWorld extends World {
  /** Behind the gateway: where mail to ours.example ends. */
  readonly mailbox: MailServer
}

export const mailboxName = 'mailbox.ours.example'

export async function startDemoWorld(authority: LocalAuthority): Promise<DemoWorld> {
  const mailbox = await startMailServer(mailboxName, await authority.issue(mailboxName))
  const paper = await startMailServer('mx.paper.example', null)
  const workshop = await startMailServer('mx.workshop.example', await selfSigned('mx.workshop.example'))
  const bank = await startMailServer('mx.bank.example', await authority.issue('mx.bank.example'))
  const servers = [mailbox, paper, workshop, bank]
  return {
    mailbox,
    zone: {
      names: {
        'paper.example': { MX: [[10, 'mx.paper.example']] },
        'clinic.example': { MX: [[10, 'mx.paper.example']] },
        'mx.paper.example': { A: ['127.0.0.11'] },
        'workshop.example': { MX: [[10, 'mx.workshop.example']] },
        'vault.example': { MX: [[10, 'mx.workshop.example']] },
        'mx.workshop.example': { A: ['127.0.0.12'] },
        'bank.example': { MX: [[10, 'mx.bank.example']] },
        'mx.bank.example': { A: ['127.0.0.13'] },
      },
      ports: {
        '127.0.0.11': `127.0.0.1:${paper.port}`,
        '127.0.0.12': `127.0.0.1:${workshop.port}`,
        '127.0.0.13': `127.0.0.1:${bank.port}`,
      },
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
