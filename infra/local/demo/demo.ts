/**
 * Configures the gateway for the demo, sends the messages, waits for the decisions, stores the history, and returns a
 * table as text.
 */
import { X509Certificate } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { fingerprintOf } from '../../../shared/tls/fingerprint.ts'
import type { LocalAuthority } from '../certificates.ts'
import type { Endpoints } from '../endpoints.ts'
import { type SendOptions, type SendResult, sendMail } from '../send-mail.ts'
import { ApiClient } from './api-client.ts'
import type { HistoryConnector } from './history.ts'
import { mailboxName } from './partners.ts'
import { nextSteps, type Row, renderTable } from './report.ts'
import { type Step, seed, steps } from './scenario.ts'
import { storeHistory } from './store-history.ts'
import type { MessageTrace } from './trace.ts'

/** Milliseconds before the demo stops waiting for decisions. */
const timeoutMs = 45_000

/**
 * @param bankServer address and port of the bank's server
 * @returns the text to print: the table, unless an earlier state was found, and the next commands to try
 */
export async function runDemo(
  endpoints: Endpoints,
  authority: LocalAuthority,
  bankServer: string,
): Promise<string> {
  const api = new ApiClient(endpoints.api)
  if (!(await seed(api, authority))) return nextSteps(endpoints, bankServer, null)
  const [connectors, { certificate }] = await Promise.all([readConnectors(api), authority.issue(mailboxName)])
  const facts = {
    connectors: new Map(connectors.map((connector) => [connector.name, connector])),
    mailboxFingerprint: fingerprintOf(new X509Certificate(certificate)),
  }
  const [{ rows, notification }] = await Promise.all([
    sendMessages(api, endpoints, authority),
    storeHistory(endpoints, facts, Date.now()),
  ])
  const names = new Map(connectors.map(({ id, name }) => [id, name]))
  return [
    renderTable(rows, notification, names),
    nextSteps(endpoints, bankServer, rows[0]?.result.id ?? null),
  ].join('\n')
}

async function sendMessages(api: ApiClient, endpoints: Endpoints, authority: LocalAuthority) {
  const startedAt = new Date()
  const deadline = Date.now() + timeoutMs
  const rows: Row[] = []
  const results = await Promise.all(steps.map((step) => send(step, endpoints, authority)))
  for (const [index, step] of steps.entries()) {
    const result = results[index] as SendResult
    const trace = result.id === null ? null : await waitUntilSettled(api, result.id, deadline)
    rows.push({ step, result, trace })
  }
  return { rows, notification: await waitForDsn(api, startedAt, deadline) }
}

async function send(step: Step, endpoints: Endpoints, authority: LocalAuthority): Promise<SendResult> {
  const { from, to, demonstrates } = step
  const options: SendOptions = {
    server: endpoints.smtp,
    tls: step.session === 'Plain' ? 'None' : 'Required',
    ...(step.session === 'OurServer' && { clientCertificate: await authority.issue(mailboxName) }),
  }
  return sendMail({ from, to, subject: demonstrates, text: `This message shows: ${demonstrates}.` }, options)
}

async function waitUntilSettled(api: ApiClient, id: string, deadline: number): Promise<MessageTrace | null> {
  return poll(deadline, async () => {
    const trace = await api.get<MessageTrace>(`/messages/${id}`).catch(() => null)
    // The trace has the message a moment before its recipients.
    if (trace === null || trace.recipients.length === 0) return null
    return trace.recipients.every(({ state }) => state !== 'Pending') ? trace : null
  })
}

/** Waits for the DSN to the sender of the bounced message. */
async function waitForDsn(api: ApiClient, since: Date, deadline: number): Promise<MessageTrace | null> {
  return poll(deadline, async () => {
    const path = `/messages?from=${since.toISOString()}&recipient=ann@ours.example`
    const { items } = await api.get<{ items: MessageTrace[] }>(path)
    const notification = items.find(({ envelope }) => envelope.mailFrom === '')
    return notification === undefined ? null : waitUntilSettled(api, notification.id, deadline)
  })
}

async function poll<T>(deadline: number, attempt: () => Promise<T | null>): Promise<T | null> {
  while (Date.now() < deadline) {
    const result = await attempt()
    if (result !== null) return result
    await delay(100)
  }
  return null
}

async function readConnectors(api: ApiClient): Promise<(HistoryConnector & { name: string })[]> {
  const lists = await Promise.all(
    ['/inbound-connectors', '/outbound-connectors'].map((path) =>
      api.get<{ items: (HistoryConnector & { name: string })[] }>(path),
    ),
  )
  return lists.flatMap(({ items }) => items)
}
