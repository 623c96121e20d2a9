/**
 * Downloads the result of a search. The attack: credentials for the API reach another host, or the address leads
 * elsewhere. The defence: the request has no header of the API's client, and redirects are not followed. Errors do not
 * have the address, with which anyone can read the result for fifteen minutes.
 */
import { errorMessage } from '../../shared/contract/error-message.ts'
import { CommandError } from '../command-error.ts'

/**
 * Yields the text in parts.
 * @throws CommandError
 */
export async function* downloadCsv(address: string): AsyncGenerator<string> {
  const { host } = new URL(address)
  try {
    const response = await fetch(address, { redirect: 'error' })
    if (!response.ok) throw new Error(`status ${response.status}`)
    const decoder = new TextDecoder()
    for await (const octets of response.body ?? []) yield decoder.decode(octets, { stream: true })
    yield decoder.decode()
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new CommandError(`cannot download the CSV from ${host}: ${errorMessage(cause)}`)
  }
}
