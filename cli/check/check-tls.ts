/**
 * `npx mailflow check HOST`: checks a mail server's TLS and its certificate, or a certificate in a file.
 *
 * In the order in which it runs:
 * 1. `facts/` gathers. `gather-facts.ts` opens a session as a delivery opens it, makes handshakes that a delivery never
 *    makes, follows the certificates to a root, and asks every URL in them. `facts.ts` describes all that is gathered.
 * 2. `findings/` judges, and is pure. `judge-facts.ts` turns facts into findings; `finding.ts` describes a finding, and
 *    each `…-findings.ts` judges one part of the facts.
 * 3. `findings-text.ts` prints the findings. `--json` prints them as they are.
 */
import type { World } from '../command.ts'
import { type GatherOptions, gatherFileFacts, gatherServerFacts } from './facts/gather-facts.ts'
import { readChain } from './facts/read-certificates.ts'
import { trustStore } from './facts/trust-store.ts'
import type { Finding } from './findings/finding.ts'
import { judgeFacts } from './findings/judge-facts.ts'
import type { Target } from './target.ts'

export interface CheckOptions {
  /** What the certificate is to be for, in comparable form. */
  readonly serverName: string | null
  /** A file of authorities that are trusted, too. */
  readonly authorities: string | undefined
  /** Milliseconds of each step. */
  readonly timeout: number
}

/** @throws Fault for the file of authorities; of the server everything is a finding */
export async function checkServer(target: Target, options: CheckOptions, world: World): Promise<Finding[]> {
  return judgeFacts(await gatherServerFacts(target, await gatherOptions(options, world)))
}

/**
 * @param file with certificates, leaf first; `-` for standard input
 * @throws Fault for a file without certificates; of these everything is a finding
 */
export async function checkFile(file: string, options: CheckOptions, world: World): Promise<Finding[]> {
  const gathering = await gatherOptions(options, world)
  return judgeFacts(await gatherFileFacts(await readChain(file, world), gathering))
}

async function gatherOptions(options: CheckOptions, world: World): Promise<GatherOptions> {
  const { serverName, authorities, timeout } = options
  return { serverName, timeout, store: await trustStore(authorities, world), at: new Date(world.now()) }
}
