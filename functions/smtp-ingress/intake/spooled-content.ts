/**
 * A large message in the spool. Its digest is computed from the octets received, so a disk that returns other octets is
 * detected.
 */
import {
  type ContentDigest,
  ContentDigester,
  type LargeContent,
} from '../../../shared/content/large-content.ts'
import type { ExchangeOnlineFields } from '../../../shared/contract/authentication.ts'
import { insufficientSpool, type Refusal, spoolUnavailable } from '../replies.ts'
import { SpoolError, type SpoolFile } from './spool.ts'

/** A refusal, and the internal error behind it, for the log only. */
export interface RefusalWithCause extends Refusal {
  cause?: unknown
  /** Further fields for the log; `exchangeOnline` for the event only. */
  details?: {
    recipient?: string
    connector?: string | null
    explanation?: string
    tenant?: string
    exchangeOnline?: ExchangeOnlineFields | null
  }
}

/** @param error thrown by the spool */
export function spoolRefusal(error: unknown): RefusalWithCause {
  const refusal = error instanceof SpoolError && error.isFull ? insufficientSpool : spoolUnavailable
  return { ...refusal, cause: error }
}

export class SpooledContent {
  readonly #file: SpoolFile
  readonly #digester = new ContentDigester()
  readonly #discarded = new AbortController()

  constructor(file: SpoolFile) {
    this.#file = file
  }

  /** Aborted when the content is no longer needed. */
  get signal(): AbortSignal {
    return this.#discarded.signal
  }

  get length(): number {
    return this.#file.length
  }

  /** @param octets must not change until the promise resolves @throws SpoolError */
  append(octets: Buffer): Promise<void> {
    this.#digester.update(octets)
    return this.#file.append(octets)
  }

  /** Must follow the last `append`. */
  finish(): LargeContent {
    const digest: ContentDigest = this.#digester.finish()
    return { ...digest, read: (into, position) => this.read(into, position) }
  }

  /** Fills the buffer from a position on. @throws SpoolError */
  read(into: Buffer, position: number): Promise<void> {
    return this.#file.read(into, position)
  }

  discard(): void {
    this.#discarded.abort()
    void this.#file.discard()
  }
}
