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
import { type CheckOptions, gatherFileFacts, gatherServerFacts } from './facts/gather-facts.ts'
import type { CertificateChain } from './facts/read-certificates.ts'
import type { Finding } from './findings/finding.ts'
import { judgeFacts } from './findings/judge-facts.ts'
import type { Target } from './target.ts'

/** Never throws. */
export const checkServer = async (target: Target, options: CheckOptions): Promise<Finding[]> =>
  judgeFacts(await gatherServerFacts(target, options))

/** Never throws. */
export const checkFile = async (chain: CertificateChain, options: CheckOptions): Promise<Finding[]> =>
  judgeFacts(await gatherFileFacts(chain, options))
