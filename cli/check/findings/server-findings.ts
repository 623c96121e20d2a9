/** What is said of the way to a server and of its TLS, its certificate aside. Pure. */
import { formatReply } from '../../../shared/mail/reply.ts'
import { hasForwardSecrecy } from '../../../shared/tls/facts.ts'
import type { EstablishedTls, ServerTls } from '../../../shared/tls/server-certificate.ts'
import type { Extra, Handshake, Opening, ServerFacts } from '../facts/facts.ts'
import { shownTarget } from '../target.ts'
import { curveName } from './algorithm-names.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export function serverFindings({ target, addresses, openings, extra }: ServerFacts): Finding[] {
  const [last] = openings.slice(-1)
  const connected = last !== undefined && last.reached !== 'Dialled'
  return [
    ...addressFindings(target.host, addresses),
    ...openings.slice(0, -1).map((opening) => unreachable(opening, target.port, warn)),
    ...(last ? [connected ? reached(last, target.port) : unreachable(last, target.port, fail)] : []),
    ...(last && connected ? sessionFindings(last, target, extra) : []),
  ]
}

function addressFindings(host: string, addresses: ServerFacts['addresses']): Finding[] {
  if (addresses.kind === 'Given') return []
  if (addresses.kind === 'Found') return [ok('address', `${host} is ${addresses.ips.join(', ')}`)]
  const { cause, exchanges } = addresses
  const advice =
    exchanges.length > 0
      ? `It is a domain, and its mail goes to ${exchanges.join(', ')}: check ${exchanges.length > 1 ? 'these' : 'that'}`
      : 'Check the name, and the name servers of this machine'
  return [fail('address', `no address of ${host} was found: ${cause}`, advice)]
}

const reached = ({ ip, milliseconds }: Opening, port: number): Finding =>
  ok('connection', `connected to ${ip}, port ${port}, in ${milliseconds} ms`)

function unreachable({ ip, outcome }: Opening, port: number, wrong: typeof fail): Finding {
  const why = outcome.kind === 'Failed' ? outcome.reply : null
  const advice =
    why?.enhanced === '4.4.316'
      ? `Nothing takes connections on port ${port} there: check the port, the server and its firewall`
      : `Check the address, and every firewall on the way; many networks let nothing out to port 25`
  return wrong('connection', `${ip}, port ${port}: ${why?.text ?? 'failed'}`, advice)
}

function sessionFindings(opening: Opening, target: ServerFacts['target'], extra: Extra | null): Finding[] {
  const { greeting, outcome } = opening
  if (greeting === null) return [fail('greeting', whyFailed(opening), adviceForSilence(target.port))]
  const greeted = ok('greeting', greeting)
  if (outcome.kind === 'Failed')
    return [
      greeted,
      fail(
        'starttls',
        `${lost[opening.reached] ?? 'failed'}: ${formatReply(outcome.reply)}`,
        'Look into the log of the server',
      ),
    ]
  return [greeted, ...tlsFindings(outcome.tls, target, extra)]
}

/** What was on its way when the session failed. */
const lost: Partial<Record<Opening['reached'], string>> = {
  Greeted: 'EHLO failed',
  TlsAsked: 'STARTTLS failed',
  Secured: 'EHLO over TLS failed',
}

const whyFailed = ({ outcome }: Opening): string => (outcome.kind === 'Failed' ? outcome.reply.text : 'none')

const adviceForSilence = (port: number): string =>
  port === 465
    ? 'Port 465 speaks TLS from the first octet; servers hand mail to each other on port 25'
    : 'A mail server greets with 220: check the port, and whether the server refuses the address of this machine'

function tlsFindings(tls: ServerTls, target: ServerFacts['target'], extra: Extra | null): Finding[] {
  switch (tls.kind) {
    case 'NotOffered':
      return [
        fail(
          'starttls',
          `not offered${tls.answer === null ? '' : `: ${tls.answer}`}`,
          'Mail to it goes in the clear, and forced mail waits. Switch STARTTLS on in the server; if it is on, a firewall on the way takes it out',
        ),
      ]
    case 'HandshakeFailed':
      return [
        fail(
          'starttls',
          `offered, but the handshake failed: ${tls.cause}`,
          adviceForHandshake(tls.cause, extra?.old),
        ),
      ]
    case 'Established':
      return [
        ok('starttls', `offered, and the handshake with ${shownTarget(target)} succeeded`),
        ok('protocol', tls.protocol),
        cipherFinding(tls),
        ...(extra ? [oldFinding(extra.old)] : []),
        ...(tls.chain.length > 0 ? [] : [noCertificate]),
      ]
  }
}

/** Whoever cannot be told from another must not pass for want of anything to judge. */
const noCertificate = fail(
  'certificate',
  'none came that can be read',
  'Install a certificate in the server, PEM, with its key and its intermediate certificates',
)

const ours =
  'TLS 1.2 or 1.3 with forward secrecy and authenticated encryption (ECDHE or DHE, with AES-GCM or ChaCha20-Poly1305)'

/** @param any a handshake in which everything was allowed that OpenSSL knows */
function adviceForHandshake(cause: string, any: Handshake | undefined): string {
  if (/CERTIFICATE_REQUIRED/.test(cause))
    return 'It demands a certificate of its clients: name one in the connector (clientCertificate)'
  return any?.kind === 'Done' && isWeak(any)
    ? `The server agreed to ${any.protocol} with ${any.cipher}, which is too weak here. Let it speak ${ours}`
    : `The server must speak ${ours}, with a certificate that fits; its log says what it did not like, such as a client without a certificate`
}

const isWeak = ({ protocol, cipher }: { protocol: string; cipher: string }): boolean =>
  protocol !== 'TLSv1.3' &&
  !(protocol === 'TLSv1.2' && hasForwardSecrecy(cipher) && /_GCM_|CHACHA20/.test(cipher))

const unnamed = (cipher: string): string => (cipher.includes('_DHE_') ? 'DHE' : 'of an unknown group')

function cipherFinding({ protocol, cipher, group }: EstablishedTls): Finding {
  const seen = `${cipher}, key exchange ${group === null ? unnamed(cipher) : (curveName[group] ?? group)}`
  return protocol === 'TLSv1.3' || hasForwardSecrecy(cipher)
    ? ok('cipher', `${seen}, forward secrecy`)
    : fail(
        'cipher',
        `${seen}, no forward secrecy`,
        'Whoever records the mail can read it once he has the key. Prefer ECDHE',
      )
}

function oldFinding(old: Handshake): Finding {
  switch (old.kind) {
    case 'Done':
      return warn(
        'older',
        `${old.protocol} with ${old.cipher} is accepted, too`,
        'TLS 1.0 and 1.1 are deprecated (RFC 8996). Mailflow never uses them; switch them off in the server',
      )
    case 'Refused':
      return ok('older', `TLS 1.0 and 1.1 are refused (${old.cause})`)
    case 'Untried':
      return warn(
        'older',
        `could not be tried: ${old.cause}`,
        'Ask again later; some servers limit connections',
      )
  }
}
