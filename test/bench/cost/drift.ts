/**
 * How far the recording is from a longer run of the local runner: `npm run record:drift -- [--minutes N] [--rate N]
 * [--route ROUTE] [--size 4k]`. Prints the units of every call for each message, in the recording and in the run.
 */
import { parseArgs } from 'node:util'
import { drifts } from './compare-recordings.ts'
import { exitOnOptionError, parseNumber, parseRoute, parseSize } from './options.ts'
import { recordRoute } from './record-calls.ts'
import { readRecording } from './recording.ts'

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '60' },
        rate: { type: 'string', default: '20' },
        route: { type: 'string', default: 'smart-host' },
        // The emulator keeps objects in memory; their size changes no number of calls.
        size: { type: 'string', default: '4k' },
      },
    })
    return {
      route: parseRoute('--route', values.route),
      messagesPerSecond: parseNumber('--rate', values.rate, 0.1, 100),
      seconds: 60 * parseNumber('--minutes', values.minutes, 0.1, 600),
      messageOctets: parseSize('--size', values.size),
    }
  } catch (error) {
    return exitOnOptionError(error)
  }
}

const options = readOptions()
const recorded = readRecording(options.route)
const observed = await recordRoute(options, (line) => process.stderr.write(`${line}\n`))
const rows = drifts(recorded, observed).map(({ name, before, after }) => {
  const change = before === 0 ? 'new' : `${(100 * (after / before - 1)).toFixed(1)} %`
  return `| ${name} | ${before.toFixed(3)} | ${after.toFixed(3)} | ${change} |`
})
console.log(`
${observed.conditions.messages} messages in ${options.seconds / 60} minutes; units for each message, in batches of four:

| call | recording | run | change |
|---|---:|---:|---:|
${rows.join('\n')}`)
process.exit()
