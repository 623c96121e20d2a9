/**
 * Where the SDK would send a request, and how it would sign it: regions, endpoints of the environment and of files,
 * addressing styles and the host of a queue's URL are its rules, and it is asked for what comes of them.
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

/** A command of the SDK, as far as it is met here. */
interface Command {
  middlewareStack: {
    add(
      middleware: () => (args: { request: unknown }) => Promise<never>,
      options: { step: 'deserialize'; priority: 'low'; name: string },
    ): void
  }
}

/** Ends the SDK's way of a request where it would go over the wire. */
class Met extends Error {
  readonly request: SignedRequest

  constructor(request: SignedRequest) {
    super('the request was looked at and not sent')
    this.request = request
  }
}

/**
 * @param send sends the command by the SDK
 * @throws what the SDK throws when it finds no region, no endpoint or no credentials
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
  throw new Error('the SDK sent a request without its middleware')
}

function readTarget({ protocol, hostname, port, path, headers }: SignedRequest): Target {
  const [, region, service] =
    /Credential=[^,]*\/(?:\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request,/.exec(headers.authorization ?? '') ?? []
  if (region === undefined || service === undefined)
    throw new Error('the SDK signs requests in a way that is not known here')
  return { isSecure: protocol === 'https:', hostname, port: port ?? null, path, region, service }
}
