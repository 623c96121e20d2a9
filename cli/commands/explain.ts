/** `explain`: what would happen to a message, and why, without sending one. */
import { z } from 'zod'
import { certificatesIn } from '../../shared/tls/pem.ts'
import { knownAnswer } from '../api/known-answer.ts'
import { command, jsonOption, type World } from '../command.ts'
import { exit, Fault, UsageFault } from '../faults.ts'
import { readText } from '../input/read-file.ts'
import { jsonText } from '../text/words.ts'
import { Explanation, explanationText } from '../trace/explanation.ts'

const protocols = /^TLSv1\.[23]$/

export const explain = command({
  name: 'explain',
  summary: 'Say what would be decided for a message, and which connectors decide it',
  needs: '--from ADDRESS --to ADDRESS --ip ADDRESS',
  usesApi: true,
  options: {
    from: { type: 'string', value: 'ADDRESS', says: "the sender (reverse path); <> is a notification's" },
    to: { type: 'string', multiple: true, value: 'ADDRESS', says: 'a recipient; may be given several times' },
    ip: { type: 'string', value: 'ADDRESS', says: 'the address that it comes from' },
    tls: {
      type: 'string',
      value: '[TLSv1.2|TLSv1.3]',
      // No argument stands alone here, so what follows is meant as the version, whether it is one or not.
      optional: /^[^-]/,
      says: 'it comes over TLS, of this version (TLSv1.3)',
    },
    certificate: {
      type: 'string',
      value: 'FILE.pem',
      says: 'the client shows this certificate, and the chain that follows it; includes --tls',
    },
    ...jsonOption,
  },
  async run({ values, world, api }) {
    const { from, to, ip, tls, certificate } = values
    if (from === undefined || to.length === 0 || ip === undefined)
      throw new UsageFault('explain needs --from, --to and --ip')
    const answer = await api.post(z.unknown(), '/explain', {
      mailFrom: from === '<>' ? '' : from,
      rcptTo: to,
      ip,
      tls: await tlsOf(tls, certificate, world),
    })
    world.out(
      values.json
        ? jsonText(answer)
        : `${explanationText(knownAnswer(Explanation, answer, 'explanation'))}\n`,
    )
    return exit.ok
  },
})

async function tlsOf(tls: string | undefined, certificate: string | undefined, world: World) {
  if (tls === undefined && certificate === undefined) return { negotiated: false }
  if (tls && !protocols.test(tls)) throw new UsageFault(`--tls ${tls}: the versions are TLSv1.2 and TLSv1.3`)
  return {
    negotiated: true,
    ...(tls && { protocol: tls }),
    ...(certificate !== undefined && { clientCertificate: await certificatesOf(certificate, world) }),
  }
}

/** Only what is public: a file that also holds the private key must not be sent as it is. */
async function certificatesOf(file: string, world: World): Promise<string> {
  const { text, name } = await readText(file, world)
  const blocks = certificatesIn(text)
  if (blocks.length === 0) throw new Fault(`${name} holds no certificate in PEM`)
  return `${blocks.join('\n')}\n`
}
