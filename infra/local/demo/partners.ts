/**
 * The demo's world: our own mailbox server and the partners' servers, each with the TLS of its kind. All of them
 * listen on loopback; the zone gives each a name and an address of its own.
 */
import { type LocalAuthority, selfSigned } from '../certificates.ts'
import type { World } from '../runner.ts'
import { startMailServer } from './mail-server.ts'

/** Behind the gateway: where mail to ours.example ends. */
export const mailboxName = 'mailbox.ours.example'

/** Partners with a certificate of the local authority. The last two are left to whoever tries things by hand. */
const orderly = ['bank.example', 'northwind.example', 'contoso.example']

export async function startDemoWorld(authority: LocalAuthority): Promise<World> {
  const named = async (name: string) => startMailServer(name, await authority.issue(name))
  const mailbox = await named(mailboxName)
  const paper = await startMailServer('mx.paper.example', null)
  const workshop = await startMailServer('mx.workshop.example', await selfSigned('mx.workshop.example'))
  const others = await Promise.all(orderly.map((domain) => named(`mx.${domain}`)))
  const servers = [mailbox, paper, workshop, ...others]
  const address = (index: number) => `127.0.0.${10 + index}`
  return {
    zone: {
      names: {
        [mailboxName]: { A: [address(0)] },
        'mx.paper.example': { A: [address(1)] },
        'paper.example': { MX: [[10, 'mx.paper.example']] },
        'clinic.example': { MX: [[10, 'mx.paper.example']] },
        'mx.workshop.example': { A: [address(2)] },
        'workshop.example': { MX: [[10, 'mx.workshop.example']] },
        'vault.example': { MX: [[10, 'mx.workshop.example']] },
        ...Object.fromEntries(
          orderly.flatMap((domain, index) => [
            [domain, { MX: [[10, `mx.${domain}`]] }],
            [`mx.${domain}`, { A: [address(3 + index)] }],
          ]),
        ),
      },
      ports: Object.fromEntries(servers.map(({ port }, index) => [address(index), `127.0.0.1:${port}`])),
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
