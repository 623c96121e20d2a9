/** The origins to which a browser sends requests while a person signs in. */
import * as z from 'zod'

/** OpenID Connect Discovery 1.0 §3 */
const Metadata = z.object({
  token_endpoint: z.url(),
  revocation_endpoint: z.url().optional(),
})

const timeoutMs = 3000
const cacheMs = 3_600_000

/**
 * Reads them from the issuer's metadata. Some issuers have their token endpoint on another host.
 * @returns a function that returns at least the issuer's own origin, also if its metadata cannot be read
 */
export function issuerOrigins(issuer: string, now: () => number): () => Promise<readonly string[]> {
  const own = new URL(issuer).origin
  let known: { origins: readonly string[]; until: number } | null = null
  return async () => {
    if (known !== null && now() < known.until) return known.origins
    try {
      const origins = [...new Set([own, ...(await readOrigins(issuer))])]
      known = { origins, until: now() + cacheMs }
      return origins
    } catch {
      return known?.origins ?? [own]
    }
  }
}

async function readOrigins(issuer: string): Promise<string[]> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  const { token_endpoint, revocation_endpoint } = Metadata.parse(await response.json())
  return [token_endpoint, revocation_endpoint].flatMap((each) => (each ? [new URL(each).origin] : []))
}
