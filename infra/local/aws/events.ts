/** Emulates EventBridge: calls `onEvent` for each entry that is put on the bus. */
import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import * as z from 'zod'

const Entry = z.object({ Source: z.string(), DetailType: z.string(), Detail: z.string() })
export type EventEntry = z.infer<typeof Entry>

const Put = z.object({ Entries: z.array(Entry).min(1).max(10) })

export function eventsServer(onEvent: (entry: EventEntry) => void): Server {
  let count = 0
  return createServer(async (request, response) => {
    const respond = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    const put = Put.safeParse(await json(request).catch(() => null))
    if (request.headers['x-amz-target'] !== 'AWSEvents.PutEvents' || !put.success)
      return respond(400, {
        __type: 'ValidationException',
        message: 'Only PutEvents is supported by the local runner.',
      })
    for (const entry of put.data.Entries) onEvent(entry)
    const Entries = put.data.Entries.map(() => ({ EventId: `local-${count++}` }))
    return respond(200, { FailedEntryCount: 0, Entries })
  })
}
