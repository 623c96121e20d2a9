/** `check`: checks a mail server's TLS and certificate, or a certificate in a file. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { CheckOptions } from '../check/check-tls.ts'
import { findingsText } from '../check/findings-text.ts'
import { targetOf } from '../check/target.ts'
import { command, jsonOption } from '../command.ts'
import { exit, UsageFault } from '../faults.ts'
import { jsonText } from '../text/words.ts'

const defaultTimeoutSeconds = '10'
const maxTimeoutSeconds = 300

export const check = command({
  name: 'check',
  summary: "Check a mail server's TLS and certificate, and whether this machine can verify it",
  takes: { shown: 'HOST[:PORT]', least: 0, most: 1 },
  usesApi: false,
  options: {
    certificate: {
      type: 'string',
      value: 'FILE',
      says: 'check the certificate and chain in this file instead of a server',
    },
    servername: {
      type: 'string',
      value: 'NAME',
      says: 'the name that the certificate must have (default: HOST)',
    },
    ca: { type: 'string', value: 'FILE', says: 'also trust the certificate authorities in this file' },
    timeout: {
      type: 'string',
      value: 'SECONDS',
      says: `timeout of each step (default: ${defaultTimeoutSeconds})`,
    },
    ...jsonOption,
  },
  details: `
HOST is a name, an IPv4 address or an IPv6 address; with a port, an IPv6 address needs brackets ([2001:db8::1]:25). The
default port is 25. The command opens the same session as a delivery, and ends it before any mail. Then it fetches from
this machine every URL in the certificates: revocation lists (CRL), OCSP responders and issuer certificates.

Each line is OK, WARN or FAIL; the text after the arrow says what to do. FAIL means that a client that verifies the
server rejects it. The exit status is 1 when a line fails. With --json each line is an object: check, subject, result,
seen, advice.
`,
  async run({ values, positionals: [host], world }) {
    const { certificate, servername, ca, timeout, json } = values
    if ((host === undefined) === (certificate === undefined))
      throw new UsageFault('check needs HOST[:PORT] or --certificate FILE')
    const target = host === undefined ? null : targetOf(host)
    const options: CheckOptions = {
      serverName: servername === undefined ? null : nameGiven(servername),
      authorities: ca,
      timeoutMs: parseTimeoutSeconds(timeout ?? defaultTimeoutSeconds) * 1000,
    }
    // Loaded here because loading is slow and no other command needs it.
    const { checkFile, checkServer } = await import('../check/check-tls.ts')
    const findings = target
      ? await checkServer(target, options, world)
      : await checkFile(certificate ?? '', options, world)
    world.out(json ? jsonText(findings) : findingsText(findings))
    return findings.some(({ result }) => result === 'FAIL') ? exit.fault : exit.ok
  },
})

function nameGiven(text: string): string {
  const name = normaliseDomain(text)
  if (name === null) throw new UsageFault(`--servername ${text}: not a host name; example: mx.example.com`)
  return name
}

function parseTimeoutSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds >= 1 && seconds <= maxTimeoutSeconds) return seconds
  throw new UsageFault(`--timeout ${text}: not a number of seconds from 1 to ${maxTimeoutSeconds}`)
}
