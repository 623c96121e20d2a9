/**
 * Builds the function that serves the public pages. Attack: a client sends any number of requests, with its own text in
 * path, query and headers. Defence: API Gateway limits the rate, and no response repeats anything of a request. The
 * store is read only for the published certificates, whose read is cached, and for the domain in the Host header of a
 * policy request. Not covered: secrecy, because all content is public.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import type { AcceptedDomains } from '../../shared/connectors-table/repository.ts'
import type { PublishedCertificates } from '../../shared/contract/certificates.ts'
import { daySeconds } from '../../shared/contract/durations.ts'
import { certificatesPath, policyHostHeader, policyPath } from '../../shared/contract/public-pages.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { descriptionAt } from '../../shared/tls/description-at.ts'
import { certificatesPage, type Publisher } from './page/certificates-page.ts'
import { messagePage } from './page/document.ts'
import { type Content, notModified, toGatewayResult } from './response.ts'

export interface Dependencies {
  published: Pick<PublishedCertificatesItem, 'read'>
  acceptedDomains: Pick<AcceptedDomains, 'get'>
  /** The text of the organisation's MTA-STS policy; null when none is published. */
  policy: string | null
  publisher: Publisher
  logger: Pick<Logger, 'error'>
  /** Milliseconds since the epoch. */
  now?: () => number
}

export type PagesHandler = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>

const cacheTtlMs = 15_000
/** Seconds that browsers and proxies may cache a response. */
const defaultMaxAgeSeconds = 300

export function createPublicPages(dependencies: Dependencies): PagesHandler {
  const { logger, now = Date.now } = dependencies
  const read = cacheResult(cacheTtlMs, now, () => dependencies.published.read())
  return async (event) => {
    const { method } = event.requestContext.http
    if (method !== 'GET' && method !== 'HEAD') return toGatewayResult(method, methodNotAllowed)
    try {
      const content = await contentFor(event, read, { ...dependencies, now })
      return notModified(event, content) ?? toGatewayResult(method, content)
    } catch (error) {
      logger.error('The page could not be created', error as Error)
      return toGatewayResult(method, temporarilyUnavailable)
    }
  }
}

async function contentFor(
  event: APIGatewayProxyEventV2,
  read: () => Promise<PublishedCertificates | null>,
  { publisher, policy, acceptedDomains, now }: Dependencies & { now(): number },
): Promise<Content> {
  const { rawPath: path } = event
  if (path === policyPath) return policyFor(hostOf(event), policy, acceptedDomains)
  const match = certificatesPath.exec(path)
  if (match === null) return notFoundContent
  const [, fingerprint] = match
  const stored = await read()
  if (!stored) return notPublishedYet
  const published = descriptionAt(stored, new Date(now()))
  if (fingerprint !== undefined) return chainOf(published, fingerprint)
  const maxAge = secondsToChange(published, now())
  return path === '/'
    ? { status: 200, type: 'text/html; charset=utf-8', body: certificatesPage(published, publisher), maxAge }
    : {
        status: 200,
        type: 'application/json',
        body: JSON.stringify(published, null, 2),
        maxAge,
        allowsAllOrigins: true,
      }
}

function chainOf({ certificates }: PublishedCertificates, fingerprint: string): Content {
  const certificate = certificates.find(({ fingerprint256 }) => fingerprint256 === fingerprint)
  if (!certificate) return notFoundContent
  const type = 'application/pem-certificate-chain'
  return { status: 200, type, body: certificate.chain, maxAge: daySeconds, allowsAllOrigins: true }
}

/** Returns for how many seconds a page may be cached: at most until the next certificate is served. */
function secondsToChange({ certificates }: PublishedCertificates, now: number): number {
  const next = certificates.find(({ state }) => state === 'Next')?.servedFrom
  if (!next) return defaultMaxAgeSeconds
  return Math.max(0, Math.min(defaultMaxAgeSeconds, Math.floor((Date.parse(next) - now) / 1000)))
}

/**
 * RFC 8461 §3.3: a sender fetches the policy from the domain's policy host, `mta-sts.DOMAIN`. The policy is the same
 * for all domains. For a host name that does not begin with `mta-sts.`, no domain is looked up: a domain's own web
 * server may fetch the policy under another name of this function, and serve it as the policy host.
 */
async function policyFor(
  host: string,
  policy: string | null,
  acceptedDomains: Dependencies['acceptedDomains'],
): Promise<Content> {
  if (policy === null) return noPolicy
  if (host.startsWith('mta-sts.')) {
    const domain = normaliseDomain(host.slice('mta-sts.'.length))
    if (domain === null || !(await acceptedDomains.get(domain))) return domainNotAccepted
  }
  return {
    status: 200,
    type: 'text/plain; charset=utf-8',
    body: policy,
    maxAge: defaultMaxAgeSeconds,
    allowsAllOrigins: true,
  }
}

/**
 * Returns the host name in lower case, without a final dot and without the port, which clients send only when it is not
 * 443. A client that sends CloudFront's header itself gains nothing: a Host header has the same effect.
 */
function hostOf({ headers, requestContext }: APIGatewayProxyEventV2): string {
  const host = headers[policyHostHeader] ?? headers.host ?? requestContext.domainName ?? ''
  return host.toLowerCase().replace(/\.?(:\d+)?$/, '')
}

/** Caches the result of `call` for `ms` milliseconds. A failure is not cached. Concurrent requests share one call. */
function cacheResult<T>(ms: number, now: () => number, call: () => Promise<T>): () => Promise<T> {
  let last: { value: Promise<T>; at: number } | null = null
  return () => {
    if (last !== null && now() - last.at < ms) return last.value
    const pending = { value: call(), at: now() }
    last = pending
    pending.value.catch(() => {
      if (last === pending) last = null
    })
    return pending.value
  }
}

const messageContent = (
  status: number,
  title: string,
  text: string,
  headers: Record<string, string> = {},
): Content => ({
  status,
  type: 'text/html; charset=utf-8',
  body: messagePage(title, text),
  maxAge: status === 404 ? 60 : 0,
  headers,
})

const notFoundContent = messageContent(404, 'Page not found', 'The path “/” shows our certificates.')
const notPublishedYet = messageContent(
  404,
  'Nothing is published yet',
  'Our certificates are published within an hour of the deployment. Try again then.',
)
const noPolicy = messageContent(404, 'No policy', 'This server publishes no MTA-STS policy.')
const domainNotAccepted = messageContent(404, 'No policy', 'This gateway receives no mail for this domain.')
const methodNotAllowed = messageContent(405, 'Method not allowed', 'These pages allow only GET and HEAD.', {
  allow: 'GET, HEAD',
})
const temporarilyUnavailable = messageContent(503, 'Temporarily unavailable', 'Try again in a minute.', {
  'retry-after': '60',
})
