/** Builds responses that a browser displays without running a script. */
import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { contentSecurityPolicy } from './page/style.ts'

export interface Content {
  status: number
  type: string
  body: string
  /** Seconds that caches may keep the response; 0 forbids caching. */
  maxAge: number
  /** Scripts of other origins may read the response (CORS). */
  allowsAllOrigins?: boolean
  headers?: Record<string, string>
}

type Result = APIGatewayProxyStructuredResultV2

export function toGatewayResult(method: string, content: Content): Result {
  const { status, body, type } = content
  const headers = {
    ...headersOf(content),
    'content-type': type,
    'content-security-policy': contentSecurityPolicy,
  }
  return { statusCode: status, headers, ...(method !== 'HEAD' && { body }) }
}

/** Evaluates If-None-Match (RFC 9110 §13.1.2). @returns null when the content must be sent */
export function notModified({ headers }: APIGatewayProxyEventV2, content: Content): Result | null {
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch === undefined || content.status !== 200) return null
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(entityTag(content)) ? { statusCode: 304, headers: headersOf(content) } : null
}

const headersOf = (content: Content) => ({
  'cache-control': content.maxAge > 0 ? `public, max-age=${content.maxAge}` : 'no-store',
  ...(content.status === 200 && { etag: entityTag(content) }),
  ...(content.allowsAllOrigins && { 'access-control-allow-origin': '*' }),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  ...content.headers,
})

const entityTag = ({ body }: Content): string =>
  `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
