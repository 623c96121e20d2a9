/** Reads a request's body. A malformed body is refused before any table is read. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type * as z from 'zod'
import { jsonFault } from '../contract/parse-json.ts'
import { faultsOf } from '../contract/schema-faults.ts'
import { Problem } from './problem.ts'

/** More than twice the size of the largest item that the connectors table accepts. */
const defaultMaxBodyOctets = 1_048_576

/**
 * Returns the body as JSON, not yet validated.
 * @throws Problem 415, 413 or 400
 */
export function readJson(event: APIGatewayProxyEventV2, maxBodyOctets = defaultMaxBodyOctets): unknown {
  const octets = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  if (octets.length === 0) throw new Problem(400, 'A JSON body is required.')
  if (!isJson(event.headers['content-type']))
    throw new Problem(415, 'Send the body with Content-Type: application/json.', {
      headers: { accept: 'application/json' },
    })
  if (octets.length > maxBodyOctets)
    throw new Problem(413, `The body is larger than ${maxBodyOctets} octets.`)
  const text = decode(octets)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem(400, `The body is not JSON: ${jsonFault(error as Error)}.`)
  }
}

function decode(octets: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets)
  } catch {
    throw new Problem(400, 'The body is not UTF-8.')
  }
}

/** Reads the body like `readJson`. Returns an empty object when there is no body. */
export function readOptionalJson(event: APIGatewayProxyEventV2, maxBodyOctets?: number): unknown {
  return event.body ? readJson(event, maxBodyOctets) : {}
}

/** @throws Problem 422 that names every fault by its path */
export function readBody<T extends z.ZodType>(schema: T, json: unknown): z.output<T> {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new Problem(422, 'The body is not valid.', { errors: faultsOf(parsed.error) })
}

function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return true
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  return type === 'application/json' || /^application\/[\w.-]+\+json$/.test(type)
}
