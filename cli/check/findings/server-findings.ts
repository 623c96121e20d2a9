/** Findings about the connection to a server and its TLS, without the certificate. Pure. */
import { formatReply } from '../../../shared/mail/reply.ts'
import type { EstablishedTls, ServerTls } from '../../../shared/tls/assess-server-tls.ts'
import { hasForwardSecrecy } from '../../../shared/tls/facts.ts'
import type {
  ChunkingSupport,
  Handshake,
  HandshakeProbes,
  ServerFacts,
  SessionAttempt,
} from '../facts/facts.ts'
import { targetText } from '../target.ts'
import { curveName } from './curve-name.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export function serverFindings({ target, addresses, attempts, probes }: ServerFacts): Finding[] {
  const [last] = attempts.slice(-1)
  const isConnected = last !== undefined && last.reached !== 'Dialled'
  return [
    ...addressFindings(target.host, addresses),
    ...attempts.slice(0, -1).map((attempt) => unreachable(attempt, target.port, warn)),
    ...(last ? [isConnected ? reached(last, target.port) : unreachable(last, target.port, fail)] : []),
    ...(last && isConnected ? sessionFindings(last, target, probes) : []),
  ]
}

function addressFindings(host: string, addresses: ServerFacts['addresses']): Finding[] {
  if (addresses.kind === 'Given') return []
  if (addresses.kind === 'Found') return [ok('address', `${host} is ${addresses.ips.join(', ')}`)]
  const { cause, mxHosts } = addresses
  const advice =
    mxHosts.length > 0
      ? `This is a mail domain; check its MX host${mxHosts.length > 1 ? 's' : ''} ${mxHosts.join(', ')} instead`
      : 'Check the name, and the DNS servers of this machine'
  return [fail('address', `no address found for ${host}: ${cause}`, advice)]
}

const reached = ({ ip, connectMs }: SessionAttempt, port: number): Finding =>
  ok('connection', `connected to ${ip}, port ${port}, in ${connectMs} ms`)

function unreachable({ ip, outcome }: SessionAttempt, port: number, findingOf: typeof fail): Finding {
  const reply = outcome.kind === 'Failed' ? outcome.reply : null
  const advice =
    reply?.enhanced === '4.4.316'
      ? `No server accepts connections on port ${port}: check the port, the server and its firewall`
      : `Check the address and the firewalls; many networks block outgoing port 25`
  return findingOf('connection', `${ip}, port ${port}: ${reply?.text ?? 'failed'}`, advice)
}

function sessionFindings(
  attempt: SessionAttempt,
  target: ServerFacts['target'],
  probes: HandshakeProbes | null,
): Finding[] {
  const { greeting, outcome } = attempt
  if (greeting === null) return [fail('greeting', failureText(attempt), adviceForSilence(target.port))]
  const greetingFinding = ok('greeting', greeting)
  if (outcome.kind === 'Failed')
    return [
      greetingFinding,
      fail(
        'starttls',
        `${failedSteps[attempt.reached] ?? 'failed'}: ${formatReply(outcome.reply)}`,
        'See the log of the server',
      ),
    ]
  return [
    greetingFinding,
    ...tlsFindings(outcome.tls, target, probes),
    ...(attempt.chunking ? [chunkingFinding(attempt.chunking)] : []),
  ]
}

/** A delivery remembers for a day that a host refuses BDAT. */
function chunkingFinding(chunking: ChunkingSupport): Finding {
  if (chunking.kind === 'Accepted') return ok('chunking', 'announced; mail is sent by BDAT')
  const seen =
    chunking.kind === 'Refused'
      ? `announced, but BDAT is refused: ${chunking.serverReply}`
      : 'announced, but the server did not reply to BDAT'
  return warn(
    'chunking',
    seen,
    'Mail is sent by DATA. Remove CHUNKING from the reply to EHLO, or let BDAT pass the firewall',
  )
}

/** The step that failed, by the last milestone reached. */
const failedSteps: Partial<Record<SessionAttempt['reached'], string>> = {
  Greeted: 'EHLO failed',
  StartTlsSent: 'STARTTLS failed',
  Secured: 'EHLO over TLS failed',
}

const failureText = ({ outcome }: SessionAttempt): string =>
  outcome.kind === 'Failed' ? outcome.reply.text : 'none'

const adviceForSilence = (port: number): string =>
  port === 465
    ? 'Port 465 uses TLS from the first octet (implicit TLS); use port 25 for mail between servers'
    : 'A mail server greets with 220: check the port, and whether the server blocks the address of this machine'

function tlsFindings(
  tls: ServerTls,
  target: ServerFacts['target'],
  probes: HandshakeProbes | null,
): Finding[] {
  switch (tls.kind) {
    case 'NotOffered':
      return [
        fail(
          'starttls',
          `not offered${tls.serverReply === null ? '' : `: ${tls.serverReply}`}`,
          'Mail is sent in the clear, or deferred if TLS is forced. Enable STARTTLS on the server; if it is already enabled, a firewall on the path may remove the offer',
        ),
      ]
    case 'HandshakeFailed':
      return [
        fail(
          'starttls',
          `offered, but the handshake failed: ${tls.cause}`,
          adviceForHandshake(tls.cause, probes?.legacyTls),
        ),
      ]
    case 'Established':
      return [
        ok('starttls', `offered, handshake with ${targetText(target)} succeeded`),
        ok('protocol', tls.protocol),
        cipherFinding(tls),
        ...(probes ? [legacyTlsFinding(probes.legacyTls)] : []),
        ...(tls.chain.length > 0 ? [] : [noCertificate]),
      ]
  }
}

/** The finding about a server without a readable certificate. No other finding about certificates follows it. */
const noCertificate = fail(
  'certificate',
  'the server presented no readable certificate',
  'Install a PEM certificate on the server, with its key and intermediate certificates',
)

const requiredTls =
  'TLS 1.2 or 1.3 with forward secrecy and authenticated encryption (ECDHE or DHE, with AES-GCM)'

/** @param anyHandshake the handshake that allowed every version and cipher suite of OpenSSL */
function adviceForHandshake(cause: string, anyHandshake: Handshake | undefined): string {
  if (/CERTIFICATE_REQUIRED/.test(cause))
    return 'The server requires a client certificate: set clientCertificate in the connector'
  return anyHandshake?.kind === 'Done' && isWeak(anyHandshake)
    ? `The server accepts ${anyHandshake.protocol} with ${anyHandshake.cipher}, which is too weak for mailflow. Enable ${requiredTls}`
    : `The server must support ${requiredTls}, and have a certificate with a suitable key; see the server's log for the reason, for example a missing client certificate`
}

const isWeak = ({ protocol, cipher }: { protocol: string; cipher: string }): boolean =>
  protocol !== 'TLSv1.3' && !(protocol === 'TLSv1.2' && hasForwardSecrecy(cipher) && /_GCM_/.test(cipher))

const unknownGroupName = (cipher: string): string =>
  cipher.includes('_DHE_') ? 'DHE' : 'of an unknown group'

function cipherFinding({ protocol, cipher, group }: EstablishedTls): Finding {
  const cipherText = `${cipher}, key exchange ${group === null ? unknownGroupName(cipher) : (curveName[group] ?? group)}`
  return protocol === 'TLSv1.3' || hasForwardSecrecy(cipher)
    ? ok('cipher', `${cipherText}, forward secrecy`)
    : fail(
        'cipher',
        `${cipherText}, no forward secrecy`,
        'A recorded session can be decrypted once the server key is known. Prefer ECDHE',
      )
}

function legacyTlsFinding(handshake: Handshake): Finding {
  switch (handshake.kind) {
    case 'Done':
      return warn(
        'older',
        `${handshake.protocol} with ${handshake.cipher} is also accepted`,
        'TLS 1.0 and 1.1 are deprecated (RFC 8996). Mailflow never uses them; disable them on the server',
      )
    case 'Refused':
      return ok('older', `TLS 1.0 and 1.1 are refused (${handshake.cause})`)
    case 'NotTested':
      return warn(
        'older',
        `not tested: ${handshake.cause}`,
        'Run the check again later; some servers limit connections',
      )
  }
}
