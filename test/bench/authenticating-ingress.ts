/**
 * The ingress that evaluates SPF, DKIM, DMARC and ARC before the 250 of a message whose tenant no field shows. mailflow
 * does not do this: it shows what that would cost.
 */

import { startIngress } from '../../functions/smtp-ingress/ingress.ts'
import { ingressPartsOnAws } from '../../functions/smtp-ingress/ingress-on-aws.ts'
import { createLineWriter } from '../../functions/smtp-ingress/log.ts'
import { authenticateMessage } from '../../shared/authentication/authenticate-message.ts'
import { IngressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { createResolver } from '../../shared/net/resolver.ts'

const write = createLineWriter((lines) => process.stdout.write(lines))
const environment = readEnvironment(IngressEnvironment, process.env)
const resolver = createResolver(environment.DNS_SERVERS)
const session = { ip: '127.0.0.1', helo: 'load.example', mailFrom: 'a@ours.example' }
const ingress = await startIngress({
  ...ingressPartsOnAws(environment, write),
  async verifySignatures(content) {
    const input = {
      ...session,
      hostname: environment.MAIL_HOSTNAME,
      content,
      at: new Date(),
      receivedAt: new Date(),
      seal: null,
    }
    const { spf, dkim, dmarc } = await authenticateMessage(input, resolver)
    if (spf?.result !== 'pass' || dmarc?.result !== 'pass')
      throw new Error(`spf ${spf?.result}, dmarc ${dmarc?.result}`)
    const aligned = dkim.filter(({ result, aligned }) => result === 'pass' && aligned)
    return { domains: aligned.map(({ domain }) => domain), isTemporary: false }
  },
})
process.once('SIGTERM', () => void ingress.drain().then(() => process.exit(0)))
