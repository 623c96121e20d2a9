/** SNS or SES in this process. Both speak AWS's query protocol: a form as request, XML as response. */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen } from './listen.ts'

export type QueryAnswer = { status: number; body: string } | 'none' | 'connection lost'

export interface FakeQueryService {
  url: string
  /** Received forms, oldest first. */
  requests: URLSearchParams[]
  answer: (request: URLSearchParams) => QueryAnswer
  stop(): Promise<void>
}

export async function startQueryService(answer: FakeQueryService['answer']): Promise<FakeQueryService> {
  const { url, stop } = await listen(
    createServer(async (request, response) => {
      const form = new URLSearchParams(await text(request))
      service.requests.push(form)
      const answered = service.answer(form)
      if (answered === 'connection lost') response.destroy()
      else if (answered !== 'none')
        response.writeHead(answered.status, { 'content-type': 'text/xml' }).end(answered.body)
    }),
  )
  const service: FakeQueryService = { url, requests: [], answer, stop }
  return service
}
