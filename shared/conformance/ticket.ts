/** Reads a client's TLS session, as Node returns it. */
import { endOffset, readElements, readOnlyElement, tags } from '../tls/der.ts'

/** Fields of OpenSSL's SSL_SESSION: explicit tags 9, the lifetime hint, and 15, the limit of early data. */
export function ticketLimits(session: Buffer) {
  const fields = readElements(readOnlyElement(sessionDer(session)).content)
  const numberOf = (tag: number): number => {
    const field = fields.find((element) => element.tag === tag)
    return field ? Number(`0x${readOnlyElement(field.content).content.toString('hex')}`) : 0
  }
  return { lifetimeSeconds: numberOf(0xa9), maxEarlyDataOctets: numberOf(0xaf) }
}

/** Some versions of Node put a header of their own before the DER; nothing follows the DER. */
function sessionDer(session: Buffer): Buffer {
  const start = [...session.keys()].find(
    (at) => session[at] === tags.sequence && at + 2 < session.length && endsAtEnd(session, at),
  )
  return session.subarray(start ?? 0)
}

function endsAtEnd(session: Buffer, at: number): boolean {
  try {
    return endOffset(session, at) === session.length
  } catch {
    return false
  }
}
