/**
 * `npx mailflow check HOST`: checks a mail server's TLS and its certificate, or a certificate in a file.
 *
 * Steps, in order:
 * 1. `facts/` gathers. `gather-facts.ts` opens a session like a delivery, tries handshakes that deliveries never make,
 *    follows the certificates to a root, and fetches every URL in them. `facts.ts` describes the facts.
 * 2. `findings/` assesses facts, and is pure. `judge-facts.ts` turns facts into findings; `finding.ts` describes a
 *    finding, and each `…-findings.ts` assesses one part of the facts.
 * 3. `findings-text.ts` formats the findings. `--json` prints them unchanged.
 */
import type { World } from '../command.ts'
import { type GatherOptions, gatherFileFacts, gatherServerFacts } from './facts/gather-facts.ts'
import { readChain } from './facts/read-certificates.ts'
import { trustStore } from './facts/trust-store.ts'
import type { Finding } from './findings/finding.ts'
import { judgeFacts } from './findings/judge-facts.ts'
import type { Target } from './target.ts'

export interface CheckOptions {
  /** The name that the certificate must have, in comparable form. */
  readonly serverName: string | null
  /** A file of additional trusted authorities. */
  readonly authorities: string | undefined
  /** Milliseconds for each step. */
  readonly timeoutMs: number
}

/** @throws Fault for the file of authorities; every problem of the server is a finding */
export async function checkServer(target: Target, options: CheckOptions, world: World): Promise<Finding[]> {
  return judgeFacts(await gatherServerFacts(target, await gatherOptions(options, world)))
}

/**
 * @param file holds certificates, leaf first; `-` is standard input
 * @throws Fault for a file without certificates; every problem of a certificate is a finding
 */
export async function checkFile(file: string, options: CheckOptions, world: World): Promise<Finding[]> {
  const gathering = await gatherOptions(options, world)
  return judgeFacts(await gatherFileFacts(await readChain(file, world), gathering))
}

async function gatherOptions(options: CheckOptions, world: World): Promise<GatherOptions> {
  const { serverName, authorities, timeoutMs: timeout } = options
  return { serverName, timeout, store: await trustStore(authorities, world), at: new Date(world.now()) }
}
