/**
 * What a million messages cost on AWS: `npm run bench:cost -- --rate N [--size 50k] [--route smart-host|mx|ses|inbound]
 * [--settings FILE] [--recorded]`. Runs the real stack at up to 20 messages/s and prices its calls; what depends on a higher rate is
 * derived. With `--recorded`, it prices the committed recording without a run.
 */
import { parseArgs } from 'node:util'
import { costOfMillion, perMonth, total } from './cost-model.ts'
import { floorOf, floorTotal } from './floor-model.ts'
import { exitOnOptionError, parseNumber, parseRoute, parseSize, readSettings } from './options.ts'
import { pricesAsOf, unverifiedPrices } from './prices.ts'
import { recordRoute } from './record-calls.ts'
import { readIdleRecording, readIngressRates, readRecording } from './recording.ts'
import { batchesTable, byServiceAndUnit, expensiveParts, floorTable, linesTable } from './report.ts'
import { readStackFacts } from './stack-facts.ts'

/** The rate of the run; the machine also runs the emulators and the partners. */
const maxRunRate = 20

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        rate: { type: 'string', default: '100' },
        size: { type: 'string', default: '50k' },
        route: { type: 'string', default: 'smart-host' },
        seconds: { type: 'string', default: '30' },
        settings: { type: 'string' },
        recorded: { type: 'boolean', default: false },
      },
    })
    return {
      messagesPerSecond: parseNumber('--rate', values.rate, 0.01, 100_000),
      messageOctets: parseSize('--size', values.size),
      route: parseRoute('--route', values.route),
      seconds: parseNumber('--seconds', values.seconds, 5, 7200),
      settings: values.settings === undefined ? {} : readSettings(values.settings),
      isRecorded: values.recorded,
    }
  } catch (error) {
    return exitOnOptionError(error)
  }
}

const { messagesPerSecond, messageOctets, route, seconds, settings, isRecorded } = readOptions()
const runRate = Math.min(maxRunRate, messagesPerSecond)
const recording = isRecorded
  ? readRecording(route)
  : await recordRoute({ route, messagesPerSecond: runRate, seconds, messageOctets }, (line) =>
      process.stderr.write(`${line}\n`),
    )
const stack = readStackFacts({ ...(route === 'mx' && { defaultRoute: 'Mx' }), ...settings })
const facts = { recording, ingress: readIngressRates(), stack }
const cost = costOfMillion(facts, { messagesPerSecond, messageOctets })
const floor = floorOf(stack, readIdleRecording())
const { conditions } = recording

console.log(`
${messagesPerSecond} messages/s of ${messageOctets} octets, route ${route}, list prices of us-east-1 on ${pricesAsOf}.
Calls: measured at ${conditions.messagesPerSecond} messages/s, ${conditions.messages} messages, ${recording.recordedAt}, ${conditions.machine}.
Derived for this rate: the batches of functions, calls made once for a batch, ${cost.tasks} ingress tasks and the
requests that their messages share.

${byServiceAndUnit(cost.lines)}

${linesTable(cost.lines)}

${batchesTable(cost)}

The three largest: ${expensiveParts(cost.lines, 3)}.
A million messages: ${total(cost.lines).toFixed(2)} USD. A month at this rate: ${perMonth(total(cost.lines), messagesPerSecond).toFixed(0)} USD.

Besides:

${linesTable(cost.besides)}

${floorTable(floor)}

A month without mail: ${floorTotal(floor).toFixed(2)} USD.
Prices that no other page confirmed: ${unverifiedPrices().join(', ')}.`)
process.exit()
