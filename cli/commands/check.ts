/** `check`: what a mail server's TLS and its certificate are worth, or a certificate in a file. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { CheckOptions } from '../check/check-tls.ts'
import { findingsText } from '../check/findings-text.ts'
import { targetOf } from '../check/target.ts'
import { command, jsonOption } from '../command.ts'
import { exit, UsageFault } from '../faults.ts'
import { jsonText } from '../text/words.ts'

const usualTimeout = '10'
const longestTimeout = 300

export const check = command({
  name: 'check',
  summary: "Check a mail server's TLS, its certificate, and whether that can be verified from here",
  takes: { shown: 'HOST[:PORT]', least: 0, most: 1 },
  usesApi: false,
  options: {
    certificate: {
      type: 'string',
      value: 'FILE',
      says: 'check the certificate in this file, and the chain behind it, instead of a server',
    },
    servername: { type: 'string', value: 'NAME', says: 'the name that the certificate is to have (HOST)' },
    ca: { type: 'string', value: 'FILE', says: 'trust the authorities in this file, too' },
    timeout: { type: 'string', value: 'SECONDS', says: `what each step may take (${usualTimeout})` },
    ...jsonOption,
  },
  details: `
HOST is a name, an IPv4 or an IPv6 address, the latter with a port in brackets ([2001:db8::1]:25); the port is 25. The
session is opened as a delivery opens it, and ends before any mail. Then every address in the certificates is asked from
this machine: where the revocation list is (CRL), who answers whether they were revoked (OCSP), where the issuer is.

Each line is OK, WARN or FAIL, and says behind an arrow what to do. FAIL is what somebody who verifies the server would
refuse. It ends with 1 when a line fails. With --json each line is an object: check, subject, result, seen, advice.
`,
  async run({ values, positionals: [host], world }) {
    const { certificate, servername, ca, timeout, json } = values
    if ((host === undefined) === (certificate === undefined))
      throw new UsageFault('check needs either HOST[:PORT] or --certificate FILE')
    const target = host === undefined ? null : targetOf(host)
    const options: CheckOptions = {
      serverName: servername === undefined ? null : nameGiven(servername),
      authorities: ca,
      timeout: secondsOf(timeout ?? usualTimeout) * 1000,
    }
    // It takes a while to load, and no other command needs it.
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
  if (name === null) throw new UsageFault(`--servername ${text}: not a name, such as mx.example.com`)
  return name
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds >= 1 && seconds <= longestTimeout) return seconds
  throw new UsageFault(`--timeout ${text}: not a number of seconds from 1 to ${longestTimeout}`)
}
