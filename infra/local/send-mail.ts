/** Sends one message over SMTP. */
import { createTransport } from 'nodemailer'
import type { CertificateAndKey } from './certificates.ts'
import { firstErrorLine } from './start-error.ts'

export interface Mail {
  readonly from: string
  readonly to: string | readonly string[]
  readonly subject: string
  readonly text: string
}

export interface SendOptions {
  /** The server's `host:port`. */
  readonly server: string
  /** `Required` fails when the server offers no STARTTLS. */
  readonly tls: 'None' | 'Required'
  /** The client certificate to present when the server requests one. */
  readonly clientCertificate?: CertificateAndKey
}

export interface SendResult {
  /** Whether the server accepted the message for every recipient. */
  readonly accepted: boolean
  /** The server's last reply, or the error. With several recipients, first a line for each that was refused. */
  readonly reply: string
  /** The message's id; null when the reply contains none. */
  readonly id: string | null
}

export async function sendMail(
  mail: Mail,
  { server, tls, clientCertificate }: SendOptions,
): Promise<SendResult> {
  const [host, port] = server.split(':')
  const transport = createTransport({
    host: host ?? '127.0.0.1',
    port: Number(port),
    // The ingress remembers by this name whether a client has a certificate.
    name: clientCertificate ? 'server.example' : 'client.example',
    ignoreTLS: tls === 'None',
    requireTLS: tls === 'Required',
    // The certificate is for the gateway's public name, not for this address.
    tls: {
      rejectUnauthorized: false,
      ...(clientCertificate && { cert: clientCertificate.certificate, key: clientCertificate.privateKey }),
    },
  })
  try {
    const { response, rejectedErrors = [] } = await transport.sendMail({ ...mail, to: [mail.to].flat() })
    const refusals = rejectedErrors.map(({ recipient, response }) => `${recipient}: ${response}`)
    return {
      accepted: refusals.length === 0,
      reply: [...refusals, response].join('\n'),
      id: idIn(response),
    }
  } catch (error) {
    const { response } = error as { response?: string }
    return { accepted: false, reply: response ?? firstErrorLine(error), id: null }
  } finally {
    transport.close()
  }
}

/** Finds a ULID. */
function idIn(reply: string): string | null {
  return /\b[0-9A-HJKMNP-TV-Z]{26}\b/.exec(reply)?.[0] ?? null
}
