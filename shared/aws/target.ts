/**
 * The endpoint and the signing scope that the SDK chooses for a command. The SDK implements the rules for regions,
 * configured endpoints, addressing styles and queue URLs, so a middleware captures the SDK's request before it is sent.
 */
import type { Origin } from './http-connections.ts'
import type { CredentialScope } from './signer.ts'

export interface Target extends CredentialScope, Origin {
  path: string
}

interface SignedRequest {
  protocol: string
  hostname: string
  port?: number
  path: string
  headers: Record<string, string>
}

/** The part of an SDK command that `resolveTarget` uses. */
interface Command {
  middlewareStack: {
    add(
      middleware: () => (args: { request: unknown }) => Promise<never>,
      options: { step: 'deserialize'; priority: 'low'; name: string },
    ): void
  }
}

/** Carries the captured request, and ends the SDK's handling of it before anything is sent. */
class CapturedRequest extends Error {
  readonly request: SignedRequest

  constructor(request: SignedRequest) {
    super('request captured, not sent')
    this.request = request
  }
}

/**
 * @param send sends the command through the SDK
 * @throws the SDK's error when it finds no region, endpoint or credentials
 */
export async function resolveTarget<C>(send: (command: C) => Promise<unknown>, command: C): Promise<Target> {
  const { middlewareStack } = command as Command
  const capture = () => async (args: { request: unknown }) => {
    throw new CapturedRequest(args.request as SignedRequest)
  }
  middlewareStack.add(capture, { step: 'deserialize', priority: 'low', name: 'captureRequest' })
  try {
    await send(command)
  } catch (error) {
    if (error instanceof CapturedRequest) return parseTarget(error.request)
    throw error
  }
  throw new Error('the SDK sent the request without calling the capturing middleware')
}

function parseTarget({ protocol, hostname, port, path, headers }: SignedRequest): Target {
  const [, region, service] =
    /Credential=[^,]*\/(?:\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request,/.exec(headers.authorization ?? '') ?? []
  if (region === undefined || service === undefined)
    throw new Error('the Authorization header of the SDK has an unknown format')
  return { isSecure: protocol === 'https:', hostname, port: port ?? null, path, region, service }
}
