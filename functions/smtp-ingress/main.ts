/** Entry point of the ingress. On SIGTERM or SIGINT it finishes messages in flight, then exits. */
import { IngressEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { startIngress } from './ingress.ts'
import { ingressPartsOnAws } from './ingress-on-aws.ts'
import { causeOf, createLineWriter, createLog } from './log.ts'

const write = createLineWriter((lines) => process.stdout.write(lines))
const log = createLog(write)
process.on('exit', write.flush)

/** Keeps the process running after a bug in one session, so that the other sessions continue. */
function logUncaughtErrors(): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (error: unknown) =>
      log('error', event, { cause: causeOf(error), stack: error instanceof Error ? error.stack : null }),
    )
}

// Mail must not stop when the reader of the log stops.
process.stdout.on('error', () => {})
try {
  const ingress = await startIngress(
    ingressPartsOnAws(readEnvironment(IngressEnvironment, process.env), write),
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void ingress.drain().then(() => process.exit(0)))
  logUncaughtErrors()
} catch (error) {
  process.stderr.write(`smtp-ingress cannot start: ${errorMessage(error)}\n`)
  process.exit(1)
}
