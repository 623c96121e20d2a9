/**
 * `npx mailflow check HOST`: checks a mail server's TLS and its certificate, or a certificate in a file.
 *
 * Steps, in order:
 * 1. `facts/` gathers the facts. `gather-facts.ts` opens a session like a delivery, tries handshakes that deliveries
 *    never make, follows the certificates to a root, and fetches every URL in them. `facts.ts` describes the facts.
 * 2. `findings/` assesses the facts. Its code is pure. `assess-facts.ts` turns facts into findings; `finding.ts`
 *    describes a finding, and each `…-findings.ts` assesses one part of the facts.
 * 3. `findings-text.ts` formats the findings. `--json` prints them unchanged.
 */
import type { ConformanceResult } from '../../shared/conformance/criterion.ts'
import { customerResults } from '../../shared/conformance/customer-criteria.ts'
import { serverResults } from '../../shared/conformance/server-results.ts'
import type { Io } from '../command.ts'
import { gatherServerConformance } from './conformance/check-conformance.ts'
import { type GatherOptions, gatherFileFacts, gatherServerFacts } from './facts/gather-facts.ts'
import { readChain } from './facts/read-certificates.ts'
import { loadTrustStore } from './facts/trust-store.ts'
import { assessFacts } from './findings/assess-facts.ts'
import type { Finding } from './findings/finding.ts'
import type { Target } from './target.ts'

export interface CheckOptions {
  /** The name that the certificate must have, in comparable form. */
  readonly serverName: string | null
  /** A file of additional trusted authorities. */
  readonly authorities: string | undefined
  /** Timeout of each step. */
  readonly timeoutMs: number
}

/** @throws CommandError when the file of authorities cannot be read; every fault of the server is a finding */
export async function checkServer(target: Target, options: CheckOptions, io: Io): Promise<Finding[]> {
  return assessFacts(await gatherServerFacts(target, await gatherOptions(options, io)))
}

/** @throws CommandError when the file of authorities cannot be read */
export async function checkConformance(
  target: Target,
  options: CheckOptions,
  io: Io,
): Promise<ConformanceResult[]> {
  const facts = await gatherServerFacts(target, await gatherOptions(options, io))
  const server = await gatherServerConformance(facts, target, options.timeoutMs)
  return [...serverResults(server), ...customerResults]
}

/**
 * @param file a file of certificates, leaf first; `-` is standard input
 * @throws CommandError for a file without certificates; every fault of a certificate is a finding
 */
export async function checkFile(file: string, options: CheckOptions, io: Io): Promise<Finding[]> {
  const gatheringOptions = await gatherOptions(options, io)
  return assessFacts(await gatherFileFacts(await readChain(file, io), gatheringOptions))
}

async function gatherOptions(options: CheckOptions, io: Io): Promise<GatherOptions> {
  const { serverName, authorities, timeoutMs } = options
  return {
    serverName,
    timeout: timeoutMs,
    store: await loadTrustStore(authorities, io),
    at: new Date(io.now()),
  }
}
