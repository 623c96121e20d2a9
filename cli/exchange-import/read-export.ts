/** Reads files that `Get-InboundConnector | ConvertTo-Json > FILE` and similar commands write. */
import { LineCounter, parseDocument } from 'yaml'
import { jsonFault } from '../../shared/contract/parse-json.ts'
import { CommandError } from '../command-error.ts'
import { ExchangeSettings } from './exchange-settings.ts'

export type ObjectKind = 'Inbound' | 'Outbound' | 'AcceptedDomain'

export interface ExchangeObject {
  readonly kind: ObjectKind
  readonly settings: ExchangeSettings
}

const writeAdvice = 'Write it with: Get-InboundConnector | ConvertTo-Json | Out-File FILE'

/** @throws CommandError naming the file and the number of the wrong object */
export function readExport(octets: Buffer, name: string): ExchangeObject[] {
  const objects = listOf(parse(decodeExport(octets, name, [writeAdvice]), name))
  if (objects.length === 0) throw new CommandError(`${name} contains no connector or accepted domain`)
  return objects.map((object, index) => {
    if (typeof object !== 'object' || object === null || Array.isArray(object))
      throw new CommandError(`${name}: item ${index + 1} is not an object`)
    const settings = new ExchangeSettings(object as Record<string, unknown>)
    return { kind: kindOf(settings, `${name}: item ${index + 1}`), settings }
  })
}

/** Windows PowerShell's `>` writes UTF-16 with a byte order mark, PowerShell 7's UTF-8. */
export function decodeExport(octets: Buffer, name: string, advice: readonly string[] = []): string {
  const encoding =
    octets[0] === 0xff && octets[1] === 0xfe
      ? 'utf-16le'
      : octets[0] === 0xfe && octets[1] === 0xff
        ? 'utf-16be'
        : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(octets)
  } catch {
    throw new CommandError(`${name} is neither UTF-8 nor UTF-16 with a byte order mark`, advice)
  }
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const fault = jsonFault(error as Error)
    const line = / \(line (\d+) column \d+\)$/.exec(fault)?.[1] ?? lineByYaml(text)
    throw new CommandError(`${name}${line === null ? '' : `:${line}`}: not JSON: ${fault}`, [writeAdvice])
  }
}

/** YAML's JSON schema refuses the unknown words whose place JSON.parse does not name. */
function lineByYaml(text: string): number | null {
  const lineCounter = new LineCounter()
  const { errors } = parseDocument(text, {
    schema: 'json',
    lineCounter,
    prettyErrors: false,
    logLevel: 'error',
  })
  return errors[0] === undefined ? null : lineCounter.linePos(errors[0].pos[0]).line
}

/** A single object is exported without a list; Windows PowerShell sometimes wraps a list. */
function listOf(json: unknown): unknown[] {
  if (Array.isArray(json)) return json
  const { value, Count } = (json ?? {}) as { value?: unknown; Count?: unknown }
  if (Array.isArray(value) && (Count !== undefined || Object.keys(json as object).length === 1)) return value
  return json === null ? [] : [json]
}

function kindOf(settings: ExchangeSettings, where: string): ObjectKind {
  if (settings.has('SenderDomains') || settings.has('TlsSenderCertificateName')) return 'Inbound'
  if (settings.has('UseMXRecord') || settings.has('RecipientDomains')) return 'Outbound'
  if (settings.has('DomainName') && settings.has('DomainType')) return 'AcceptedDomain'
  const isExchangeServer = settings.has('AddressSpaces') || settings.has('Bindings')
  throw new CommandError(`${where} is neither a connector nor an accepted domain`, [
    isExchangeServer
      ? "It looks like a Send or Receive connector of Exchange Server; only Exchange Online's connectors are supported."
      : 'Use the output of Get-InboundConnector, Get-OutboundConnector or Get-AcceptedDomain.',
  ])
}
