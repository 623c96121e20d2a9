/** Requests a retry or a return of deferred mail: of one message, or of all mail of connectors. */
import * as z from 'zod'
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { type CommandInvocation, jsonOption } from '../command.ts'
import { CommandError, type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { messageId } from '../input/message-id.ts'
import { jsonText, printable } from '../text/format.ts'
import { outboundConnectors } from './entry-kinds.ts'
import { type FoundConnector, findConnectors } from './find-connectors.ts'
import { readEntries } from './read-current-configuration.ts'

export type MailRequestName = 'retry' | 'return'

/** A connector whose deferred mail a request concerns. */
export interface RequestedConnector {
  readonly id: string | null
  readonly name: string
  /** Such as `outbound connector`. */
  readonly kind: string
  readonly path: string
}

export const mailRequestOptions = {
  connector: {
    type: 'string',
    value: 'NAME|ID',
    description: 'all deferred mail that this connector was applied to',
  },
  ...jsonOption,
} as const

/** Options of requests that cannot be undone. */
export const confirmedRequestOptions = { ...mailRequestOptions, ...yesOption } as const

type RequestInvocation = CommandInvocation<typeof mailRequestOptions>

/** @param find finds the connectors of --connector */
export async function requestForMail(
  request: MailRequestName,
  command: string,
  invocation: RequestInvocation,
  find: (api: ApiClient, nameOrId: string) => Promise<RequestedConnector[]>,
): Promise<ExitStatus> {
  return send(request, invocation, await targetOf(command, invocation, find))
}

/** Asks before mail is returned, which cannot be undone. */
export async function confirmReturn({
  values: { yes, ...values },
  ...rest
}: CommandInvocation<typeof confirmedRequestOptions>): Promise<ExitStatus> {
  const invocation = { values, ...rest }
  const target = await targetOf('messages return', invocation, findOutboundConnector)
  const mail =
    target.kind === 'Message'
      ? `message ${printable(target.id)}`
      : `the mail that waits under ${target.connectors.map(({ name }) => `"${printable(name)}"`).join(' and ')}`
  if (!yes) await confirm(`Bounce ${mail}`, rest.io)
  return send('return', invocation, target)
}

type Target =
  | { readonly kind: 'Message'; readonly id: string }
  | { readonly kind: 'Connectors'; readonly connectors: readonly RequestedConnector[] }

async function targetOf(
  command: string,
  { values, positionals: [id], api }: RequestInvocation,
  find: (api: ApiClient, nameOrId: string) => Promise<RequestedConnector[]>,
): Promise<Target> {
  if (id === undefined && values.connector !== undefined)
    return { kind: 'Connectors', connectors: await find(api, values.connector) }
  if (id !== undefined && values.connector === undefined) return { kind: 'Message', id: messageId(id) }
  throw new UsageError(`${command} needs a message id, or --connector NAME|ID`)
}

async function send(
  request: MailRequestName,
  { values, io, api }: RequestInvocation,
  target: Target,
): Promise<ExitStatus> {
  const { json, text } =
    target.kind === 'Message'
      ? await requestForMessage(api, request, target.id)
      : await requestForConnectors(api, request, target.connectors, io.now())
  io.out(values.json ? jsonText(json) : `${text}\n`)
  return exitStatus.ok
}

export async function findRequestedConnectors(
  api: ApiClient,
  nameOrId: string,
): Promise<RequestedConnector[]> {
  return (await findConnectors(api, nameOrId)).map(toRequested)
}

const toRequested = ({ kind, connector: { id, label, path } }: FoundConnector): RequestedConnector => ({
  id,
  name: label,
  kind: kind.singular,
  path,
})

/**
 * Finds an outbound connector. An id may be that of a deleted connector, whose mail still waits.
 * @throws CommandError when no outbound connector has the name
 */
export async function findOutboundConnector(api: ApiClient, nameOrId: string): Promise<RequestedConnector[]> {
  const kind = outboundConnectors
  if (z.ulid().safeParse(nameOrId).success)
    return [{ id: nameOrId, name: nameOrId, kind: kind.singular, path: `${kind.path}/${nameOrId}` }]
  const key = comparableName(nameOrId)
  const found = (await readEntries(api, kind)).filter((connector) => connector.key === key)
  if (found.length > 0) return found.map((connector) => toRequested({ kind, connector }))
  throw new CommandError(`no outbound connector "${nameOrId}"`, [
    'If it was deleted, give its id: "npx mailflow messages ID --json" shows it.',
  ])
}

interface RequestResult {
  readonly json: unknown
  readonly text: string
}

const MessageResponse = z.object({ requested: z.int(), recipients: z.array(z.string()) })

export async function requestForMessage(
  api: ApiClient,
  request: MailRequestName | 'release',
  id: string,
  body: object = {},
): Promise<RequestResult> {
  const response = await api.post(MessageResponse, `/messages/${encodeUrlPart(id)}/${request}`, body)
  const recipients = response.recipients.map(printable).join(', ')
  return { json: response, text: `Requested a ${request} for ${recipients}.` }
}

async function requestForConnectors(
  api: ApiClient,
  request: MailRequestName,
  connectors: readonly RequestedConnector[],
  now: number,
): Promise<RequestResult> {
  const totals = []
  const texts: string[] = []
  for (const { id, name, kind, path } of connectors) {
    const total = { connector: id, name, kind, ...(await requestForConnector(api, request, path)) }
    totals.push(total)
    const isPending = total.requested === 0 && (await hasPendingMail(api, id, now))
    texts.push(`${totalText(request, total)}${isPending ? pendingText : ''}`)
  }
  return { json: totals, text: texts.join('\n') }
}

const pendingText =
  ' Mail is being delivered at this moment (Pending). If its attempt fails it waits again: repeat the command then.'

/** A requested retry, for example, is not deferred mail until its attempt has failed. */
async function hasPendingMail(api: ApiClient, connector: string | null, now: number): Promise<boolean> {
  const query = { state: 'Pending', connector, from: new Date(now - 2 * dayMs).toISOString() }
  for await (const _ of api.list(z.unknown(), '/messages', query, 1)) return true
  return false
}

export const ConnectorResponse = z.object({
  requested: z.int(),
  messages: z.int(),
  nextCursor: z.string().nullable(),
})

/**
 * One request covers as many messages as its time allows, so requests repeat until no cursor is left.
 * @param first the response to a request that was made already
 */
export async function requestForConnector(
  api: ApiClient,
  request: MailRequestName,
  path: string,
  first?: z.output<typeof ConnectorResponse>,
): Promise<{ requested: number; messages: number }> {
  let response = first ?? (await api.post(ConnectorResponse, `${path}/${request}`, {}))
  let { requested, messages } = response
  while (response.nextCursor !== null) {
    const query = { cursor: response.nextCursor }
    response = await api.post(ConnectorResponse, `${path}/${request}`, {}, query)
    requested += response.requested
    messages += response.messages
  }
  return { requested, messages }
}

export function totalText(
  request: MailRequestName,
  { kind, name, requested, messages }: { kind: string; name: string; requested: number; messages: number },
): string {
  const heading = `${kind} "${printable(name)}"`
  if (requested === 0) return `${heading}: no deferred mail.`
  const counts = `${countText(requested, 'recipient')} of ${countText(messages, 'message')}`
  return `${heading}: requested a ${request} for ${counts}.`
}
