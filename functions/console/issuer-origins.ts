/** The origins to which a browser sends requests while a person signs in. */
import * as z from 'zod'

/** OpenID Connect Discovery 1.0 §3 */
const Metadata = z.object({
  token_endpoint: z.url(),
  revocation_endpoint: z.url().optional(),
})

const timeoutMs = 3000
const cacheMs = 3_600_000
const cacheMsAfterFailure = 30_000

/**
 * Reads them from the issuer's metadata. Some issuers have their token endpoint on another host. Attack: while the issuer
 * does not answer, a stranger requests the page so often that all executions wait for it. Defence: a failure is cached, too.
 * @returns a function that returns at least the issuer's own origin, also if its metadata cannot be read
 */
export function issuerOrigins(issuer: string, now: () => number): () => Promise<readonly string[]> {
  const own = new URL(issuer).origin
  let known: { origins: readonly string[]; until: number } | null = null
  return async () => {
    if (known !== null && now() < known.until) return known.origins
    try {
      known = { origins: [...new Set([own, ...(await readOrigins(issuer))])], until: now() + cacheMs }
    } catch {
      known = { origins: known?.origins ?? [own], until: now() + cacheMsAfterFailure }
    }
    return known.origins
  }
}

async function readOrigins(issuer: string): Promise<string[]> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  const { token_endpoint, revocation_endpoint } = Metadata.parse(await response.json())
  return [token_endpoint, revocation_endpoint].flatMap((each) => (each ? [new URL(each).origin] : []))
}
