/** `check`: checks a mail server's TLS and certificate, or a certificate in a file. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { type CheckOptions, checkConformance, checkFile, checkServer } from '../check/check-tls.ts'
import { conformanceText } from '../check/conformance/check-conformance.ts'
import { findingsText } from '../check/findings-text.ts'
import { parseTarget } from '../check/target.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { jsonText } from '../text/format.ts'

const defaultTimeoutSeconds = '10'
const maxTimeoutSeconds = 300

export const check = defineCommand({
  positionalUsage: { usage: 'HOST[:PORT]', minCount: 0, maxCount: 1 },
  usesApi: false,
  options: {
    certificate: {
      type: 'string',
      value: 'FILE',
      description: 'check the certificate and chain in this file instead of a server',
    },
    servername: {
      type: 'string',
      value: 'NAME',
      description: 'the name that the certificate must have (default: HOST)',
    },
    ca: { type: 'string', value: 'FILE', description: 'also trust the certificate authorities in this file' },
    timeout: {
      type: 'string',
      value: 'SECONDS',
      description: `timeout of each step (default: ${defaultTimeoutSeconds})`,
    },
    conformance: {
      type: 'boolean',
      description: 'compare the TLS of the server with published standards instead',
    },
    ...jsonOption,
  },
  details: `
HOST is a name, an IPv4 address or an IPv6 address; with a port, an IPv6 address needs brackets ([2001:db8::1]:25). The
default port is 25. The command opens the same session as a delivery, and ends it before any mail. Then this machine
fetches every URL in the certificates: revocation lists (CRL), OCSP responders and issuer certificates.

Each line is OK, WARN or FAIL; the text after the arrow is the advice. FAIL means that a client that verifies the
server rejects it. The exit status is 1 when a line fails. With --json each line is an object: check, subject, result,
seen, advice.

With --conformance the command compares the server with the criteria of internet.nl, BSI, NIST and Mozilla, by about
thirty handshakes one after another, for at most ten minutes. Each line is PASS, WARN (a recommendation is not met),
FAIL (a requirement is not met), CUSTOMER (DNS or network decide), NOT APPLICABLE or NOT MEASURED; brackets name the
standards and their levels.
`,
  async run({ values, positionals: [host], io }) {
    const { certificate, servername, ca, timeout, json, conformance } = values
    if ((host === undefined) === (certificate === undefined))
      throw new UsageError('check needs HOST[:PORT] or --certificate FILE')
    const target = host === undefined ? null : parseTarget(host)
    const options: CheckOptions = {
      serverName: servername === undefined ? null : parseServerName(servername),
      authorities: ca,
      timeoutMs: parseTimeoutSeconds(timeout ?? defaultTimeoutSeconds) * 1000,
    }
    if (conformance) {
      if (target === null) throw new UsageError('--conformance needs HOST[:PORT]')
      const results = await checkConformance(target, options, io)
      io.out(json ? jsonText(results) : conformanceText(results))
      return results.some(({ verdict }) => verdict === 'FAIL') ? exitStatus.failure : exitStatus.ok
    }
    const findings = target
      ? await checkServer(target, options, io)
      : await checkFile(certificate ?? '', options, io)
    io.out(json ? jsonText(findings) : findingsText(findings))
    return findings.some(({ result }) => result === 'FAIL') ? exitStatus.failure : exitStatus.ok
  },
})

function parseServerName(text: string): string {
  const name = normaliseDomain(text)
  if (name === null) throw new UsageError(`--servername ${text}: not a host name; example: mx.example.com`)
  return name
}

function parseTimeoutSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds >= 1 && seconds <= maxTimeoutSeconds) return seconds
  throw new UsageError(`--timeout ${text}: not a number of seconds from 1 to ${maxTimeoutSeconds}`)
}
