/**
 * Opens a session with a server and ends it before MAIL FROM. The code is that of a delivery, with the same TLS offer
 * and trust anchors, so a delivery has the same result.
 */
import { hostname } from 'node:os'
import { type Endpoint, establishConnection } from '../../../shared/net/smtp/connection.ts'
import type { Milestone } from '../../../shared/net/smtp/negotiation.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import type { SessionAttempt } from './facts.ts'
import { probeChunking } from './probe-chunking.ts'

export interface SessionOptions {
  /** SNI; null when the client sends no SNI. */
  readonly serverName: string | null
  /** PEM; empty means the public roots alone. */
  readonly roots: readonly string[]
  /** Timeout of each step in milliseconds. */
  readonly timeout: number
}

/** Connection, greeting, EHLO, STARTTLS, handshake, EHLO, BDAT. */
const stepCount = 7

/** Never throws. */
export async function openDeliverySession(
  endpoint: Endpoint,
  { serverName, roots, timeout }: SessionOptions,
): Promise<SessionAttempt> {
  let reached: Milestone = 'Dialled'
  let greeting: string | null = null
  let connectMs: number | null = null
  const startedAt = performance.now()
  const signal = AbortSignal.timeout(stepCount * timeout)
  const result = await establishConnection(
    endpoint,
    {
      ehloName: ehloName(),
      serverName,
      enforced: {
        ...opportunistic,
        level: 'EncryptionOnly',
        source: 'Connector',
        certificateAuthorities: roots,
      },
      timeouts: { connect: timeout, greeting: timeout, command: timeout, data: timeout },
      signal,
      onMilestone(milestone, greetingText) {
        reached = milestone
        if (milestone === 'Connected') connectMs = Math.round(performance.now() - startedAt)
        if (milestone === 'Greeted') greeting ??= greetingText
      },
    },
    'Required',
  )
  const chunking =
    result.kind === 'Established' && result.extensions.has('CHUNKING')
      ? await probeChunking(result.connection, result.tls, signal)
      : null
  if (result.kind === 'Established') result.connection.quit()
  return {
    ip: endpoint.ip,
    reached,
    greeting,
    connectMs,
    chunking,
    outcome:
      result.kind === 'Failed' ? { kind: 'Failed', reply: result.reply } : { kind: 'Tls', tls: result.tls },
  }
}

/** RFC 5321 §4.1.4: a machine without a domain name uses an address literal. */
export function ehloName(): string {
  const name = hostname()
  return name.includes('.') ? name : '[127.0.0.1]'
}
