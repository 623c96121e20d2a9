import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { firstErrorLine, StartError } from './start-error.ts'

/** Port 0 chooses a free port. */
export interface Options {
  readonly smtpPort: number
  readonly apiPort: number
  readonly pagesPort: number
  readonly dnsPort: number
  readonly zoneFile: string | null
  readonly stateDirectory: string | null
  readonly secretsDirectory: string | null
  /** Deployment settings, as in cdk.json. They have precedence over the runner's settings. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly demo: boolean
}

const usage =
  '--smtp-port N --api-port N --pages-port N --dns-port N --zone FILE --state DIR --secrets DIR --settings FILE --no-demo'

export const help = `Runs the gateway's stack on this machine, with a demo.

  npm start -- [OPTION …]

  --smtp-port N    port of the SMTP ingress (default: 2525)
  --api-port N     port of the HTTP API (default: 8080)
  --pages-port N   port of the web page for partners (default: 0)
  --dns-port N     port of the DNS server for the partners' names (default: 0)
                   Port 0 chooses a free port.
  --zone FILE      DNS names and addresses of your own partners, in JSON
  --state DIR      keep connectors, messages and certificates in this directory
  --secrets DIR    directory of the connectors' client certificates, NAME.json
  --settings FILE  deployment settings, as in cdk.json
  --no-demo        start without the demo's partners, connectors and messages
  --help           print this help

Press Ctrl-C to stop.
`

/** @throws StartError naming the wrong option */
export function parseOptions(args: readonly string[]): Options | 'Help' {
  const values = parse(args)
  if (values.help === true) return 'Help'
  if (values.state === '') throw new StartError('--state needs a directory')
  if (values.secrets === '') throw new StartError('--secrets needs a directory')
  const ports = {
    smtpPort: port('--smtp-port', values['smtp-port']),
    apiPort: port('--api-port', values['api-port']),
    pagesPort: port('--pages-port', values['pages-port']),
    dnsPort: port('--dns-port', values['dns-port']),
  }
  rejectDuplicatePorts({
    '--smtp-port': ports.smtpPort,
    '--api-port': ports.apiPort,
    '--pages-port': ports.pagesPort,
    '--dns-port': ports.dnsPort,
  })
  return {
    ...ports,
    zoneFile: values.zone ?? null,
    stateDirectory: values.state ?? null,
    secretsDirectory: values.secrets ?? null,
    settings: values.settings === undefined ? {} : readSettings(values.settings),
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
        'pages-port': { type: 'string', default: '0' },
        'dns-port': { type: 'string', default: '0' },
        zone: { type: 'string' },
        state: { type: 'string' },
        secrets: { type: 'string' },
        settings: { type: 'string' },
        'no-demo': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new StartError(`${firstErrorLine(error)} (the options are ${usage})`)
  }
}

function readSettings(file: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const cause = error instanceof z.ZodError ? 'not a JSON object' : firstErrorLine(error)
    throw new StartError(`--settings ${file}: ${cause}`)
  }
}

function port(option: string, value: string): number {
  const number = Number(value)
  if (/^\d+$/.test(value) && number <= 65_535) return number
  throw new StartError(`${option} ${value}: not a port number from 0 to 65535`)
}

function rejectDuplicatePorts(ports: Readonly<Record<string, number>>): void {
  for (const [option, number] of Object.entries(ports)) {
    const duplicate = Object.keys(ports).find((name) => name !== option && ports[name] === number)
    if (number !== 0 && duplicate !== undefined)
      throw new StartError(`port ${number} is given twice (${option} and ${duplicate})`)
  }
}
