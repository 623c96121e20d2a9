/** How content is answered, so that a browser does with it nothing but show it. */
import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { contentSecurityPolicy } from './page/style.ts'

export interface Content {
  status: number
  type: string
  body: string
  /** Seconds; 0 for what must not be kept. */
  maxAge: number
  /** Pages of others may read it from a browser. */
  isForAll?: boolean
  headers?: Record<string, string>
}

type Result = APIGatewayProxyStructuredResultV2

export function resultOf(method: string, content: Content): Result {
  const { status, body, type } = content
  const headers = {
    ...headersOf(content),
    'content-type': type,
    'content-security-policy': contentSecurityPolicy,
  }
  return { statusCode: status, headers, ...(method !== 'HEAD' && { body }) }
}

/** RFC 9110 §13.1.2. @returns null where it has to be sent whole */
export function notModified({ headers }: APIGatewayProxyEventV2, content: Content): Result | null {
  const asked = headers['if-none-match']
  if (asked === undefined || content.status !== 200) return null
  const tags = asked.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(entityTag(content)) ? { statusCode: 304, headers: headersOf(content) } : null
}

const headersOf = (content: Content) => ({
  'cache-control': content.maxAge > 0 ? `public, max-age=${content.maxAge}` : 'no-store',
  ...(content.status === 200 && { etag: entityTag(content) }),
  ...(content.isForAll && { 'access-control-allow-origin': '*' }),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  ...content.headers,
})

const entityTag = ({ body }: Content): string =>
  `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
