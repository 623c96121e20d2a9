/** `npx node infra/local/send.ts`: sends one message to a running ingress and prints the reply. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sendMail } from './send-mail.ts'
import { firstErrorLine } from './start-error.ts'

const usage = 'usage: send.ts --from ADDRESS --to ADDRESS [OPTION …] (--help lists the options)'

const help = `Sends one message to a running mailflow on this machine, and prints the reply.

  npx node infra/local/send.ts --from ADDRESS --to ADDRESS [OPTION …]

  --to ADDRESS            a recipient; can be repeated
  --port N                the gateway's SMTP port (default: 2525)
  --subject TEXT          the message's subject
  --tls                   use STARTTLS; fail if it is not offered
  --certificate FILE.pem  present this certificate; its key is in FILE.key; implies --tls
  --help                  print this help

Exit status: 0 accepted for every recipient, 1 not accepted, 2 wrong arguments or unreadable file.
`

try {
  const { values, tokens } = parseArgs({
    tokens: true,
    options: {
      from: { type: 'string' },
      to: { type: 'string', multiple: true },
      port: { type: 'string', default: '2525' },
      subject: { type: 'string', default: 'Sent by hand' },
      tls: { type: 'boolean', default: false },
      certificate: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  const repeated = names.find((name, index) => name !== 'to' && names.indexOf(name) < index)
  if (repeated !== undefined) throw new Error(`--${repeated} is given twice`)
  if (values.help) process.stdout.write(help)
  else process.exitCode = await send(values)
} catch (error) {
  console.error(firstErrorLine(error))
  process.exitCode = 2
}

interface Values {
  readonly from?: string
  readonly to?: readonly string[]
  readonly port: string
  readonly subject: string
  readonly tls: boolean
  readonly certificate?: string
}

/** @returns the exit code */
async function send({ from, to, port, subject, tls, certificate }: Values): Promise<number> {
  if (from === undefined || to === undefined) throw new Error(usage)
  // The SMTP library would send an address that it cannot parse as another one.
  const faulty = [from, ...to].find(
    (address) => address !== '' && address !== '<>' && !/^[^\s@<>]+@[^\s@<>]+$/.test(address),
  )
  if (faulty !== undefined) throw new Error(`"${faulty}" is not an address such as ann@ours.example`)
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

/** Reads the certificate from `FILE.pem` and its key from `FILE.key`. */
function readKeyPair(certificateFile: string) {
  return {
    certificate: readFileSync(certificateFile, 'utf8'),
    privateKey: readFileSync(certificateFile.replace(/\.pem$/, '.key'), 'utf8'),
  }
}
