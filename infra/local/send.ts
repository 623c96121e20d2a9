/** `npx node infra/local/send.ts`: sends one message by hand to a running ingress and prints the reply. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sendMail } from './send-mail.ts'
import { causeOf } from './start-error.ts'

const usage =
  'usage: send.ts --from ADDRESS --to ADDRESS [--port 2525] [--subject TEXT] [--tls] [--certificate FILE.pem]'

try {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      port: { type: 'string', default: '2525' },
      subject: { type: 'string', default: 'Sent by hand' },
      tls: { type: 'boolean', default: false },
      certificate: { type: 'string' },
    },
  })
  const { from, to, subject, certificate } = values
  if (from === undefined || to === undefined) throw new Error(usage)
  const sent = await sendMail(
    { from, to, subject, text: 'A message sent by hand.' },
    {
      server: `127.0.0.1:${values.port}`,
      tls: values.tls || certificate !== undefined ? 'Required' : 'None',
      ...(certificate !== undefined && { clientCertificate: readKeyPair(certificate) }),
    },
  )
  console.log(sent.reply)
  process.exitCode = sent.accepted ? 0 : 1
} catch (error) {
  console.error(causeOf(error))
  process.exitCode = 2
}

/** The key lies beside the certificate, as `FILE.key`. */
function readKeyPair(certificateFile: string) {
  return {
    certificate: readFileSync(certificateFile, 'utf8'),
    privateKey: readFileSync(certificateFile.replace(/\.pem$/, '.key'), 'utf8'),
  }
}
