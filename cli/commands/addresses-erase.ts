/** `addresses erase`: erases what is stored of a mail address. */
import * as z from 'zod'
import { readMailbox } from '../../shared/mail/mailbox.ts'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import { defineCommand, type Io, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { jsonText, printable } from '../text/format.ts'
import { table } from '../text/table.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const Started = z.object({ id: z.string() })
const Erasure = z.object({
  id: z.string(),
  state: z.string(),
  erased: z.record(z.string(), z.number()),
  remaining: z.array(z.string()),
  reason: z.string().nullable(),
})
type Erasure = z.output<typeof Erasure>

const firstDelayMs = 500
const delayFactor = 1.5
const maxDelayMs = 5000

export const eraseAddress = defineCommand({
  positionalUsage: { usage: '[ADDRESS]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: {
    id: { type: 'string', value: 'ID', description: 'follow an erasure that was started before' },
    ...yesOption,
    ...jsonOption,
  },
  details: `
Erases the address from events, from the message trace, from results of searches and from dead letters, and the content
of its mail. In events a pseudonym takes its place, so that counts stay the same. An erasure cannot be undone, and takes
minutes. Mail of the address that waits must first be delivered, returned or dropped. Configuration is not changed: the
command names what remains. docs/privacy.md says what an erasure does not reach.
`,
  async run({ values, positionals: [address], io, api }) {
    if ((address === undefined) === (values.id === undefined))
      throw new UsageError('addresses erase needs an ADDRESS, or --id ID')
    const id = values.id ?? (await start(address ?? '', values.yes, api, io))
    const erasure = await follow(id, api, io)
    io.out(values.json ? jsonText(erasure) : erasureText(erasure))
    if (erasure.state !== 'Succeeded')
      throw new CommandError(`the erasure failed: ${printable(erasure.reason ?? erasure.state)}`)
    return exitStatus.ok
  },
})

async function start(address: string, yes: boolean, api: ApiClient, io: Io): Promise<string> {
  const mailbox = readMailbox(address)
  if ('fault' in mailbox) throw new UsageError(`${address}: ${mailbox.fault}`)
  if (!yes) await confirm(`Erase for ever what is stored of ${address}`, io)
  return (await api.delete(Started, `/addresses/${encodeUrlPart(address)}`)).id
}

/** Waits until the erasure has ended, also if it has failed. */
async function follow(id: string, api: ApiClient, io: Io): Promise<Erasure> {
  const goesOn = `the erasure goes on; to follow it: npx mailflow addresses erase --id ${id}`
  const startedAt = io.now()
  io.setProgress?.(goesOn)
  try {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * delayFactor, maxDelayMs)) {
      const erasure = await api.get(Erasure, `/erasures/${encodeUrlPart(id)}`)
      if (erasure.state !== 'Running') return erasure
      io.printStatus?.(`Erasing for ${Math.round((io.now() - startedAt) / 1000)} s …`)
      await io.sleep(delayMs)
    }
  } catch (error) {
    if (!(error instanceof CommandError) || (error instanceof ApiError && error.status === 404)) throw error
    throw new CommandError(error.message, [...error.lines, goesOn])
  } finally {
    io.printStatus?.(null)
    io.setProgress?.(null)
  }
}

/** What is counted, in the words of the table. */
const labels: Readonly<Record<string, string>> = {
  events: 'events changed',
  files: 'files of events rewritten',
  messages: 'messages erased from the trace',
  rejections: 'refusals erased from the trace',
  contents: 'contents of mail erased',
  searches: 'results of searches deleted',
  deadLetters: 'dead letters deleted',
}

function erasureText({ erased, remaining }: Erasure): string {
  const rows = Object.entries(erased).map(([name, count]) => [labels[name] ?? name, String(count)])
  const lines = remaining.map((place) => `  ${printable(place)}`)
  const rest =
    lines.length === 0
      ? 'The configuration does not have the address.'
      : `The configuration still has the address:\n${lines.join('\n')}`
  return `${table([{ heading: 'Erased' }, { heading: 'Number', isRightAligned: true }], rows, undefined)}\n\n${rest}\n`
}
