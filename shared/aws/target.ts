/**
 * The endpoint and the signing scope that the SDK chooses for a command. The SDK has the rules for regions, configured
 * endpoints, addressing styles and queue URLs: a middleware captures its request before it is sent.
 */
import type { Place } from './exchange.ts'
import type { Scope } from './signature.ts'

export interface Target extends Scope, Place {
  path: string
}

interface SignedRequest {
  protocol: string
  hostname: string
  port?: number
  path: string
  headers: Record<string, string>
}

/** The part of an SDK command that is used here. */
interface Command {
  middlewareStack: {
    add(
      middleware: () => (args: { request: unknown }) => Promise<never>,
      options: { step: 'deserialize'; priority: 'low'; name: string },
    ): void
  }
}

/** Carries the captured request, and ends the SDK's handling of it before anything is sent. */
class Met extends Error {
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
export async function targetOf<C>(send: (command: C) => Promise<unknown>, command: C): Promise<Target> {
  const { middlewareStack } = command as Command
  const meet = () => async (args: { request: unknown }) => {
    throw new Met(args.request as SignedRequest)
  }
  middlewareStack.add(meet, { step: 'deserialize', priority: 'low', name: 'meet' })
  try {
    await send(command)
  } catch (error) {
    if (error instanceof Met) return readTarget(error.request)
    throw error
  }
  throw new Error('the SDK sent the request without calling the capturing middleware')
}

function readTarget({ protocol, hostname, port, path, headers }: SignedRequest): Target {
  const [, region, service] =
    /Credential=[^,]*\/(?:\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request,/.exec(headers.authorization ?? '') ?? []
  if (region === undefined || service === undefined)
    throw new Error('the Authorization header of the SDK has an unknown format')
  return { isSecure: protocol === 'https:', hostname, port: port ?? null, path, region, service }
}
