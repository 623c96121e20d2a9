/** The option `--mode` of `connectors apply` and `connectors import-exchange`. */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import { UsageError } from '../command-error.ts'
import { acceptedDomains, type Configuration, type DesiredEntry, entryKinds } from './entry-kinds.ts'

export type Mode = InboundConnector['mode']
const modes: readonly Mode[] = ['Enforce', 'ReportOnly']

export const modeOption = {
  mode: {
    type: 'string',
    value: 'MODE',
    description: 'give each connector this mode, Enforce or ReportOnly, instead of its own',
  },
} as const

/** @throws UsageError for a text that is no mode */
export function parseMode(text: string | undefined): Mode | undefined {
  if (text === undefined) return undefined
  const mode = modes.find((known) => known.toLowerCase() === text.toLowerCase())
  if (mode !== undefined) return mode
  throw new UsageError(`--mode ${text}: not a mode; the modes are ${modes.join(' and ')}`)
}

export const entryWithMode = (entry: DesiredEntry, mode: Mode): DesiredEntry => ({
  ...entry,
  fields: { ...entry.fields, mode },
})

/** Accepted domains have no mode. */
export function configurationWithMode(configuration: Configuration, mode: Mode): Configuration {
  const sections = entryKinds.map((kind) => {
    const entries = configuration[kind.name]
    const changed =
      kind === acceptedDomains ? entries : (entries?.map((entry) => entryWithMode(entry, mode)) ?? null)
    return [kind.name, changed]
  })
  return Object.fromEntries(sections)
}
