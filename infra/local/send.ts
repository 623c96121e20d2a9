/** `npx node infra/local/send.ts`: sends one message by hand to a running ingress and prints the reply. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sendMail } from './send-mail.ts'
import { causeOf } from './start-error.ts'

const usage = 'usage: send.ts --from ADDRESS --to ADDRESS [OPTION …] (--help lists them)'

const help = `Sends one message to a running mailflow on this machine, and prints the answer.

  npx node infra/local/send.ts --from ADDRESS --to ADDRESS [OPTION …]

  --port N                the gateway's SMTP port (2525)
  --subject TEXT          the message's subject
  --tls                   use STARTTLS, and give up where it is not offered
  --certificate FILE.pem  show this certificate, with the key in FILE.key beside it; includes --tls
  --help                  this text

Ends with 0 when the message was taken, 1 when it was refused, 2 when it could not be sent.
`

try {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      port: { type: 'string', default: '2525' },
      subject: { type: 'string', default: 'Sent by hand' },
      tls: { type: 'boolean', default: false },
      certificate: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) process.stdout.write(help)
  else process.exitCode = await send(values)
} catch (error) {
  console.error(causeOf(error))
  process.exitCode = 2
}

interface Values {
  readonly from?: string
  readonly to?: string
  readonly port: string
  readonly subject: string
  readonly tls: boolean
  readonly certificate?: string
}

/** @returns the exit code */
async function send({ from, to, port, subject, tls, certificate }: Values): Promise<number> {
  if (from === undefined || to === undefined) throw new Error(usage)
  const { reply, accepted } = await sendMail(
    { from, to, subject, text: 'A message sent by hand.' },
    {
      server: `127.0.0.1:${port}`,
      tls: tls || certificate !== undefined ? 'Required' : 'None',
      ...(certificate !== undefined && { clientCertificate: readKeyPair(certificate) }),
    },
  )
  console.log(reply)
  return accepted ? 0 : 1
}

/** The key lies beside the certificate, as `FILE.key`. */
function readKeyPair(certificateFile: string) {
  return {
    certificate: readFileSync(certificateFile, 'utf8'),
    privateKey: readFileSync(certificateFile.replace(/\.pem$/, '.key'), 'utf8'),
  }
}
