/** A large message in the spool: its file, and what is known of the octets that came, whatever the disk says later. */
import { type ContentDigest, ContentDigester, type LargeContent } from '../../../shared/content/multipart.ts'
import { insufficientSpool, type Refused, spoolUnavailable } from '../replies.ts'
import { SpoolError, type SpoolFile } from './spool.ts'

/** A refusal, and what of ours was at fault, for the log alone. */
export interface Rejected extends Refused {
  cause?: unknown
}

/** @param error what the spool threw */
export function spoolFault(error: unknown): Rejected {
  const refused = error instanceof SpoolError && error.isFull ? insufficientSpool : spoolUnavailable
  return { ...refused, cause: error }
}

export class SpooledContent {
  readonly #file: SpoolFile
  readonly #digester = new ContentDigester()
  readonly #discarded = new AbortController()

  constructor(file: SpoolFile) {
    this.#file = file
  }

  /** Aborted when nobody wants the content any more. */
  get signal(): AbortSignal {
    return this.#discarded.signal
  }

  /** @param octets kept unchanged until it resolves @throws SpoolError */
  append(octets: Buffer): Promise<void> {
    this.#digester.update(octets)
    return this.#file.append(octets)
  }

  /** Nothing follows. */
  finish(): LargeContent {
    const digest: ContentDigest = this.#digester.finish()
    return { ...digest, read: (into, position) => this.#file.read(into, position) }
  }

  discard(): void {
    this.#discarded.abort()
    void this.#file.discard()
  }
}
