/** `/addresses` and `/erasures`: erases what is stored of a mail address. The address is in no log, state or event. */
import { newUlid } from '../../../shared/content/ulid.ts'
import type { EraseRequest } from '../../../shared/contract/erase-request.ts'
import { eraseAddress, readErasure } from '../../../shared/event-queries/erasure.ts'
import { createEvent } from '../../../shared/events/create-event.ts'
import { type Erasure, type Erasures, nothingErased, pseudonymOf } from '../../../shared/events/erasures.ts'
import type { EventQueue } from '../../../shared/events/event-queue.ts'
import { isUlid } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { readMailbox } from '../../../shared/mail/mailbox.ts'
import { countText } from '../../../shared/policy/text-lists.ts'
import { type ReadAddressHash, readOrRefuse } from '../address-hash.ts'
import type { UnsettledMail } from '../unsettled-mail.ts'

export interface ErasureDependencies {
  erasures: Pick<Erasures, 'read' | 'write'>
  unsettled: Pick<UnsettledMail, 'find'>
  events: Pick<EventQueue, 'send'>
  readAddressHash: ReadAddressHash
  /** Invokes erase-address asynchronously. */
  start(request: EraseRequest): Promise<void>
  /** Milliseconds since the epoch. */
  now(): number
}

/** RFC 5321 §4.5.3.1: 64 octets, the @ and 255. */
const maxAddressLength = 320

export const erasureRoutes = ({ readAddressHash, ...dependencies }: ErasureDependencies): Route[] => [
  route(eraseAddress, async ({ parameter, caller }) => {
    const { erasures, unsettled, events, start, now } = dependencies
    const id = newUlid()
    const address = readAddress(parameter, id)
    // Otherwise erase-address would fail minutes later.
    await readOrRefuse(readAddressHash)
    const waiting = await unsettled.find(address)
    if (waiting.count > 0) throw unsettledProblem(waiting)
    // An administrator who erases the own address may be named by it.
    const actor = address.replaceIn(caller)
    const at = new Date(now()).toISOString()
    const erasure: Erasure = {
      id,
      state: 'Running',
      startedAt: at,
      finishedAt: null,
      actor,
      erased: nothingErased,
      remaining: [],
      reason: null,
    }
    await erasures.write(erasure)
    try {
      await events.send([createEvent('AddressErased', [id], { at, actor, comment: id })])
      await start({ id, address: parameter })
    } catch (error) {
      const reason = 'The erasure could not be started.'
      await erasures.write({ ...erasure, state: 'Failed', finishedAt: at, reason })
      throw error
    }
    return { status: 202, headers: { location: `/erasures/${id}` }, body: { id, state: erasure.state } }
  }),
  route(readErasure, async ({ parameter }) => {
    const erasure = isUlid(parameter) ? await dependencies.erasures.read(parameter) : null
    if (erasure === null) throw new Problem(404, 'There is no such erasure.')
    return { status: 200, body: erasure }
  }),
]

function readAddress(text: string, id: string): ErasedAddress {
  const mailbox = readMailbox(text)
  const fault = 'fault' in mailbox ? mailbox.fault : text.length > maxAddressLength ? 'is too long' : null
  if (fault !== null || 'fault' in mailbox) throw new Problem(400, `The address in the path ${fault}.`)
  return new ErasedAddress(mailbox, pseudonymOf(id))
}

function unsettledProblem({ count, isComplete, ids }: Awaited<ReturnType<UnsettledMail['find']>>): Problem {
  const messages = `${isComplete ? '' : 'At least '}${countText(count, 'message')}`
  return new Problem(
    409,
    `${messages} of this address ${count === 1 ? 'is' : 'are'} neither delivered nor bounced: ${ids.join(', ')}. Return or drop this mail, or wait. Nothing was erased.`,
  )
}
