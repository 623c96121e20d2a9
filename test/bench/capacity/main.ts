/**
 * Which resource ends first at a rate of mail: `npm run simulate -- --rate 100|1000|10000 [--connectors N]
 * [--smart-host|--mx|--ses|--inbound] [--settings FILE]`. A model, driven by the recorded calls of a message.
 */
import { parseArgs } from 'node:util'
import { exitOnOptionError, OptionError, parseNumber, readSettings } from '../cost/options.ts'
import { readIdleRecording, readIngressRates, readRecording, routes } from '../cost/recording.ts'
import { readStackFacts } from '../cost/stack-facts.ts'
import { type CapacityFacts, carriedRate, firstBottleneck, loadsAt } from './capacity-model.ts'
import { describeLoad, loadsTable } from './report.ts'
import { settingsFor } from './settings-for.ts'

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        rate: { type: 'string', default: '1000' },
        connectors: { type: 'string', default: '100' },
        settings: { type: 'string' },
        'smart-host': { type: 'boolean', default: false },
        mx: { type: 'boolean', default: false },
        ses: { type: 'boolean', default: false },
        inbound: { type: 'boolean', default: false },
      },
    })
    const chosen = routes.filter((route) => values[route])
    if (chosen.length > 1) throw new OptionError(`--${chosen.join(' and --')}: one route at a time`)
    const connectors = parseNumber('--connectors', values.connectors, 1, 1_000_000)
    if (!Number.isInteger(connectors))
      throw new OptionError(`--connectors ${values.connectors}: not a whole number`)
    return {
      messagesPerSecond: parseNumber('--rate', values.rate, 0.01, 100_000),
      connectors,
      route: chosen[0] ?? 'smart-host',
      settings: values.settings === undefined ? {} : readSettings(values.settings),
    } as const
  } catch (error) {
    return exitOnOptionError(error)
  }
}

const { messagesPerSecond, connectors, route, settings } = readOptions()
const factsWith = (more: object): CapacityFacts => ({
  recording: readRecording(route),
  ingress: readIngressRates(),
  idle: readIdleRecording(),
  stack: readStackFacts({ ...(route === 'mx' && { defaultRoute: 'Mx' }), ...settings, ...more }),
})
const facts = factsWith({})
const loads = loadsAt(facts, { messagesPerSecond, connectors })
const bottleneck = firstBottleneck(loads)

console.log(`
${messagesPerSecond} messages/s, route ${route}, ${connectors} connectors. Calls: recorded ${facts.recording.recordedAt};
capacity of a task: recorded ${facts.ingress.recordedAt}.

${loadsTable(loads)}
`)
if (bottleneck) console.log(`First bottleneck: ${describeLoad(bottleneck)}.`)
console.log(
  `These settings carry ${carriedRate(facts, { connectors })} messages/s, if AWS grants what it grants on request.`,
)
for (const load of loads.filter(({ remedy, percent }) => remedy === 'Request' && percent > 100))
  console.log(`To be requested of AWS: ${describeLoad(load)} (${load.of}).`)

const { settings: needed, without } = settingsFor(loads)
if (Object.keys(needed).length > 0) {
  console.log(`\nSettings of cdk.json for this rate: ${JSON.stringify(needed, null, 2)}`)
  const raised = factsWith(needed)
  const next = firstBottleneck(loadsAt(raised, { messagesPerSecond, connectors }))
  console.log(`With them the stack carries ${carriedRate(raised, { connectors })} messages/s.`)
  if (next) console.log(`The first bottleneck is then: ${describeLoad(next)}.`)
}
for (const load of without) console.log(`No setting carries: ${describeLoad(load)} (${load.of}).`)
