import { parseArgs } from 'node:util'
import { causeOf, StartError } from './start-error.ts'

/** A port of 0 is any free port. */
export interface Options {
  readonly smtpPort: number
  readonly apiPort: number
  readonly dnsPort: number
  readonly zoneFile: string | null
  readonly stateDirectory: string | null
  readonly demo: boolean
}

const usage = '--smtp-port N --api-port N --dns-port N --zone FILE --state DIR --no-demo'

/** @throws StartError naming the option at fault */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args)
  return {
    smtpPort: port('--smtp-port', values['smtp-port']),
    apiPort: port('--api-port', values['api-port']),
    dnsPort: port('--dns-port', values['dns-port']),
    zoneFile: values.zone ?? null,
    stateDirectory: values.state ?? null,
    demo: values['no-demo'] !== true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'smtp-port': { type: 'string', default: '2525' },
        'api-port': { type: 'string', default: '8080' },
        'dns-port': { type: 'string', default: '0' },
        zone: { type: 'string' },
        state: { type: 'string' },
        'no-demo': { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new StartError(`${causeOf(error)} (the options are ${usage})`)
  }
}

function port(option: string, value: string): number {
  const number = Number(value)
  if (/^\d+$/.test(value) && number <= 65_535) return number
  throw new StartError(`${option} ${value}: not a port (0 to 65535)`)
}
