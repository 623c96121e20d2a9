/**
 * Verifies DKIM signatures while the client waits for the reply to its end of data. The attack: many messages at the same
 * time whose keys no name server returns. The defence: a few slots, and a limit of time for DNS and for the wait.
 */
import type { AlignedSignatures } from '../../../shared/authentication/aligned-signatures.ts'
import type { MessageOctets } from '../../../shared/authentication/message-pieces.ts'
import { concurrencyLimiter } from '../../../shared/limits/concurrency-limiter.ts'
import { raceWithSignal } from '../../../shared/net/race-with-signal.ts'
import type { ReceivedContent } from '../intake/received-content.ts'

export interface SignatureVerifierOptions {
  /** @param signal ends the DNS queries */
  verify(content: MessageOctets, signal: AbortSignal): Promise<AlignedSignatures>
  /** Milliseconds for a message, with its wait for a slot. Default: 30 s; a client waits ten minutes. */
  timeoutMs?: number
}

/** One processor hashes the content; most of the time is the wait for DNS. */
const maxConcurrentMessages = 8
/** Milliseconds for all DNS queries of a message. */
const dnsTimeoutMs = 10_000

export class SignatureVerifier {
  readonly #options: SignatureVerifierOptions
  readonly #runInSlot = concurrencyLimiter(maxConcurrentMessages)

  constructor(options: SignatureVerifierOptions) {
    this.#options = options
  }

  /** @returns null when the time is over or the client has given the message up @throws SpoolError */
  verify({ octets, signal: abandoned }: ReceivedContent): Promise<AlignedSignatures | null> {
    const { verify, timeoutMs = 30_000 } = this.#options
    const signal = AbortSignal.any([abandoned, AbortSignal.timeout(timeoutMs)])
    const work = this.#runInSlot(async () => {
      signal.throwIfAborted()
      return verify(octets, AbortSignal.any([signal, AbortSignal.timeout(dnsTimeoutMs)]))
    })
    return raceWithSignal(work, signal)
  }
}
