/**
 * Measures the memory of the lists of recipients: `node --expose-gc test/faults/recipient-memory.ts`. Prints what ten
 * lists of 100,000 addresses take each, and the peak while one is read. Exits with 1 when a list takes more than 1 MiB.
 */
import { setImmediate } from 'node:timers/promises'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { ListCache } from '../../functions/smtp-ingress/recipients/list-cache.ts'
import { maxListedRecipients } from '../../shared/connectors-table/recipient-lists.ts'

const lists = 10
const mebibyte = 1024 * 1024
const gc = globalThis.gc ?? (() => process.exit(2))

const used = (): number => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The parts of a list, as the table has them. */
const parts = Array.from({ length: 10 }, (_, part) =>
  deflateRawSync(
    Array.from({ length: maxListedRecipients / 10 }, (_, n) => `firstname.lastname${part * 10_000 + n}`).join(
      '\n',
    ),
  ),
)
let peak = 0
const source = {
  async *read() {
    for (const part of parts) {
      yield inflateRawSync(part).toString().split('\n')
      peak = Math.max(peak, used())
    }
  },
}
const cache = new ListCache(source, (_level, message) => process.stderr.write(`${message}\n`))
const version = '01KGH3Z9A0V4RRFFQ69G5FAVXX'
await cache.get('warm.example', version)

async function settled(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    gc()
    await setImmediate()
  }
  return used()
}

const before = await settled()
peak = 0
const startedAt = performance.now()
for (let list = 0; list < lists; list++) await cache.get(`d${list}.example`, version)
const milliseconds = (performance.now() - startedAt) / lists
const each = ((await settled()) - before) / lists
process.stdout.write(
  `a list of ${maxListedRecipients} recipients: ${(each / mebibyte).toFixed(2)} MiB, ` +
    `at most ${((peak - before) / mebibyte).toFixed(1)} MiB more while lists are read, ${milliseconds.toFixed(0)} ms each\n`,
)
if (each > mebibyte) process.exitCode = 1
